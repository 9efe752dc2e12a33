import multiprocessing
import os
import sqlite3
import threading
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from encoders.fake import FakeEncoder
from indexer import LocalCollection
from indexer.installation import FILE
from ingestion import Journal, ingest, walk
from tests import media as make


def endless(folder: Path, ready: Event) -> None:
    with Journal(folder).begin("photos", ["file:///x"], {}, "fake"):
        ready.set()
        threading.Event().wait()


def test_a_job_is_told_from_its_beginning_to_its_end(
    tmp_path: Path, media: Path, encoder: FakeEncoder, collection: LocalCollection
) -> None:
    make.save_pictures(media, 3)
    (media / "broken.jpg").write_bytes(b"")
    journal = Journal(tmp_path)
    assert journal.latest() == []
    with journal.begin("photos", [media.as_uri()], {"force": True}, "fake") as job:
        (record,) = journal.latest()
        assert (record.id, record.state, record.counts) == (job.id, "running", {})
        for _ in job.noted(ingest(walk(media), encoder, collection)):
            pass
    record = journal.get(job.id) or pytest.fail("it is gone")
    assert (record.state, record.error, record.options) == ("done", "", {"force": True})
    assert record.sources == [media.as_uri()]
    assert (record.counts["done"], record.counts["failed"]) == (3, 1)
    assert record.updated >= record.started
    assert not list((tmp_path / "jobs").iterdir())


@pytest.mark.parametrize(
    ("error", "state", "words"),
    [(KeyboardInterrupt(), "stopped", ""), (OSError("disk"), "failed", "disk"),
     (ValueError("\udcff"), "failed", "\\udcff")],
)  # fmt: skip
def test_how_it_is_left_is_how_it_ends(
    error: BaseException, state: str, words: str, tmp_path: Path
) -> None:
    journal = Journal(tmp_path)
    with pytest.raises(type(error)), journal.begin("photos", [], {}, "fake"):
        raise error
    (record,) = journal.latest()
    assert (record.state, record.error) == (state, words)


def test_jobs_are_numbered_and_the_newest_is_first(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for name in ("a", "b", "c"):
        with journal.begin(name, [], {}, "fake"):
            pass
    assert [job.collection for job in journal.latest(2)] == ["c", "b"]
    assert [job.id for job in journal.latest()] == [3, 2, 1]
    assert journal.get(4) is None


def test_a_killed_job_is_interrupted(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    ready = context.Event()
    process = context.Process(target=endless, args=(tmp_path, ready))
    process.start()
    assert ready.wait(60)
    journal = Journal(tmp_path)
    assert [job.state for job in journal.latest()] == ["running"]
    process.kill()
    process.join()
    assert [job.state for job in journal.latest()] == ["interrupted"]
    with sqlite3.connect(tmp_path / FILE) as db:
        assert db.execute("SELECT state FROM job").fetchall() == [("interrupted",)]
    assert not os.listdir(tmp_path / "jobs")  # noqa: PTH208
