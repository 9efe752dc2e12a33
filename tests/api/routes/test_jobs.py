import csv
import io
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.keys import Keys
from ingestion import Journal
from tests.api.processes import process
from tests.api.routes.test_search import refused
from tests.api.server import Served, serving
from tests.ingestion.web_server import WebServer
from tests.media import encoded, picture, plain, save_pictures

JOBS = "/v1/collections/default/jobs"
HERE = ["127.0.0.1"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    save_pictures(folder, 3)
    (folder / "red.jpg").write_bytes(encoded(plain("red")))
    (folder / "broken.jpg").write_bytes(b"")
    (folder / "notes.txt").write_text("milk")
    return folder


@pytest.fixture
def served(tmp_path: Path, folder: Path) -> Iterator[Served]:
    settings = {"roots": [folder], "fetch_hosts": HERE, "fetch_private_hosts": HERE}
    with serving(tmp_path / "data", **settings) as served:
        served.installation.create("default")
        yield served


def submit(client: httpx.Client, *sources: Path | str, **options: object) -> dict[str, Any]:
    answer = client.post(JOBS, json={"sources": [str(one) for one in sources], **options})
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    return job


def events(
    client: httpx.Client, job: int, **headers: str
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Name, id and data of each event of a stream, until it ends."""
    with client.stream("GET", f"/v1/jobs/{job}/events", headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        fields: dict[str, str] = {}
        for line in answer.iter_lines():
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif fields:
                assert int(fields["retry"]) > 0
                yield fields["event"], fields["id"], json.loads(fields["data"])
                fields = {}


def ended(client: httpx.Client, job: int) -> dict[str, Any]:
    """The job at its end."""
    *_, (name, _, last) = events(client, job)
    assert name == "end"
    return last


def reached(client: httpx.Client, job: int, **counts: int) -> None:
    """Wait until a job at work has counted so much."""
    for _, _, told in events(client, job):
        if all(told["counts"][name] >= count for name, count in counts.items()):
            return
    pytest.fail(f"it ended before: {told}")


def linked(folder: Path, count: int) -> int:
    """A picture and so many files that are the same: a job that takes a while."""
    (first,) = save_pictures(folder, 1)
    for number in range(count):
        os.link(first, first.with_name(f"link{number}.jpg"))
    return count


def test_a_folder_is_ingested_and_told_to_its_end(served: Served, folder: Path) -> None:
    job = submit(served.client, folder, exclude=["*.txt"])
    assert job["state"] in ("queued", "running")
    assert job["sources"] == [folder.as_uri()]
    seen = list(events(served.client, job["id"]))
    assert [name for name, _, _ in seen[:-1]] == ["progress"] * (len(seen) - 1)
    name, id_, last = seen[-1]
    assert (name, last["state"], last["is_over"], last["error"]) == ("end", "done", True, "")
    wanted = {"found": 5, "done": 4, "failed": 1, "unchanged": 0, "skipped": 0, "points": 4}
    assert wanted.items() <= last["counts"].items()
    assert last["counts"]["total"] == last["counts"]["found"]
    assert last["options"] == {"exclude": ["*.txt"]}
    assert last["rates"]["encode"] > 0
    assert served.client.get(f"/v1/jobs/{job['id']}").json() == last
    hits = served.client.get("/v1/collections/default/search", params={"q": "red"}).json()["hits"]
    assert hits[0]["payload"]["name"] == "red.jpg"
    again = served.client.get(f"/v1/jobs/{job['id']}/events", headers={"Last-Event-ID": id_})
    assert (again.status_code, again.content) == (204, b"")
    assert ended(served.client, job["id"]) == last


def test_a_rerun_does_what_is_new_and_forgets_what_is_gone(served: Served, folder: Path) -> None:
    ended(served.client, submit(served.client, folder)["id"])
    (folder / "red.jpg").unlink()
    save_pictures(folder, 1, first=10)
    last = ended(served.client, submit(served.client, folder, prune=True)["id"])
    assert (last["counts"]["done"], last["counts"]["unchanged"]) == (1, 5)
    collection = served.installation.store.open("default")
    assert collection.count() == 4
    listed = served.client.get("/v1/jobs", params={"limit": 1}).json()
    assert [job["id"] for job in listed["jobs"]] == [2]
    older = served.client.get("/v1/jobs", params={"before": listed["next"]}).json()
    assert ([job["id"] for job in older["jobs"]], older["next"]) == ([1], None)
    other = served.client.get("/v1/jobs", params={"collection": "other"}).json()
    assert other["jobs"] == []


def test_what_looks_the_same_is_recorded(served: Served, folder: Path) -> None:
    large = picture(0).resize((640, 480))
    (folder / "large.jpg").write_bytes(encoded(large))
    ended(served.client, submit(served.client, folder)["id"])
    records = served.installation.store.open("default").scroll().records
    copies = [one.payload for one in records if "duplicate_of" in one.payload]
    assert [one["name"] for one in copies] == ["00000.jpg"]
    assert copies[0]["duplicate_of"] == (folder / "large.jpg").as_uri()


def test_failures_as_json_csv_and_json_lines(served: Served, folder: Path) -> None:
    (folder / "also, broken.jpg").write_bytes(b"")
    job = submit(served.client, folder)["id"]
    ended(served.client, job)
    url = f"/v1/jobs/{job}/failures"
    page = served.client.get(url, params={"limit": 1}).json()
    assert page["failures"][0]["reason"] == "the file is empty"
    rest = served.client.get(url, params={"after": page["next"]}).json()
    assert [one["asset"] for one in rest["failures"]] == [(folder / "broken.jpg").as_uri()]
    assert rest["next"] is None
    answer = served.client.get(url, params={"limit": 1}, headers={"Accept": "text/csv"})
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert row["asset"] == (folder / "also, broken.jpg").as_uri()
    following = answer.links["next"]["url"]
    answer = served.client.get(following, headers={"Accept": "application/x-ndjson"})
    assert [json.loads(line)["attempts"] for line in answer.text.splitlines()] == [1]
    skipped = served.client.get(url, params={"status": "skipped"}).json()["failures"]
    assert [one["asset"] for one in skipped] == [(folder / "notes.txt").as_uri()]


def test_searches_are_answered_while_a_job_runs_and_the_next_one_waits(
    served: Served, folder: Path, web: WebServer
) -> None:
    first = submit(served.client, folder, f"{web.url}/slow.jpg")["id"]
    assert served.client.head(f"/v1/jobs/{first}/events").status_code == 200  # and that is all
    second = submit(served.client, folder)["id"]
    reached(served.client, first, done=4)
    assert served.client.get(f"/v1/jobs/{first}").json()["state"] == "running"
    assert served.client.get(f"/v1/jobs/{second}").json()["state"] == "queued"
    answer = served.client.get("/v1/collections/default/search", params={"q": "red"})
    assert answer.json()["hits"][0]["payload"]["name"] == "red.jpg"
    web.held["/slow.jpg"].set()
    assert ended(served.client, first)["counts"]["done"] == 5
    last = ended(served.client, second)
    assert (last["state"], last["counts"]["unchanged"]) == ("done", 6)


def test_two_at_a_time(tmp_path: Path, folder: Path, web: WebServer) -> None:
    settings = {"roots": [folder], "fetch_hosts": HERE, "fetch_private_hosts": HERE}
    with serving(tmp_path / "data", max_jobs=2, **settings) as served:
        served.installation.create("default")
        slow = submit(served.client, f"{web.url}/slow.jpg")["id"]
        assert ended(served.client, submit(served.client, folder)["id"])["state"] == "done"
        assert served.client.get(f"/v1/jobs/{slow}").json()["state"] == "running"
        web.held["/slow.jpg"].set()
        assert ended(served.client, slow)["counts"]["done"] == 1


def test_a_full_queue_refuses(tmp_path: Path, folder: Path) -> None:
    with serving(tmp_path / "data", roots=[folder], max_jobs=0, max_queued_jobs=1) as served:
        served.installation.create("default")
        submit(served.client, folder)
        answer = served.client.post(JOBS, json={"sources": [str(folder)]})
        refused(answer, 429, "too-many-jobs")
        assert int(answer.headers["retry-after"]) > 0


def test_a_cancelled_job_stays_cancelled(served: Served, tmp_path: Path, folder: Path) -> None:
    count = 1 + linked(folder / "many", 3_000)
    job = submit(served.client, folder / "many")["id"]
    waiting = submit(served.client, folder)["id"]
    assert served.client.post(f"/v1/jobs/{waiting}/cancel").json()["state"] == "cancelled"
    reached(served.client, job, done=1)
    assert served.client.post(f"/v1/jobs/{job}/cancel").json()["is_over"]
    assert served.client.post(f"/v1/jobs/{job}/cancel").status_code == 200
    while any((tmp_path / "data" / "jobs").iterdir()):
        time.sleep(0.05)
    collection = served.installation.store.open("default")
    assert 0 < collection.count() == collection.ledger.points() < count
    done = submit(served.client, folder / "red.jpg")["id"]
    assert ended(served.client, done)["state"] == "done"
    refused(served.client.post(f"/v1/jobs/{done}/cancel"), 409, "job-is-over")
    states = [one["state"] for one in served.client.get("/v1/jobs").json()["jobs"]]
    assert states == ["done", "cancelled", "cancelled"]


def test_what_may_not_be_read_is_refused(served: Served, tmp_path: Path, folder: Path) -> None:
    private = tmp_path / "private"
    save_pictures(private, 1)
    (folder / "way out").symlink_to(private)

    def post(*sources: str, **options: object) -> httpx.Response:
        return served.client.post(JOBS, json={"sources": sources, **options})

    for outside in (
        *(str(private), private.as_uri(), "/", f"{folder}/../private", str(folder / "way out")),
        *(f"{folder}-2", "/no/such/place", str(tmp_path / "data")),
    ):
        refused(post(str(folder), outside), 403, "outside-roots")
    refused(post(str(folder / "nothing")), 422, "path-not-found")
    for name in (
        "photos",
        "",
        "~/photos",
        "file://elsewhere/photos",
        f"{folder}\0",
        "file:///a%00",
    ):
        assert post(name).status_code == 422, name
    for url in ("http://10.0.0.1/a.jpg", "http://user@127.0.0.1/", "s3://bucket/x", "local:///etc"):
        refused(post(url), 403, "not-allowed")
    assert post().status_code == post(*["/x"] * 101).status_code == 422
    assert post(str(folder), reason="x").status_code == 422
    assert post(str(folder), fetch_hosts=["*"]).status_code == 422
    refused(served.client.post("/v1/collections/x/jobs", json={"sources": [str(folder)]}), 404,
            "unknown-collection")  # fmt: skip
    for call in ("/v1/jobs/7", "/v1/jobs/7/events", "/v1/jobs/7/failures"):
        refused(served.client.get(call), 404, "unknown-job")
    refused(served.client.post("/v1/jobs/7/cancel"), 404, "unknown-job")
    refused(served.client.get(f"/v1/jobs/{2**63}"), 422, "invalid-request")


def test_links_and_manifests_do_not_lead_out_of_the_roots(
    served: Served, tmp_path: Path, folder: Path
) -> None:
    private = tmp_path / "private"
    (secret,) = save_pictures(private, 1)
    (private / "secret.txt").write_text("a secret")
    (folder / "way out").symlink_to(private)
    (folder / "00000.txt").symlink_to(private / "secret.txt")
    (folder / "round").symlink_to(folder / "round")
    last = ended(served.client, submit(served.client, folder, follow_symlinks=True)["id"])
    url = f"/v1/jobs/{last['id']}/failures"
    why = {one["asset"]: one["reason"] for one in served.client.get(url).json()["failures"]}
    for name in ("way%20out", "00000.jpg"):
        assert "outside the folders" in why[f"{folder.as_uri()}/{name}"]
    assert not any("way%20out/" in asset for asset in why)
    (folder / "list.csv").write_text(f"path\n{secret}\n../private/00000.jpg\nred.jpg\n")
    last = ended(served.client, submit(served.client, folder / "list.csv")["id"])
    assert (last["counts"]["failed"], last["counts"]["unchanged"]) == (2, 1)
    records = served.installation.store.open("default").scroll(limit=100).records
    assert not any("private" in one.asset or "text" in one.payload for one in records)


def test_a_source_that_is_no_good_fails_the_job_with_its_reason(
    served: Served, folder: Path, web: WebServer
) -> None:
    (folder / "bad.csv").write_text("colour\nred\n")
    last = ended(served.client, submit(served.client, folder / "bad.csv")["id"])
    assert (last["state"], last["is_over"]) == ("failed", True)
    assert "no column path, url or text" in last["error"]
    web.redirects["/away.csv"] = "http://169.254.169.254/latest"
    last = ended(served.client, submit(served.client, f"{web.url}/away.csv")["id"])
    assert last["state"] == "failed"
    assert "fetch_hosts" in last["error"]


def test_jobs_need_a_key_that_may_write(tmp_path: Path, folder: Path) -> None:
    with serving(tmp_path / "data", roots=[folder]) as served:
        served.installation.create("default")
        made = Keys([], tmp_path / "data")
        reader = {"Authorization": f"Bearer {made.add('reader', 'read')}"}
        writer = {"Authorization": f"Bearer {made.add('writer', 'write')}"}
        body = {"sources": [str(folder)]}
        refused(served.client.post(JOBS, json=body, headers=reader), 403, "key-may-not")
        job = served.client.post(JOBS, json=body, headers=writer).json()["id"]
        answer = served.client.post(f"/v1/jobs/{job}/cancel", headers=reader)
        refused(answer, 403, "key-may-not")
        assert served.client.get("/v1/jobs").status_code == 401
        *_, (name, _, last) = events(served.client, job, **reader)
        assert (name, last["state"]) == ("end", "done")


def test_a_job_survives_servers_that_are_killed_or_stopped(tmp_path: Path, folder: Path) -> None:
    count = 1 + linked(folder / "many", 4_000)
    data = tmp_path / "data"
    settings = {"encoder": "fake", "roots": json.dumps([str(folder)])}
    with process(data, settings) as first:
        assert first.client.post("/v1/collections", json={"name": "default"}).status_code == 201
        job = submit(first.client, folder / "many")["id"]
        reached(first.client, job, done=1)
        assert first.end(signal.SIGKILL) == -signal.SIGKILL
    assert [one.state for one in Journal(data).latest()] == ["interrupted"]
    with process(data, settings) as second:
        seen = events(second.client, job)
        while not next(seen)[2]["counts"]["unchanged"]:  # of this run, not of the first
            pass
        second.child.send_signal(signal.SIGTERM)
        assert "end" not in [name for name, _, _ in seen]  # the stream ends, the job does not
        assert second.child.wait(60) == 0
    (record,) = Journal(data).latest()
    assert (record.state, bool(record.counts["unchanged"])) == ("queued", True)
    with process(data, settings) as third:
        last = ended(third.client, job)
        assert last["state"] == "done"
        assert last["counts"]["done"] + last["counts"]["unchanged"] == count
        assert third.client.get("/v1/collections/default").json()["points"] == count
