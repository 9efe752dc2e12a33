"""The hostile corpus, whole: every file ends in the ledger, for a reason a person understands."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from encoders.fake import FakeEncoder
from indexer import LocalCollection, LocalStore, StorageError
from ingestion import IngestOptions, Item, ingest, walk
from ingestion.hashing import hash_file
from tests import hostile
from tests import media as make
from tests.disks import mounted_disk
from tests.ingestion.conftest import schema_of
from tests.ingestion.test_crew import CRASHES, Treacherous, processes_of, save_treacherous
from tests.ingestion.test_pipeline import run
from tests.users import unprivileged

CRASH = hostile.Expected("failed", "|".join(CRASHES.values()))
WORDS = re.compile(r"[^{}<>\x00-\x1f]*")  # no dumps, no terminal codes, no line breaks
MEGABYTES = 1 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MB."""
    with mounted_disk(tmp_path / "disk", "6m") as folder:
        yield folder


def test_every_file_of_the_corpus_ends_in_the_ledger_for_a_reason(
    media: Path, collection: LocalCollection
) -> None:
    expected = hostile.write(media)
    expected |= {media / f"{name}.png": CRASH for name in CRASHES}
    save_treacherous(media)
    (media / "blue.png").unlink()  # hangs, which is for a test of its own: nothing here is timed
    del expected[media / "blue.png"]
    options = IngestOptions(workers=2, window_bytes=64 * MEGABYTES)
    report, _ = run(media, Treacherous(), collection, options)
    assert report.found == len(expected)
    rows = {row.asset: row for row in collection.ledger.rows()}
    for path, wanted in expected.items():
        row = rows.pop(path.as_uri())
        assert re.fullmatch(wanted.statuses, row.status), (path, row)
        assert row.status == "done" or re.fullmatch(wanted.reason, row.reason), (path, row)
        assert WORDS.fullmatch(row.reason), (path, row)
        assert bool(row.reason) >= (row.status != "done"), (path, row)
        assert (row.points > 0) == (row.status == "done")
    assert not rows
    assert collection.count() == sum(row.points for row in collection.ledger.rows())
    peaks = [peak_memory(process) for process in processes_of(os.getpid())]
    assert max(peaks) < 1500 * MEGABYTES
    again, _ = run(media, Treacherous(), collection, options)
    assert (again.done, again.unchanged) == (0, report.found)


def test_links_are_followed_round_no_loop(media: Path, collection: LocalCollection) -> None:
    hostile.not_files(media / "links")
    make.save_pictures(media / "links", 3)
    *_, last = ingest(walk(media, follow_symlinks=True), FakeEncoder(), collection)
    assert last.report is not None
    assert (last.report.done, last.report.skipped) == (3, 0)
    reasons = {row.asset.rpartition("/")[2]: row.reason for row in collection.ledger.rows("failed")}
    assert reasons.keys() == {"self.jpg", "gone.jpg", "pipe.jpg", "endless.jpg"}
    assert "symbolic links" in reasons["self.jpg"]
    assert "No such file" in reasons["gone.jpg"]


def test_files_that_change_or_vanish_meanwhile(media: Path, collection: LocalCollection) -> None:
    paths = make.save_pictures(media, 40)

    def items() -> Iterator[Item]:
        """Each file as it is when it is listed; soon after it is another, or none."""
        for at, item in enumerate(walk(media)):
            yield item
            match at % 4:
                case 0:
                    item.path.unlink()
                case 1:
                    item.path.write_bytes(make.encoded(make.picture(1000 + at)))
                case 2:
                    item.path.write_bytes(item.path.read_bytes()[:500])

    *_, last = ingest(items(), FakeEncoder(), collection, IngestOptions(workers=2))
    assert last.report is not None
    assert last.report.found == last.report.done + last.report.failed == 40
    report, _ = run(media, FakeEncoder(), collection)  # what is there now, as it is now
    left = [path for at, path in enumerate(paths) if at % 4]
    rows = collection.ledger.get([path.as_uri() for path in left])
    assert [rows[path.as_uri()].status for path in left] == ["done", "failed", "done"] * 10
    assert report.found == 30
    stored = {record.asset: record for record in collection.scroll(limit=100).records}
    changed = [stored[path.as_uri()].payload["content_hash"] for path in left[::3]]
    assert changed == [hash_file(path) for path in left[::3]]


def test_a_full_disk_ends_the_job_and_a_rerun_goes_on(media: Path, disk: Path) -> None:
    make.save_pictures(media, 400)
    collection = LocalStore(disk).create("photos", schema_of(FakeEncoder()))
    (disk / "ballast").write_bytes(bytes(shutil.disk_usage(disk).free - 300_000))
    with pytest.raises(StorageError, match=r"[Nn]o space|full"):
        list(ingest(walk(media), FakeEncoder(), collection))
    before = collection.count()
    assert before == collection.ledger.counts()["done"] < 400
    (disk / "ballast").unlink()
    report, _ = run(media, FakeEncoder(), collection)
    assert report.done == 400 - before
    assert collection.count() == 400
    collection.close()


def test_decoders_may_read_no_more_than_their_user(
    media: Path, collection: LocalCollection
) -> None:
    for path in make.save_pictures(media, 4)[::2]:
        path.chmod(0)
    make.save_video(media / "v.mp4", make.frames(["red"])).chmod(0)
    with unprivileged():
        report, events = run(media, FakeEncoder(), collection)
    assert (report.done, report.failed) == (2, 3)
    assert {event.reason for event in events.values() if event.status == "failed"} == {
        "cannot be read: Permission denied"
    }


def peak_memory(process: int) -> int:
    """Bytes."""
    status = Path(f"/proc/{process}/status").read_text()
    found = re.search(r"VmHWM:\s*(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024
