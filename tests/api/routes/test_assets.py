import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from blake3 import blake3

from api.uploads import sweep
from tests.api.conftest import FILM, FPS
from tests.api.routes.test_jobs import ended
from tests.api.routes.test_search import refused
from tests.api.server import Served, serving
from tests.media import encoded, frames, plain, save_video

ASSETS = "/v1/collections/default/assets"
RED = encoded(plain("red"))


def upload(client: httpx.Client, *files: tuple[str, bytes]) -> list[dict[str, str]]:
    answer = client.post(ASSETS, files=[("files", file) for file in files])
    assert answer.status_code == 200, answer.text
    items: list[dict[str, str]] = answer.json()["items"]
    return items


def upload_for_later(
    client: httpx.Client, *files: tuple[str, bytes]
) -> tuple[int, list[dict[str, str]]]:
    """The job that indexes what was uploaded, and what became of each file."""
    answer = client.post(ASSETS, files=[("files", file) for file in files])
    assert answer.status_code == 202, answer.text
    report = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/{report['job']}"
    return report["job"], report["items"]


def left_over(served: Served) -> list[Path]:
    return list((served.installation.media / "incoming").glob("*"))


def kept(served: Served) -> set[str]:
    return {path.name for path in served.installation.media.glob("??/*")}


def content_hash(data: bytes) -> str:
    return blake3(data).hexdigest()


def described(client: httpx.Client, payload: str, *files: bytes) -> httpx.Response:
    form = [("files", (f"{number}.jpg", file)) for number, file in enumerate(files)]
    return client.post(ASSETS, files=form, data={"payload": payload})


def says(client: httpx.Client, item: dict[str, str]) -> dict[str, Any]:
    point = client.get(f"/v1/collections/default/points/{item['point']}").json()
    payload: dict[str, Any] = point["payload"]
    return payload


def test_uploads_have_a_payload_of_ones_own(fresh: Served) -> None:
    blue = encoded(plain("blue"))
    items = described(fresh.client, '[{"album": "Lisbon", "name": "Door"}, {}]', RED, blue).json()
    first, second = items["items"]
    said = says(fresh.client, first)
    assert (said["album"], said["name"], said["kind"]) == ("Lisbon", "Door", "image")
    assert "album" not in says(fresh.client, second)
    both = described(fresh.client, '{"album": "Porto"}', RED, blue).json()["items"]
    assert [item["status"] for item in both] == ["done", "done"]
    assert [says(fresh.client, item)["album"] for item in both] == ["Porto", "Porto"]
    [again] = described(fresh.client, '{"album": "Porto"}', RED).json()["items"]
    assert again["status"] == "unchanged"
    [silent] = upload(fresh.client, ("0.jpg", RED))
    assert silent["status"] == "unchanged"
    assert says(fresh.client, silent)["album"] == "Porto"


def test_payloads_that_are_none(fresh: Served) -> None:
    for payload in ("", "{", "7", "[7]", "[{}, {}]", '{"a": "\\ud800"}'):
        refused(described(fresh.client, payload, RED), 422, "invalid-payload")
    refused(described(fresh.client, f'{{"a": "{"x" * 2_000_000}"}}', RED), 413, "too-large")
    twice = {"payload": ["{}", "{}"]}
    answer = fresh.client.post(ASSETS, files={"files": ("a.jpg", RED)}, data=twice)
    refused(answer, 422, "invalid-payload")
    blue = encoded(plain("blue"))
    bad, good = described(fresh.client, '[{"width": 7}, {}]', RED, blue).json()["items"]
    assert (bad["status"], good["status"]) == ("failed", "done")
    assert "'width'" in bad["reason"]
    assert left_over(fresh) == []


def test_payloads_of_what_a_job_indexes(fresh: Served, tmp_path: Path) -> None:
    save_video(tmp_path / "film.mp4", frames(FILM, each=4 * FPS), fps=FPS)
    answer = described(fresh.client, '{"album": "Lisbon"}', (tmp_path / "film.mp4").read_bytes())
    assert answer.status_code == 202
    assert ended(fresh.client, answer.json()["job"])["counts"]["done"] == 1
    here = {"must": [{"key": "album", "match": {"value": "Lisbon"}}]}
    count = fresh.client.post("/v1/collections/default/points/count", json={"filter": here})
    assert count.json()["count"] == 4  # the film, and a segment of each colour


def test_uploads_can_be_searched_and_fetched(fresh: Served) -> None:
    blue = encoded(plain("blue"), "PNG")
    first, second = upload(fresh.client, ("rouge été.jpg", RED), ("b.png", blue))
    assert (first["status"], first["name"]) == ("done", "rouge été.jpg")
    assert second["asset"] == f"media:{content_hash(blue)}"
    answer = fresh.client.get("/v1/collections/default/search", params={"q": "red", "limit": 1})
    (hit,) = answer.json()["hits"]
    assert (hit["id"], hit["payload"]["name"]) == (first["point"], "rouge été.jpg")
    original = fresh.client.get(f"/v1/collections/default/points/{second['point']}/original")
    assert (original.content, original.headers["content-type"]) == (blue, "image/png")
    assert left_over(fresh) == []


def test_one_bad_file_fails_alone(fresh: Served) -> None:
    items = upload(
        fresh.client,
        ("good.jpg", RED),
        ("notes.txt", b"milk, bread"),
        ("cut.jpg", RED[:200]),
        ("empty.jpg", b""),
    )
    assert [item["status"] for item in items] == ["done", "skipped", "failed", "failed"]
    assert all(item["reason"] for item in items[1:])
    stored = [path for path in fresh.installation.media.rglob("*") if path.is_file()]
    assert [path.name for path in stored] == [content_hash(RED)]


def test_same_content_again_is_unchanged(fresh: Served) -> None:
    (first,) = upload(fresh.client, ("a.jpg", RED))
    again, twin = upload(fresh.client, ("a.jpg", RED), ("b.jpg", RED))
    assert (again["status"], again["point"]) == ("unchanged", first["point"])
    assert twin["point"] == first["point"]


def test_video(fresh: Served, tmp_path: Path) -> None:
    film = save_video(tmp_path / "film.mp4", frames(FILM, each=4 * FPS), fps=FPS)
    job, (item,) = upload_for_later(fresh.client, ("film.mp4", film.read_bytes()))
    assert item["status"] == "queued"
    assert ended(fresh.client, job)["counts"]["done"] == 1
    answer = fresh.client.get("/v1/collections/default/search", params={"q": "blue"})
    (hit,) = answer.json()["hits"]
    assert hit["moments"][0]["start"] >= 7


def test_many_files_are_kept_and_indexed_by_a_job(tmp_path: Path) -> None:
    blue = encoded(plain("blue"), "PNG")
    damaged = RED[:300]
    with serving(tmp_path / "data", max_sync_files=2, max_jobs=0) as served:
        served.installation.create("default")
        files = [("r.jpg", RED), ("notes.txt", b"milk"), ("b.png", blue), ("cut.jpg", damaged)]
        job, items = upload_for_later(served.client, *files)
        assert [item["status"] for item in items] == ["queued", "skipped", "queued", "queued"]
        assert left_over(served) == []
        waiting, _ = upload_for_later(served.client, *files)
        assert served.client.post(f"/v1/jobs/{waiting}/cancel").status_code == 200
    with serving(tmp_path / "data", max_sync_files=2) as served:
        last = ended(served.client, job)
        assert (last["counts"]["done"], last["counts"]["failed"]) == (2, 1)
        hits = served.client.get("/v1/collections/default/search", params={"q": "red"}).json()
        assert hits["hits"][0]["payload"]["name"] == "r.jpg"
        failures = served.client.get(f"/v1/jobs/{job}/failures").json()["failures"]
        assert [one["asset"] for one in failures] == [items[3]["asset"]]
        while served.installation.settings.data.joinpath("jobs", f"{job}.lock").exists():
            time.sleep(0.01)
        assert kept(served) == {content_hash(RED), content_hash(blue)}
        again, _ = upload_for_later(served.client, *files)
        assert ended(served.client, again)["counts"]["unchanged"] == 2


def test_a_full_queue_keeps_no_upload(tmp_path: Path) -> None:
    blue = encoded(plain("blue"), "PNG")
    settings = {"max_sync_files": 0, "max_jobs": 0, "max_queued_jobs": 1}
    with serving(tmp_path / "data", **settings) as served:
        served.installation.create("default")
        upload_for_later(served.client, ("r.jpg", RED))
        answer = served.client.post(ASSETS, files=[("files", ("b.png", blue))])
        refused(answer, 429, "too-many-jobs")
        assert kept(served) == {content_hash(RED)}
        assert served.client.post("/v1/jobs/1/cancel").status_code == 200
        assert kept(served) == set()


def test_a_video_is_cut_as_the_settings_say(tmp_path: Path) -> None:
    film = save_video(tmp_path / "film.mp4", frames(FILM, each=2 * FPS), fps=FPS)
    with serving(tmp_path / "data", video_segment_seconds=2) as served:
        collection = served.installation.create("default")
        job, _ = upload_for_later(served.client, ("film.mp4", film.read_bytes()))
        ended(served.client, job)
        assert collection.count() == 1 + 3


def test_file_beyond_the_limit_fails_alone_and_is_not_kept(tmp_path: Path) -> None:
    with serving(tmp_path, max_upload_bytes=10_000) as small:
        small.installation.create("default")
        large = b"\xff\xd8\xff" + bytes(3_000_000)
        items = upload(small.client, ("large.jpg", large), ("good.jpg", RED))
        assert [item["status"] for item in items] == ["failed", "done"]
        assert "10,000" in items[0]["reason"]
        assert left_over(small) == []


def test_too_many_files(tmp_path: Path) -> None:
    with serving(tmp_path, max_upload_files=2) as small:
        small.installation.create("default")
        files = [("files", (f"{i}.jpg", RED)) for i in range(3)]
        refused(small.client.post(ASSETS, files=files), 413, "too-many-files")
        assert left_over(small) == []


def test_names_are_only_for_show(fresh: Served) -> None:
    evil = ("../../../etc/cron.d/x\r\n.jpg", RED)
    windows = ("C:\\fakepath\\holiday.jpg", encoded(plain("blue")))
    items = upload(fresh.client, evil, windows)
    assert [item["status"] for item in items] == ["done", "done"]
    assert "/" not in items[0]["name"]
    assert items[1]["name"] == "holiday.jpg"
    point = fresh.client.get(f"/v1/collections/default/points/{items[1]['point']}").json()
    assert point["payload"]["name"] == "holiday.jpg"


def test_malformed_forms(fresh: Served) -> None:
    form = {"content-type": "multipart/form-data; boundary=xyz"}
    part = b'--xyz\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\n'

    def post(content: bytes, headers: dict[str, str] = form) -> httpx.Response:
        return fresh.client.post(ASSETS, content=content, headers=headers)

    refused(post(part + RED), 422, "malformed-form")
    refused(post(b"--abc\r\n\r\n"), 422, "malformed-form")
    refused(post(b""), 422, "malformed-form")
    refused(post(b'--xyz\r\nContent-Disposition: form-data; name="a"\r\n\r\n1'), 422, "not-a-file")
    refused(post(RED, {"content-type": "image/jpeg"}), 415, "not-multipart")
    refused(post(RED, {"content-type": "multipart/form-data"}), 415, "not-multipart")
    assert left_over(fresh) == []


def test_unknown_collection(fresh: Served) -> None:
    answer = fresh.client.post("/v1/collections/x/assets", files={"files": ("a.jpg", RED)})
    refused(answer, 404, "unknown-collection")


def test_uploads_at_the_same_time(fresh: Served) -> None:
    colours = ("red", "green", "blue", "yellow", "cyan", "magenta")
    outcomes: list[str] = []

    def one(colour: str) -> None:
        files = {"files": (f"{colour}.jpg", encoded(plain(colour)))}
        answer = httpx.post(fresh.url + ASSETS, files=files, timeout=30)
        outcomes.append(answer.json()["items"][0]["status"])

    threads = [threading.Thread(target=one, args=(colour,)) for colour in colours]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == ["done"] * len(colours)
    assert fresh.client.get("/v1/collections/default").json()["kinds"]["image"] == len(colours)


def test_an_upload_that_breaks_off_leaves_nothing(fresh: Served) -> None:
    head = (
        f"POST {ASSETS} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000000\r\n"
        "Content-Type: multipart/form-data; boundary=xyz\r\n\r\n"
        '--xyz\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\n'
    )
    address = urlsplit(fresh.url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(head.encode() + bytes(3_000_000))
        wait_until(lambda: left_over(fresh) != [])
    wait_until(lambda: left_over(fresh) == [])


def test_what_a_crash_left_is_swept_up(tmp_path: Path) -> None:
    old, recent = tmp_path / "old", tmp_path / "recent"
    for folder in (old, recent):
        folder.mkdir()
        (folder / "0").write_bytes(b"half")
    os.utime(old, (0, 0))
    sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["recent"]


def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        time.sleep(0.01)
    assert condition()
