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
from ingestion import Cancelled, Journal, QueueFull, ingest, walk
from ingestion.journal import TABLE
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


def begun_and_killed(folder: Path) -> None:
    """A process that claims the next job and dies of it."""
    context = multiprocessing.get_context("forkserver")
    ready = context.Event()
    process = context.Process(target=claimed_forever, args=(folder, ready))
    process.start()
    assert ready.wait(60)
    process.kill()
    process.join()


def claimed_forever(folder: Path, ready: Event) -> None:
    with Journal(folder).claim() as job:
        assert job is not None
        ready.set()
        threading.Event().wait()


def submit(journal: Journal, name: str = "photos", most: int = 9) -> int:
    return journal.submit(name, ["file:///x"], {}, '{"what": 1}', most).id


def test_queued_jobs_are_claimed_once_and_in_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    first, second = submit(journal, "a"), submit(journal, "b")
    with pytest.raises(QueueFull, match="2 jobs are already waiting"):
        submit(journal, "c", most=2)
    with journal.claim() as one, Journal(tmp_path).claim() as other:
        assert one is not None
        assert other is not None
        assert (one.id, one.request, other.id) == (first, '{"what": 1}', second)
        with journal.claim() as none:
            assert none is None
        other.put_back()
    assert [job.state for job in journal.latest()] == ["queued", "done"]
    with journal.claim() as again:
        assert again is not None
        assert again.id == second


def test_a_cancelled_job_is_not_claimed_and_one_at_work_ends(
    tmp_path: Path, media: Path, encoder: FakeEncoder, collection: LocalCollection
) -> None:
    make.save_pictures(media, 2)
    journal = Journal(tmp_path)
    waiting, working = submit(journal), submit(journal)
    assert journal.cancel(waiting)
    with journal.claim() as job:
        assert job is not None
        assert job.id == working
        journal.cancel(working)
        with pytest.raises(Cancelled):
            list(job.noted(ingest(walk(media), encoder, collection)))
    assert [one.state for one in journal.latest()] == ["cancelled", "cancelled"]
    assert journal.cancel(3) is None


def test_a_job_that_processes_die_of_is_given_up(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    deadly, harmless = submit(journal), submit(journal)
    for _ in range(3):
        begun_and_killed(tmp_path)
    with journal.claim() as job:
        assert job is not None
        assert job.id == harmless
    given_up = journal.get(deadly) or pytest.fail("it is gone")
    assert (given_up.state, given_up.is_over) == ("failed", True)
    assert "died 3 times" in given_up.error


def test_a_journal_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute(TABLE)
        db.execute("INSERT INTO job VALUES (1, 'a', '[]', '{}', 'fake', 'done', 1, 2, '{}', '')")
    db.close()
    assert submit(Journal(tmp_path)) == 2
    assert [job.is_over for job in Journal(tmp_path).latest()] == [False, True]
