"""Ingestion killed at random moments: a rerun ends where an uninterrupted run would have."""

import multiprocessing
import random
import time
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from encoders.fake import FakeEncoder
from indexer import LocalCollection, LocalStore
from ingestion import IngestOptions, ingest, walk
from tests import media as make
from tests.ingestion.conftest import schema_of

OPTIONS = IngestOptions(batch_size=4, workers=2)
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
    return folder


@pytest.fixture(scope="module")
def server() -> ForkServerContext:
    """Starts children with everything imported, so that kills fall into the work."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.ingestion.test_crash", "av", "decord"])
    return context


@pytest.fixture(scope="module")
def reference(
    photos: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Stored, float]]:
    """What an uninterrupted run stores, and how many seconds it takes."""
    store = LocalStore(tmp_path_factory.mktemp("reference"))
    collection = store.create("photos", schema_of(FakeEncoder()))
    start = time.perf_counter()
    ingest_all(photos, collection)
    yield stored(collection), time.perf_counter() - start
    collection.close()


@pytest.mark.parametrize("seed", range(20))
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
        print(f"seed {seed}: {len(survivors)} of {len(expected)} points survived the kill")
        assert survivors.items() <= expected.items()
        assert {row.asset for row in collection.ledger.rows("done")} == {
            asset for asset, _, _ in survivors.values()
        }
        ingest_all(photos, collection)
        assert stored(collection) == expected
        assert collection.ledger.counts() == {"done": 61, "skipped": 0, "failed": 1}
    finally:
        collection.close()


@pytest.mark.parametrize("seed", range(100, 105))
def test_killed_while_replacing_what_changed(
    seed: int, tmp_path: Path, server: ForkServerContext
) -> None:
    photos, data = tmp_path / "photos", tmp_path / "data"
    paths = make.save_pictures(photos, 30)
    collection = LocalStore(data).create("photos", schema_of(FakeEncoder()))
    start = time.perf_counter()
    ingest_all(photos, collection)
    seconds = time.perf_counter() - start
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
    started = server.Event()
    process = server.Process(target=child, args=(media, data, started))
    process.start()
    assert started.wait(60)
    time.sleep(random.Random(seed).uniform(0, 1.2 * seconds))
    process.kill()
    process.join()
    process.close()
