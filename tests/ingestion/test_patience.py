"""Other writers and a server that is away are waited for: nothing is lost, and it is said."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from encoders.fake import FakeEncoder
from indexer import BackendUnavailable, Collection, CollectionBusy
from indexer.qdrant.options import Patience as ServerPatience
from indexer.qdrant.store import QdrantStore
from ingestion import IngestOptions, Progress, ingest, walk
from ingestion.patience import BUSY_TRIES, Patience
from tests import media as make
from tests.indexer.qdrant.loopback import Fault, Loopback, loopback
from tests.ingestion.conftest import schema_of

IMPATIENT = ServerPatience(attempts=2, pause=0.001, longest_pause=0.01)


def failing(times: int, error: Exception) -> list[int]:
    """Call what fails so many times; returns how often it was tried."""
    tries: list[int] = []

    def call() -> None:
        tries.append(len(tries))
        if len(tries) <= times:
            raise error

    Patience(pause=0.001)(call)
    return tries


def test_a_busy_collection_is_tried_again() -> None:
    busy = CollectionBusy("held by another process")
    assert len(failing(0, busy)) == 1
    assert len(failing(BUSY_TRIES - 1, busy)) == BUSY_TRIES


def test_patience_with_other_writers_ends() -> None:
    with pytest.raises(CollectionBusy):
        failing(BUSY_TRIES, CollectionBusy("held by another process"))


def test_a_server_that_is_away_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    assert len(failing(5, BackendUnavailable("no answer"))) == 6
    assert [record.message for record in caplog.records] == [
        "waiting, nothing is lost: no answer",
        "the server answers again: going on",
    ]


@pytest.fixture(scope="module")
def server() -> Iterator[Loopback]:
    with loopback() as served:
        yield served


@pytest.fixture
def remote(server: Loopback, tmp_path: Path, encoder: FakeEncoder) -> Iterator[Collection]:
    server.reset()
    store = QdrantStore(server.url, tmp_path / "remote", patience=IMPATIENT)
    yield store.create("photos", schema_of(encoder))
    store.close()


def fill(folder: Path) -> None:
    """Pictures, some of them twice, and a video."""
    paths = make.save_pictures(folder, 20)
    for path in paths[:8]:
        shutil.copy(path, folder / f"z{path.name}")
    make.save_video(folder / "00010v.mp4", make.frames(["red", "lime"], each=30))


def stored(collection: Collection) -> dict[str, object]:
    records = collection.scroll(limit=10_000, with_vectors=["default"]).records
    return {
        str(record.id): (record.asset, record.payload, record.vectors["default"].tobytes())
        for record in records
    }


@pytest.mark.parametrize("fault", ["reset", "lost answer", "500"])
@pytest.mark.parametrize("seed", range(2))
def test_a_server_goes_away_while_files_are_ingested(
    server: Loopback,
    remote: Collection,
    collection: Collection,
    encoder: FakeEncoder,
    media: Path,
    fault: Fault,
    seed: int,
) -> None:
    fill(media)
    # One file at a time is decoded and the batches are small, so that there are many requests.
    options = IngestOptions(batch_size=2, workers=1)
    *_, last = ingest(walk(media), encoder, collection, options)
    assert last.report is not None
    good = random.Random(seed).randrange(4)
    server.faults.extend(["none"] * good)
    server.always = fault
    waited: list[Progress] = []
    for snapshot in ingest(walk(media), encoder, remote, options):
        if snapshot.waiting:
            waited.append(snapshot)
            server.always = "none"
    print(f"seed {seed}: away after {good} requests, {waited[0].done} files done then")
    assert server.url in waited[0].waiting
    assert (snapshot.final, snapshot.waiting, snapshot.done) == (True, "", last.done)
    assert stored(remote) == stored(collection)
    assert remote.ledger.counts() == collection.ledger.counts()


def test_a_job_that_waits_can_be_stopped(
    server: Loopback, remote: Collection, encoder: FakeEncoder, media: Path
) -> None:
    make.save_pictures(media, 5)
    server.always = "reset"
    snapshots = ingest(walk(media), encoder, remote)
    assert any(snapshot.waiting for snapshot in snapshots)
    snapshots.close()
    server.always = "none"
    assert remote.count() == 0
    *_, last = ingest(walk(media), encoder, remote)
    assert (last.done, remote.count()) == (5, 5)
