"""Aliases, snapshots, compaction and checks over HTTP."""

import hashlib
import io
import json
import shutil
import tarfile
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from api.keys import Keys
from encoders import LoadOptions
from encoders.internvl.load import load_internvl
from indexer import LocalStore, Schema
from indexer.local.snapshot import MANIFEST
from indexer.migrate import migrate
from indexer.parquet import POINTS
from ingestion import ingest, walk
from tests.api.routes.test_assets import left_over
from tests.api.routes.test_jobs import ended
from tests.api.routes.test_search import refused
from tests.api.server import Served, serving
from tests.encoders.internvl.tiny import DATA, TINY
from tests.indexer.conftest import qdrant, qdrant_server
from tests.indexer.qdrant.loopback import Loopback
from tests.media import encoded, plain

__all__ = ["qdrant", "qdrant_server"]

IMAGES = DATA / "images"

HERE = "/v1/collections/default"


@pytest.fixture
def filled(fresh: Served) -> Served:
    """Three pictures in the collection `default`."""
    files = [("files", (f"{c}.png", encoded(plain(c), "PNG"))) for c in ("red", "green", "blue")]
    fresh.client.post(f"{HERE}/assets", files=files).raise_for_status()
    return fresh


def found(client: httpx.Client, name: str) -> str:
    answer = client.get(f"/v1/collections/{name}/search", params={"q": "red", "limit": 1})
    answer.raise_for_status()
    return str(answer.json()["hits"][0]["payload"]["name"])


def test_an_alias_is_searched_and_cut_over(filled: Served) -> None:
    client = filled.client
    assert client.get("/v1/aliases").json() == {"aliases": []}
    made = client.put("/v1/aliases/photos", json={"collection": "default"})
    assert made.json() == {"alias": "photos", "collection": "default"}
    assert found(client, "photos") == "red.png"
    client.post("/v1/collections", json={"name": "next"}).raise_for_status()
    client.put("/v1/aliases/photos", json={"collection": "next"}).raise_for_status()
    assert client.get("/v1/collections/photos").json()["points"] == 0
    assert client.get("/v1/aliases/photos").json()["collection"] == "next"
    refused(
        client.put("/v1/aliases/next", json={"collection": "default"}), 409, "collection-exists"
    )
    refused(client.put("/v1/aliases/x", json={"collection": "no"}), 404, "unknown-collection")
    refused(client.put("/v1/aliases/X!", json={"collection": "default"}), 422, "invalid-name")
    refused(client.delete("/v1/collections/photos"), 404, "unknown-collection")
    assert client.delete("/v1/aliases/photos").status_code == 204
    refused(client.get("/v1/aliases/photos"), 404, "unknown-collection")
    refused(client.delete("/v1/aliases/photos"), 404, "unknown-collection")
    assert client.get(HERE).json()["points"] == 3


def test_a_snapshot_is_taken_downloaded_and_restored(filled: Served, tmp_path: Path) -> None:
    client = filled.client
    made = client.post(f"{HERE}/snapshots")
    assert made.status_code == 201
    taken = made.json()
    assert (taken["collection"], taken["points"]) == ("default", 3)
    assert made.headers["location"] == f"/v1/snapshots/{taken['name']}"
    assert client.get("/v1/snapshots").json() == {"snapshots": [taken]}
    file = client.get(made.headers["location"])
    assert file.headers["content-type"] == "application/x-tar"
    assert len(file.content) == taken["bytes"]
    kept = filled.installation.snapshots.folder / taken["name"]
    assert hashlib.sha256(file.content).digest() == hashlib.sha256(kept.read_bytes()).digest()

    restored = client.post(f"/v1/snapshots/{taken['name']}/restore", json={"name": "copy"})
    assert restored.status_code == 201
    assert (restored.json()["name"], restored.json()["points"]) == ("copy", 3)
    assert found(client, "copy") == "red.png"
    for body in ("", "{}"):
        headers = {"content-type": "application/json"}
        path = f"/v1/snapshots/{taken['name']}/restore"
        again = client.post(path, content=body, headers=headers)
        refused(again, 409, "collection-exists")

    assert client.delete(f"/v1/snapshots/{taken['name']}").status_code == 204
    assert client.get("/v1/snapshots").json() == {"snapshots": []}
    refused(client.get(f"/v1/snapshots/{taken['name']}"), 404, "unknown-snapshot")
    assert str(tmp_path) not in restored.text


def sent(client: httpx.Client, *snapshots: bytes) -> httpx.Response:
    return client.post("/v1/snapshots", files=[("files", ("any.tar", it)) for it in snapshots])


def renamed(snapshot: bytes, name: str) -> bytes:
    """With a manifest that says so."""
    out = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(snapshot)) as tar,
        tarfile.open(fileobj=out, mode="w") as new,
    ):
        for member in tar:
            source = tar.extractfile(member)
            assert source is not None
            content = source.read()
            if member.name == MANIFEST:
                content = json.dumps(json.loads(content) | {"name": name}).encode()
                member.size = len(content)
            new.addfile(member, io.BytesIO(content))
    return out.getvalue()


def test_a_snapshot_moves_from_one_service_to_another(filled: Served, tmp_path: Path) -> None:
    taken = filled.client.post(f"{HERE}/snapshots").json()
    snapshot = filled.client.get(f"/v1/snapshots/{taken['name']}").content
    with serving(tmp_path / "other", max_upload_bytes=len(snapshot)) as other:
        client = other.client
        for bad in (
            *(b"", b"no tar" * 999, snapshot[: len(snapshot) // 2]),
            snapshot.replace(b"red.png", b"bad.png"),
            renamed(snapshot, "../../evil"),
        ):
            answer = sent(client, bad)
            assert answer.status_code == 422, answer.text
            assert str(tmp_path) not in answer.text
        assert "texts" not in refused(client.post("/v1/snapshots"), 415, "not-multipart")
        refused(sent(client, snapshot, snapshot), 422, "not-a-snapshot")
        refused(sent(client, snapshot + bytes(1)), 413, "too-large")
        assert client.get("/v1/snapshots").json() == {"snapshots": []}
        assert list(other.installation.snapshots.folder.iterdir()) == left_over(other) == []
        kept = sent(client, snapshot)
        assert kept.status_code == 201
        assert kept.json() == {**taken, "name": kept.json()["name"]}
        assert client.get(kept.headers["location"]).content == snapshot
        client.post(f"{kept.headers['location']}/restore").raise_for_status()
        assert found(client, "default") == "red.png"


def test_only_snapshots_are_served(filled: Served) -> None:
    client, folder = filled.client, filled.installation.snapshots.folder
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    (folder / "default-20260101T000000000Z.tar").write_bytes(b"no tar" * 999)
    (folder.parent / "secret-20260101T000000000Z.tar").write_bytes(b"secret")
    assert client.get("/v1/snapshots").json() == {"snapshots": []}
    for name in (
        "notes.txt",
        "..%2Fsecret-20260101T000000000Z.tar",
        "%2e%2e%2fpolylens.db",
        "secret-20260101T000000000Z.tar",
    ):
        assert client.get(f"/v1/snapshots/{name}").status_code == 404
    bad = client.post("/v1/snapshots/default-20260101T000000000Z.tar/restore", json={"name": "x"})
    assert str(folder) not in refused(bad, 422, "invalid-archive")
    refused(client.post("/v1/snapshots/x/restore", json={"name": "y"}), 404, "unknown-snapshot")
    refused(client.post("/v1/snapshots/x/restore", json={"nam": "y"}), 422, "invalid-request")


def test_an_index_is_built_and_told_of(filled: Served, qdrant: Loopback, tmp_path: Path) -> None:
    client = filled.client
    before = client.get(f"{HERE}/index").json()
    assert (before["collection"], before["points"], before["vectors"]) == (
        "default",
        3,
        {"default": 48},
    )
    assert before["disk"]["vectors"] > 3 * 48 * 4
    assert (before["index"][0]["unsealed"], before["index"][0]["segments"]) == (3, [])
    built = client.post(f"{HERE}/build")
    assert built.status_code == 200, built.text
    [index] = built.json()["index"]
    assert (index["vector"], index["rows"], index["unsealed"]) == ("default", 3, 0)
    assert all(recall >= 0.98 for recall in index["segments"][0]["recall"].values())
    assert client.get(f"{HERE}/index").json() == built.json()
    assert client.get("/v1/status").json()["collections"][0]["indexes"] == [index]
    assert found(client, "default") == "red.png"
    for method, path in (("GET", "index"), ("POST", "build")):
        answer = client.request(method, f"/v1/collections/none/{path}")
        refused(answer, 404, "unknown-collection")
    with serving(tmp_path / "second", qdrant_url=qdrant.url) as served:
        served.installation.create("default")
        refused(served.client.post(f"{HERE}/build"), 409, "unsupported")
        there = served.client.get(f"{HERE}/index").json()
        assert (there["points"], there["disk"], there["index"]) == (0, None, [])


def test_scores_are_calibrated(filled: Served) -> None:
    client = filled.client
    assert client.get(f"{HERE}/index").json()["relevance"] is None
    fitted = client.post(f"{HERE}/calibrate")
    assert fitted.status_code == 200, fitted.text
    assert (fitted.json()["points"], list(fitted.json()["good"])) == (3, ["default"])
    assert client.get(f"{HERE}/index").json()["relevance"] == fitted.json()
    link = "q=red&explain=true"
    stages = client.get(f"{HERE}/search", params=link).json()["stages"]
    assert any("background texts over 3 points" in stage["note"] for stage in stages)
    client.post("/v1/collections", json={"name": "empty"}).raise_for_status()
    refused(client.post("/v1/collections/empty/calibrate"), 422, "invalid-query")
    other = Schema({"default": 48}, "other", {"text": "0", "image": "0"})
    filled.installation.store.create("other", other)
    refused(client.post("/v1/collections/other/calibrate"), 409, "encoder-mismatch")


def test_room_is_given_back(filled: Served) -> None:
    client = filled.client
    [collection] = [filled.installation.store.open("default")]
    first = collection.scroll(limit=1).records[0].id
    collection.delete([first])
    compacted = client.post(f"{HERE}/compact").json()
    assert compacted["points"] == 1
    assert compacted["after"] < compacted["before"]
    assert client.get(HERE).json()["points"] == 2
    refused(client.post("/v1/collections/none/compact"), 404, "unknown-collection")


def test_a_collection_is_copied_where_that_is_allowed(filled: Served, tmp_path: Path) -> None:
    source = filled.installation.store.open("default")
    with serving(tmp_path / "second", migrate_targets=[str(tmp_path / "third")]) as served:
        migrate(source, served.installation.store, "default")
        wanted = {"target": str(tmp_path / "third"), "name": "moved"}
        there = served.client.post(f"{HERE}/migrate", json=wanted).json()
        assert (there["collection"], there["points"], there["written"]) == ("moved", 3, 3)
        again = served.client.post(f"{HERE}/migrate", json=wanted).json()
        assert again == {**there, "written": 0}
        for target in (str(tmp_path / "fourth"), f"{tmp_path}/third/../third", "http://127.0.0.1"):
            answer = served.client.post(f"{HERE}/migrate", json={"target": target})
            assert "migrate_targets" in refused(answer, 403, "target-not-allowed")
        bad = {"target": str(tmp_path / "third"), "name": "../x"}
        refused(served.client.post(f"{HERE}/migrate", json=bad), 422, "invalid-name")
        unknown = served.client.post("/v1/collections/none/migrate", json=wanted)
        refused(unknown, 404, "unknown-collection")
    with closing(LocalStore(tmp_path / "third")) as store:
        assert store.names() == ["moved"]
        assert store.open("moved").count() == 3
    assert not (tmp_path / "fourth").exists()


def test_a_collection_is_copied_to_a_server(
    filled: Served, qdrant: Loopback, tmp_path: Path
) -> None:
    source = filled.installation.store.open("default")
    with serving(tmp_path / "second", migrate_targets=[qdrant.url]) as served:
        migrate(source, served.installation.store, "default")
        there = served.client.post(f"{HERE}/migrate", json={"target": qdrant.url}).json()
        assert (there["collection"], there["points"], there["assets"]) == ("default", 3, 3)
    with serving(tmp_path / "third", qdrant_url=qdrant.url) as served:
        assert found(served.client, "default") == "red.png"


def test_vectors_are_filled_in_by_a_job(tmp_path: Path) -> None:
    """InternVL's `g` beside its `c`, from the photos that were ingested and from no other."""
    photos = Path(shutil.copytree(IMAGES, tmp_path / "photos"))
    outside = Path(shutil.copytree(IMAGES, tmp_path / "outside"))
    narrow = load_internvl(str(TINY), LoadOptions(device="cpu", vectors=("c",)))
    with serving(tmp_path / "data", encoder=str(TINY), roots=[photos]) as served:
        store = served.installation.store
        schema = Schema(narrow.info.vectors, narrow.info.name, narrow.info.fingerprint)
        collection = store.create("default", schema)
        for folder in (photos, outside):
            list(ingest(walk(folder), narrow, collection))
        asked = served.client.post(f"{HERE}/backfill")
        assert asked.status_code == 202, asked.text
        assert asked.headers["location"] == f"/v1/jobs/{asked.json()['id']}"
        last = ended(served.client, asked.json()["id"])
        assert (last["state"], last["counts"]["done"]) == ("done", 3), last
        assert last["sources"] == ["collection:default"]
        records = store.open("default").scroll(with_vectors=["c", "g"]).records
        wide = {record.asset for record in records if len(record.vectors) == 2}
        assert wide == {path.as_uri() for path in photos.iterdir()}
        assert len(records) == 6
        again = served.client.post(f"{HERE}/backfill").json()["id"]
        assert ended(served.client, again)["counts"]["unchanged"] == 3
        refused(served.client.post("/v1/collections/none/backfill"), 404, "unknown-collection")
        job = {"sources": ["collection:default"]}
        refused(served.client.post(f"{HERE}/jobs", json=job), 422, "not-a-path")


def test_lifecycle_needs_the_scope_admin(tmp_path: Path) -> None:
    keys = Keys([], tmp_path)
    writer = {"authorization": f"Bearer {keys.add('writer', 'write')}"}
    with serving(tmp_path) as served:
        for path in (
            *("exports", "import", "migrate", "backfill", "compact", "snapshots", "build"),
            "calibrate",
        ):
            answer = served.client.post(f"{HERE}/{path}", headers=writer, json={})
            refused(answer, 403, "key-may-not")
        for method, path in (("GET", ""), ("POST", ""), ("DELETE", "/x"), ("GET", f"/x/{POINTS}")):
            answer = served.client.request(method, f"/v1/exports{path}", headers=writer)
            refused(answer, 403, "key-may-not")


def test_damage_is_named_without_the_place(filled: Served) -> None:
    client = filled.client
    whole = client.post(f"{HERE}/verify").json()
    assert whole == {"bytes": 3 * 48 * 4, "damage": None}
    data = filled.installation.settings.data
    [path] = (data / "collections" / "default" / "vectors").iterdir()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    found = client.post(f"{HERE}/verify").json()
    assert found["bytes"] is None
    assert "default-000000.f32: rows" in found["damage"]
    assert str(data) not in found["damage"]
    taken = client.post(f"{HERE}/snapshots")
    refused(taken, 500, "storage-failed")
