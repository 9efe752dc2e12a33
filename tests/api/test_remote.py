"""Encoders of other installations, over real HTTP."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from api.keys import Keys
from encoders import (
    EncoderMismatch,
    EncoderUnavailable,
    InvalidInput,
    LoadOptions,
    ModelUnavailable,
    RGBImage,
    load_encoder,
)
from encoders.fake import FakeEncoder
from indexer import LocalCollection, LocalStore
from ingestion import ingest, walk
from tests.api.conftest import FILM, FPS
from tests.api.processes import process
from tests.api.routes.test_jobs import ended, submit
from tests.api.server import serving
from tests.ingestion.conftest import schema_of
from tests.media import encoded, frames, picture, plain, save_pictures, save_video


class _Answers(BaseHTTPRequestHandler):
    """Answers what its server holds for a path, the last of them for ever."""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        server = self.server
        assert isinstance(server, Scripted)
        server.asked.append(self.path)
        answers = server.answers[self.path]
        status, headers, body = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


Answer = tuple[int, dict[str, str], bytes]


class Scripted(ThreadingHTTPServer):
    """A server that answers as a test says."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    with Scripted() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server with the fake encoder."""
    with serving(tmp_path_factory.mktemp("node")) as served:
        yield served.url


def vectors_of(collection: LocalCollection) -> dict[str, bytes]:
    records = collection.scroll(limit=1_000, with_vectors=["default"]).records
    return {str(record.id): record.vectors["default"].tobytes() for record in records}


def test_it_is_the_same_encoder(node: str) -> None:
    remote, local = load_encoder(node), FakeEncoder()
    assert remote.info == local.info
    texts = ["red", "ein Haus", "blue"]
    images: list[RGBImage] = [picture(1), picture(2, (300, 20)), np.zeros((5, 9, 3), np.uint8)]
    same = np.testing.assert_array_equal
    same(remote.encode_texts(texts)["default"], local.encode_texts(texts)["default"])
    for normalize in (True, False):
        same(
            remote.encode_images(images, normalize=normalize)["default"],
            local.encode_images(images, normalize=normalize)["default"],
        )
    assert remote.encode_texts([])["default"].shape == (0, 48)
    many = [f"word {number}" for number in range(600)]  # more than one request takes
    same(remote.encode_texts(many)["default"], local.encode_texts(many)["default"])


def test_offline_by_way_of_another_process_agrees_with_offline_here(tmp_path: Path) -> None:
    local = load_encoder("offline")
    images = [picture(seed, (400, 300)) for seed in range(3)]
    with serving(tmp_path, encoder="offline") as served:
        remote = load_encoder(served.url)
        assert remote.info == local.info
        texts = remote.encode_texts(["una rana", "a bus"])["default"]
        assert texts.tobytes() == local.encode_texts(["una rana", "a bus"])["default"].tobytes()
        frames = [[one.preprocess(image, "frame") for image in images] for one in (remote, local)]
        found = remote.encode_pixels(frames[0], normalize=False)["default"]
        wanted = local.encode_pixels(frames[1], normalize=False)["default"]
        np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_ingestion_and_search_give_the_same_bits(node: str, tmp_path: Path) -> None:
    media = tmp_path / "media"
    save_pictures(media, 5)
    (media / "large.jpg").write_bytes(encoded(picture(9, (900, 700))))
    save_video(media / "film.mp4", frames(FILM, each=4 * FPS), fps=FPS)
    remote, local = load_encoder(node), FakeEncoder()
    stored = {}
    for name, encoder in (("remote", remote), ("local", local)):
        collection = LocalStore(tmp_path / name).create("photos", schema_of(local))
        *_, last = ingest(walk(media), encoder, collection)
        assert last.report is not None
        assert last.report.done == 7
        stored[name] = vectors_of(collection)
        collection.close()
    assert stored["remote"] == stored["local"]
    assert len(stored["local"]) == 6 + 1 + 3


def test_an_encoder_that_comes_back_is_waited_for(tmp_path: Path, scripted: Scripted) -> None:
    fake = FakeEncoder.info
    about = {"name": "fake", "description": "", "vectors": dict(fake.vectors), "side": 4}
    about |= {"modalities": ["image", "text"], "fingerprint": dict(fake.fingerprint)}
    about |= {"match_threshold": None, "batch_size": 8, "needs_prompts": True}
    about |= {"max_inputs": 8, "max_body_bytes": 100_000}
    busy: Answer = (503, {"Retry-After": "0"}, b"{}")
    good: Answer = (200, {}, json.dumps(about).encode())
    scripted.answers["/v1/encoder"] = [busy, good]
    remote = load_encoder(scripted.url)
    assert scripted.asked == ["/v1/encoder"] * 2
    scripted.answers["/v1/embeddings"] = [busy]
    with pytest.raises(EncoderUnavailable, match="is busy"):
        remote.encode_texts(["red"])
    other = {"data": [], "fingerprint": {"text": "another"}}
    scripted.answers["/v1/embeddings"] = [(200, {}, json.dumps(other).encode())]
    with pytest.raises(EncoderMismatch, match="another encoder"):
        remote.encode_texts(["red"])
    scripted.answers["/v1/embeddings"] = [(422, {}, b'{"error": {"message": "no thanks"}}')]
    with pytest.raises(InvalidInput, match="no thanks"):
        remote.encode_texts(["red"])
    scripted.answers["/v1/embeddings"] = [(500, {}, b"oops")]
    with pytest.raises(RuntimeError, match="failed: status 500"):
        remote.encode_texts(["red"])
    with pytest.raises(InvalidInput, match="no more than 100,000 bytes"):
        remote.encode_texts(["red" * 100_000])
    # An ingestion waits for it, with all that was done.
    values = FakeEncoder().encode_images([plain("red")], normalize=False)["default"]
    row = base64.b64encode(values.tobytes()).decode()
    done = {"data": [{"vectors": {"default": row}}], "fingerprint": dict(fake.fingerprint)}
    scripted.answers["/v1/embeddings"] = [*[busy] * 4, (200, {}, json.dumps(done).encode())]
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "red.png").write_bytes(encoded(plain("red"), "PNG"))
    collection = LocalStore(tmp_path / "data").create("photos", schema_of(FakeEncoder()))
    *steps, last = ingest(walk(tmp_path / "media"), remote, collection)
    assert any("is busy" in step.waiting for step in steps)
    assert last.report is not None
    assert (last.report.done, last.report.failed) == (1, 0)
    collection.close()


def test_what_is_no_encoder_is_refused_with_the_fix(tmp_path: Path, scripted: Scripted) -> None:
    with serving(tmp_path) as served:
        key = Keys([], tmp_path).add("reader", "read")
        with pytest.raises(ModelUnavailable, match="set encoder_key"):
            load_encoder(served.url)
        assert load_encoder(served.url, LoadOptions(key=key)).info.name == "fake"
        assert key not in repr(LoadOptions(key=key))
    elsewhere = {"Location": "http://127.0.0.1:1/v1/encoder"}
    for answer, words in (
        ((302, elsewhere, b""), "redirects to elsewhere"),
        ((404, {}, b""), "is not a polylens server that shares"),
        ((200, {}, b"<html>"), "is not a polylens server"),
        ((200, {}, b"{}"), "describes its encoder in an unknown way"),
    ):
        scripted.answers["/v1/encoder"] = [answer]
        with pytest.raises(ModelUnavailable, match=words):
            load_encoder(scripted.url)
    assert scripted.asked == ["/v1/encoder"] * 4
    with pytest.raises(EncoderUnavailable, match="cannot be reached"):
        load_encoder("http://127.0.0.1:1")


def test_api_processes_over_one_collection_share_one_encoder(tmp_path: Path) -> None:
    """One process has the encoder; two others have one data folder, and no encoder."""
    folder = tmp_path / "photos"
    save_pictures(folder, 3)
    with process(tmp_path / "node", {"encoder": "fake"}) as encoder:
        settings = {"encoder": encoder.url, "roots": json.dumps([str(folder)])}
        data = tmp_path / "data"
        with process(data, settings) as one, process(data, settings) as other:
            assert one.client.post("/v1/collections", json={"name": "default"}).is_success
            assert ended(one.client, submit(one.client, folder)["id"])["counts"]["done"] == 3
            files = [("files", ("red.png", encoded(plain("red"), "PNG"), "image/png"))]
            answer = other.client.post("/v1/collections/default/assets", files=files)
            assert answer.json()["items"][0]["status"] == "done"
            found = []
            for api in (one, other):
                hits = api.client.get("/v1/collections/default/search", params={"q": "red"}).json()
                assert len(hits["hits"]) == 4
                assert hits["hits"][0]["payload"]["name"] == "red.png"
                found.append([(hit["id"], hit["score"]) for hit in hits["hits"]])
            assert found[0] == found[1]
            asset = answer.json()["items"][0]["asset"]
            gone = one.client.delete("/v1/collections/default/assets", params={"uri": asset})
            assert gone.status_code == 204
            assert other.client.get("/v1/collections/default").json()["points"] == 3
            assert other.client.get("/v1/collections/default").json()["encoder"] == "fake"
