"""Ingestion killed at random moments: a rerun ends where an uninterrupted run would have."""

import multiprocessing
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from encoders.fake import FakeEncoder
from indexer import LocalCollection, LocalStore
from ingestion import IngestOptions, VideoOptions, ingest, walk
from tests import media as make
from tests.ingestion.conftest import schema_of
from tests.ingestion.test_staging import save_long_video

OPTIONS = IngestOptions(
    batch_size=4, workers=2, video=VideoOptions(segment_seconds=0.5, segment_frames=2)
)
Stored = dict[str, tuple[str, dict[str, object], bytes]]


def ingest_all(media: Path, collection: LocalCollection) -> None:
    *_, last = ingest(walk(media), FakeEncoder(), collection, OPTIONS)
    assert last.final


def child(media: Path, data: Path, started: Event) -> None:
    collection = LocalStore(data).open("photos")
    started.set()
    ingest_all(media, collection)


def stored(collection: LocalCollection) -> Stored:
    """Every point: its asset, payload, and the bits of its vector."""
    records = collection.scroll(limit=10_000, with_vectors=["default"]).records
    assert len({record.id for record in records}) == len(records) == collection.count()
    return {
        str(record.id): (record.asset, record.payload, record.vectors["default"].tobytes())
        for record in records
    }


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    make.save_pictures(folder, 60)
    (folder / "00030x.jpg").write_bytes(b"broken")
    make.save_video(folder / "00020v.mp4", make.frames(["red", "lime", "blue"], each=60))
    save_long_video(folder / "00001w.mp4")
    save_long_video(folder / "00002w.ts")
    return folder


def assets_of(photos: Path) -> list[str]:
    return [path.as_uri() for path in photos.iterdir()]


@pytest.fixture(scope="module")
def server() -> ForkServerContext:
    """Starts children with everything imported, so that kills fall into the work."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.ingestion.test_crash", "ingestion.pipeline"])
    return context


@pytest.fixture(scope="module")
def reference(
    photos: Path, tmp_path_factory: pytest.TempPathFactory, server: ForkServerContext
) -> Iterator[tuple[Stored, float]]:
    """What an uninterrupted run stores, and how many seconds it takes."""
    folder = tmp_path_factory.mktemp("reference")
    LocalStore(folder).create("photos", schema_of(FakeEncoder())).close()
    seconds = time_child(server, photos, folder)
    collection = LocalStore(folder).open("photos")
    yield stored(collection), seconds
    collection.close()


@pytest.mark.parametrize(
    "seed", [*range(10), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(10, 100))]
)
def test_killed_at_a_random_moment(
    seed: int,
    photos: Path,
    tmp_path: Path,
    server: ForkServerContext,
    reference: tuple[Stored, float],
) -> None:
    expected, seconds = reference
    LocalStore(tmp_path).create("photos", schema_of(FakeEncoder())).close()
    kill_at_random(server, photos, tmp_path, seed, seconds)
    collection = LocalStore(tmp_path).open("photos")
    try:
        survivors = stored(collection)
        staged = sum(len(collection.staged(asset)) for asset in assets_of(photos))
        print(f"seed {seed}: {len(survivors)} of {len(expected)} points survived, {staged} staged")
        assert survivors.items() <= expected.items()
        assert {row.asset for row in collection.ledger.rows("done")} == {
            asset for asset, _, _ in survivors.values()
        }
        ingest_all(photos, collection)
        assert stored(collection) == expected
        assert collection.ledger.counts() == {"done": 63, "skipped": 0, "failed": 1}
        assert not any(collection.staged(asset) for asset in assets_of(photos))
    finally:
        collection.close()


@pytest.mark.parametrize("seed", range(100, 105))
def test_killed_while_replacing_what_changed(
    seed: int, tmp_path: Path, server: ForkServerContext
) -> None:
    photos, data = tmp_path / "photos", tmp_path / "data"
    paths = make.save_pictures(photos, 30)
    LocalStore(data).create("photos", schema_of(FakeEncoder())).close()
    seconds = time_child(server, photos, data)
    collection = LocalStore(data).open("photos")
    before = stored(collection)
    collection.close()
    for path in paths:
        path.write_bytes(make.encoded(make.picture(seed + int(path.stem))))
    kill_at_random(server, photos, data, seed, seconds)
    collection = LocalStore(data).open("photos")
    try:
        survivors = stored(collection)
        ingest_all(photos, collection)
        after = stored(collection)
    finally:
        collection.close()
    replaced = sum(survivors[id_] == after[id_] for id_ in survivors)
    print(f"seed {seed}: {replaced} of {len(after)} points were replaced before the kill")
    assert before.keys() == survivors.keys() == after.keys()
    assert all(survivors[id_] in (before[id_], after[id_]) for id_ in survivors)
    assert all(before[id_] != after[id_] for id_ in before)


def kill_at_random(
    server: ForkServerContext, media: Path, data: Path, seed: int, seconds: float
) -> None:
    """Kill a child that ingests at some moment of the `seconds` it takes, or shortly after."""
    with started_child(server, media, data) as process:
        time.sleep(random.Random(seed).uniform(0, 1.2 * seconds))
        process.kill()


def time_child(server: ForkServerContext, media: Path, data: Path) -> float:
    """The seconds that a child takes to ingest everything."""
    with started_child(server, media, data) as process:
        start = time.perf_counter()
        process.join()
        return time.perf_counter() - start


@contextmanager
def started_child(server: ForkServerContext, media: Path, data: Path) -> Iterator[BaseProcess]:
    started = server.Event()
    process = server.Process(target=child, args=(media, data, started))
    process.start()
    assert started.wait(60)
    yield process
    process.join()
    process.close()
