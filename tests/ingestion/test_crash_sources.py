"""Manifests and shards killed at random moments; a rerun ends where one whole run would have."""

import multiprocessing
import random
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from encoders.fake import FakeEncoder
from indexer import LocalCollection, LocalStore
from ingestion import IngestOptions, Journal, SourceOptions, ingest, open_source
from tests import media as make
from tests.ingestion.conftest import schema_of
from tests.ingestion.test_archive import jpeg, save_tar
from tests.ingestion.test_crash import Stored, stored

NAMES = ("m.csv", "s.tar")
COUNT = 40


@pytest.fixture(scope="module")
def server() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.ingestion.test_crash_sources", "ingestion.pipeline"])
    return context


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest and a shard of pictures, captions and texts, each with something broken."""
    made = tmp_path_factory.mktemp("sources")
    make.save_pictures(made / "a", COUNT)
    rows = [f"a/{at:05}.jpg,id{at},a red caption {at},{at % 7}" for at in range(COUNT)]
    lines = [*rows, ",words,blue words alone,", "a/none.jpg,x,,", "ragged"]
    (made / "m.csv").write_text("\n".join(["path,id,text,class", *lines]))
    pairs = ((f"{at:05}", jpeg(1000 + at), b"a green caption") for at in range(COUNT))
    members = [
        (f"{k}.{s}", data)
        for k, image, text in pairs
        for s, data in (("jpg", image), ("txt", text))
    ]
    save_tar(made / "s.tar", [*members, ("broken.jpg", b"broken")])
    return made


def ingest_source(path: Path, collection: LocalCollection, data: Path) -> None:
    tempfile.tempdir = str(data)  # whoever is killed leaves things there
    source = open_source(str(path), SourceOptions(texts=True))
    options = IngestOptions(batch_size=4, workers=2, needs=source.needs)
    with Journal(data).begin("photos", [source.uri], {}, "fake") as job:
        for _ in job.noted(ingest(source, FakeEncoder(), collection, options)):
            pass
    tempfile.tempdir = None


def child(path: Path, data: Path, started: Event) -> None:
    collection = LocalStore(data).open("photos")
    started.set()
    ingest_source(path, collection, data)


@pytest.fixture(scope="module", params=NAMES)
def reference(
    request: pytest.FixtureRequest, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, Stored]]:
    """A source, and what an uninterrupted run of it stores."""
    data, path = tmp_path_factory.mktemp("reference"), folder / request.param
    collection = LocalStore(data).create("photos", schema_of(FakeEncoder()))
    ingest_source(path, collection, data)
    yield path, stored(collection)
    collection.close()


@pytest.mark.parametrize(
    "seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(3, 40))]
)
def test_killed_at_a_random_moment(
    seed: int, tmp_path: Path, server: ForkServerContext, reference: tuple[Path, Stored]
) -> None:
    path, expected = reference
    collection = LocalStore(tmp_path).create("photos", schema_of(FakeEncoder()))
    started = server.Event()
    process = server.Process(target=child, args=(path, tmp_path, started))
    process.start()
    assert started.wait(60)
    chance = random.Random(seed)
    wanted = chance.uniform(0, len(expected) - 1)
    while collection.count() < wanted and process.is_alive():
        time.sleep(0.001)
    time.sleep(chance.uniform(0, 0.02))
    process.kill()
    process.join()
    states = [job.state for job in Journal(tmp_path).latest()]
    assert states in ([], ["interrupted"], ["done"])
    try:
        survivors = stored(collection)
        print(f"seed {seed}: {len(survivors)} of {len(expected)} points survived, job {states}")
        assert survivors.items() <= expected.items()
        assert collection.count() == collection.ledger.points()
        ingest_source(path, collection, tmp_path)
        assert stored(collection) == expected
        assert collection.count() == collection.ledger.points()
        assert [job.state for job in Journal(tmp_path).latest(1)] == ["done"]
        assert not list(tmp_path.glob("polylens-*"))
    finally:
        collection.close()
