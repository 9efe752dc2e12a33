"""The engine of a cluster does what the local one does."""

import os
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import ray

from encoders import EncoderMismatch, LoadOptions, UnknownEncoder
from encoders.fake import FakeEncoder
from indexer import Collection, LocalCollection, Schema
from ingestion import (
    FileEvent,
    IngestError,
    IngestOptions,
    Report,
    SourceOptions,
    ingest,
    open_source,
    walk,
)
from ingestion.cluster import open_fleet
from ingestion.cluster.fleet import Fleet
from ingestion.options import VideoOptions
from tests import media as make
from tests.indexer.qdrant.loopback import Loopback
from tests.ingestion.cluster.conftest import store_at
from tests.ingestion.test_archive import save_tar
from tests.ingestion.test_staging import save_long_video

OPTIONS = IngestOptions(
    batch_size=4,
    workers=1,
    video=VideoOptions(segment_seconds=0.5, segment_frames=2),
    needs=frozenset({"image", "text"}),
)


def fill(folder: Path) -> None:
    """Pictures, some of them twice, videos, a file that is none, and some that are no good."""
    paths = make.save_pictures(folder, 24)
    for path in paths[:4]:
        shutil.copy(path, folder / f"z{path.name}")
    (folder / "00003x.jpg").write_bytes(b"broken")
    (folder / "00004x.jpg").write_bytes(paths[4].read_bytes()[:300])
    (folder / "notes.txt").write_text("no picture")
    make.save_video(folder / "00010v.mp4", make.frames(["red", "lime"], each=30))
    save_long_video(folder / "00001w.mp4")


def stored(collection: Collection) -> dict[str, object]:
    records = collection.scroll(limit=10_000, with_vectors=["default"]).records
    assert len(records) == collection.count() == collection.ledger.points()
    return {
        str(record.id): (record.asset, record.payload, record.vectors["default"].tobytes())
        for record in records
    }


def rows(collection: Collection) -> dict[str, tuple[object, ...]]:
    """What the ledger says that does not depend on time, or on who was first."""
    return {
        row.asset: (row.status, row.content_hash, row.points, row.fingerprint, row.size)
        for row in collection.ledger.rows()
    }


def run(steps: Any) -> tuple[Report, set[FileEvent]]:  # noqa: ANN401
    """The report, and the events, whose order is not fixed."""
    seen = list(steps)
    assert seen[-1].final
    events = [step.event for step in seen if step.event]
    report: Report = seen[-1].report
    assert report.found == report.done + report.unchanged + report.skipped + report.failed
    assert len(events) == report.found - report.unchanged
    return report, set(events)


def counts(report: Report) -> tuple[int, ...]:
    return (
        report.found,
        report.done,
        report.unchanged,
        report.skipped,
        report.failed,
        report.failed_before,
        report.points,
        report.bytes,
    )


def test_it_stores_what_the_local_engine_stores(
    two: Fleet, remote: Collection, collection: LocalCollection, media: Path, tmp_path: Path
) -> None:
    fill(media)
    members = [(f"{at}.jpg", make.encoded(make.picture(100 + at))) for at in range(6)]
    shard = save_tar(tmp_path / "s.tar", [*members, ("5.txt", b"a red thing")])
    items = [*walk(media), *open_source(str(shard), SourceOptions(texts=True))]
    here, said_here = run(ingest(items, FakeEncoder(), collection, OPTIONS))
    there, said_there = run(two.ingest(items, remote, OPTIONS))
    assert counts(there) == counts(here)
    assert here.failed == 2
    assert here.skipped == 1
    assert {(e.asset, e.status, e.points) for e in said_there} == {
        (e.asset, e.status, e.points) for e in said_here
    }
    assert {e for e in said_there if e.status != "done"} == {
        e for e in said_here if e.status != "done"
    }
    assert stored(remote) == stored(collection)
    assert rows(remote) == rows(collection)
    assert min(there.rates.decode, there.rates.encode, there.rates.write) > 0
    # What changed, moved and was said anew, the same way.
    (media / "00005.jpg").write_bytes(make.encoded(make.picture(99)))
    (media / "00001w.mp4").rename(media / "moved.mp4")
    os.utime(media / "00006.jpg", ns=(1, 1))
    here, _ = run(ingest(walk(media), FakeEncoder(), collection, OPTIONS))
    there, said = run(two.ingest(walk(media), remote, OPTIONS))
    assert counts(there) == counts(here)
    assert there.done == 2
    assert any("same content as" in event.reason for event in said)
    assert stored(remote) == stored(collection)


def test_an_actor_dies_and_the_server_goes_away(
    two: Fleet, server: Loopback, remote: Collection, collection: LocalCollection, media: Path
) -> None:
    make.save_pictures(media, 80)
    save_long_video(media / "00020w.mp4")
    run(ingest(walk(media), FakeEncoder(), collection, OPTIONS))
    killed, waited = 0, ""
    for step in two.ingest(walk(media), remote, OPTIONS):
        if step.event and not killed:
            killed = kill_an_actor()
            server.always = "reset"
        if step.waiting:
            waited = step.waiting
            server.always = "none"
    assert killed
    assert server.url in waited
    assert (step.final, step.waiting) == (True, "")
    assert (step.done, step.failed) == (81, 0)
    assert stored(remote) == stored(collection)


def kill_an_actor() -> int:
    """One that encodes; its process id."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if command.startswith(b"ray::MapWorker(MapBatches(Worker))"):
            os.kill(int(folder.name), signal.SIGKILL)
            return int(folder.name)
    return 0


def test_a_job_is_stopped_and_taken_up_again_and_a_file_kills_its_decoder(
    two: Fleet, remote: Collection, media: Path
) -> None:
    make.save_pictures(media, 120)
    deadly = save_long_video(media / "z.mp4", (640, 480))
    steps = two.ingest(walk(media), remote, OPTIONS)
    assert any(step.event for step in steps)
    steps.close()
    assert remote.count() == remote.ledger.points() > 0
    with ThreadPoolExecutor() as pool:
        killed = pool.submit(kill_reader, deadly)
        report, events = run(two.ingest(walk(media), remote, OPTIONS))
    assert killed.result()
    assert report.unchanged > 0
    assert (report.failed, remote.count()) == (1, 120)
    assert [(event.asset, event.reason) for event in events if event.status == "failed"] == [
        (
            deadly.as_uri(),
            "the process decoding it was killed: it may take more memory than there is",
        )
    ]


def kill_reader(path: Path, seconds: float = 60) -> bool:
    """Kill the process that decodes a file, once there is one."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                is_decoder = b"ingestion.worker" in (folder / "cmdline").read_bytes()
                if is_decoder and any(fd.readlink() == path for fd in (folder / "fd").iterdir()):
                    os.kill(int(folder.name), signal.SIGKILL)
                    return True
        time.sleep(0.005)
    return False


def test_a_collection_in_local_files_is_refused(two: Fleet, collection: LocalCollection) -> None:
    with pytest.raises(IngestError, match="set qdrant_url"):
        two.ingest([], collection)


def test_a_collection_of_another_encoder_is_refused(
    two: Fleet, server: Loopback, tmp_path: Path
) -> None:

    server.reset()
    other = store_at(server, tmp_path / "x").create(
        "other", Schema({"default": 48}, "b", {"image": "1"})
    )
    with pytest.raises(EncoderMismatch):
        two.ingest([], other)


def test_an_encoder_that_cannot_be_loaded_is_told_as_it_is_here(two: Fleet) -> None:
    unknown = open_fleet("nope", LoadOptions())
    with pytest.raises(UnknownEncoder, match="no encoder is called 'nope'"), unknown:
        pass
    assert ray.is_initialized()
    assert two.info == FakeEncoder.info
