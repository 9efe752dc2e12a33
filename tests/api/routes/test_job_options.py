"""Jobs that are only planned, that say how videos are cut, and that write captions."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api import captions
from ingestion import Journal
from tests.api.routes.test_jobs import JOBS, ended, submit
from tests.api.routes.test_search import refused
from tests.api.server import Served, serving
from tests.encoders.internvl.tiny import DATA, TINY
from tests.media import frames, save_pictures, save_video

IMAGES = sorted((DATA / "images").glob("*.png"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures, one that is none, and a film of 8 seconds."""
    folder = tmp_path / "photos"
    save_pictures(folder, 3)
    (folder / "broken.jpg").write_bytes(b"")
    save_video(folder / "film.mp4", frames(("red", "blue"), each=40), fps=10)
    return folder


@pytest.fixture
def served(tmp_path: Path, folder: Path) -> Iterator[Served]:
    with serving(tmp_path / "data", roots=[folder]) as served:
        served.installation.create("default")
        yield served


def plan(client: httpx.Client, *sources: Path, **options: object) -> dict[str, Any]:
    body = {"sources": [str(one) for one in sources], "dry_run": True, **options}
    answer = client.post(JOBS, json=body)
    assert answer.status_code == 200, answer.text
    planned: dict[str, Any] = answer.json()
    return planned


def points(served: Served, kind: str) -> list[dict[str, Any]]:
    """The payloads of the points of a kind."""
    records = served.installation.store.open("default").scroll(limit=100).records
    return [dict(one.payload) for one in records if one.payload["kind"] == kind]


def test_a_dry_run_answers_with_the_plan_and_does_nothing(served: Served, folder: Path) -> None:
    planned = plan(served.client, folder)
    size = sum(path.stat().st_size for path in folder.iterdir())
    counts = {"found": 5, "new": 4, "unusable": 1, "images": 3, "videos": 1, "bytes": size}
    assert counts.items() <= planned.items()
    assert planned["seconds"] > 0
    assert planned["reasons"] == {(folder / "broken.jpg").as_uri(): "the file is empty"}
    collection = served.installation.store.open("default")
    assert (collection.count(), list(collection.ledger.rows())) == (0, [])
    assert served.client.get("/v1/jobs").json()["jobs"] == []
    ended(served.client, submit(served.client, folder)["id"])
    again = {"new": 0, "unchanged": 4, "failed_before": 1, "bytes": 0, "seconds": None}
    assert again.items() <= plan(served.client, folder).items()
    assert plan(served.client, folder, force=True)["changed"] == 4
    assert plan(served.client, folder, video_frames=3)["changed"] == 1


def test_a_dry_run_of_what_is_no_source_says_why(served: Served, folder: Path) -> None:
    (folder / "bad.csv").write_text("colour\nred\n")
    body = {"sources": [str(folder / "bad.csv")], "dry_run": True}
    answer = served.client.post(JOBS, json=body)
    refused(answer, 422, "cannot-be-ingested")
    assert "no column path, url or text" in answer.json()["detail"]
    refused(served.client.post(JOBS, json=body | {"sources": ["/"]}), 403, "outside-roots")
    other = served.client.post("/v1/collections/x/jobs", json=body)
    refused(other, 404, "unknown-collection")


def test_options_of_videos_are_those_of_the_command(served: Served, folder: Path) -> None:
    ended(served.client, submit(served.client, folder)["id"])
    assert len(points(served, "segment")) == 2  # as the service is set
    options = {"video_segment_seconds": 2.0, "video_segment_frames": 2}
    last = ended(served.client, submit(served.client, folder, **options)["id"])
    assert (last["counts"]["done"], last["options"]) == (1, options)
    assert {one["end"] - one["start"] for one in points(served, "segment")} == {2.0}
    last = ended(served.client, submit(served.client, folder, **options, video_shots=False)["id"])
    assert last["counts"]["done"] == 0  # the same, in other words
    for name, value in (
        *(("video_frames", 0), ("video_frames", 1001), ("video_segment_frames", 0)),
        *(("video_segment_seconds", 0.01), ("video_keyframes", "perhaps"), ("video_fps", 3)),
    ):
        answer = served.client.post(JOBS, json={"sources": [str(folder)], name: value})
        refused(answer, 422, "invalid-request")
        assert name in answer.text


def test_captions_are_refused_where_the_encoder_writes_none(served: Served, folder: Path) -> None:
    for options in ({}, {"dry_run": True}):
        body = {"sources": [str(folder)], "captions": True, **options}
        answer = served.client.post(JOBS, json=body)
        refused(answer, 409, "no-captions")
        assert "fake, as it is loaded, cannot write captions" in answer.json()["detail"]
    assert served.client.get("/v1/jobs").json()["jobs"] == []


def test_what_was_asked_for_survives_the_server(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(8):
        shutil.copy(IMAGES[number % len(IMAGES)], folder / f"copy {number}.png")
    settings = {"encoder": str(TINY), "device": "cpu", "roots": [folder]}
    with serving(tmp_path / "data", max_jobs=0, **settings) as idle:
        idle.installation.create("default")
        submit(idle.client, folder, captions=True, video_segment_seconds=2.0)
    monkeypatch.setattr(captions, "BATCH", 1)
    with serving(tmp_path / "data", **settings) as first:
        while not any("caption" in one for one in points(first, "image")):
            time.sleep(0.02)
    (record,) = Journal(tmp_path / "data").latest()
    assert record.state == "queued"
    written = record.counts["captions"]
    assert 0 < written < 8 + 3 + 4
    with serving(tmp_path / "data", **settings) as second:
        last = ended(second.client, record.id)
        moments = points(second, "segment")
        assert all("caption" in one for one in [*points(second, "image"), *moments])
    assert (last["state"], len(moments)) == ("done", 4)
    assert last["counts"]["captions"] == 8 + 3 + 4 - written
    assert (last["counts"]["unchanged"], last["counts"]["uncaptioned"]) == (8 + 3 + 2, 0)
