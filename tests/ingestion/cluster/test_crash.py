"""A driver killed at random moments: a rerun ends where an uninterrupted run would have."""

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from encoders.fake import FakeEncoder
from indexer import Collection, LocalCollection
from ingestion import ingest, walk
from ingestion.cluster.fleet import Fleet
from tests import media as make
from tests.indexer.qdrant.loopback import Loopback
from tests.ingestion.cluster.conftest import store_at
from tests.ingestion.cluster.driver import OPTIONS
from tests.ingestion.cluster.test_engine import rows, run, stored
from tests.ingestion.conftest import schema_of
from tests.ingestion.test_staging import save_long_video

COUNT = 64  # files


def fill(folder: Path) -> None:
    make.save_pictures(folder, COUNT - 4)
    (folder / "00030x.jpg").write_bytes(b"broken")
    make.save_video(folder / "00020v.mp4", make.frames(["red", "lime", "blue"], each=60))
    save_long_video(folder / "00001w.mp4")
    save_long_video(folder / "00002w.ts")


def kill_at_random(seed: int, arguments: list[str]) -> int:
    """Kill a driver between two of the files, or before or after all; how many it told of."""
    chance = random.Random(seed)
    command = [sys.executable, "-m", "tests.ingestion.cluster.driver", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "started\n"
        told = chance.randrange(COUNT)
        for _ in range(told):
            process.stdout.readline()
        time.sleep(chance.uniform(0, 0.1))
        process.kill()
    return told


@pytest.mark.parametrize(
    "seed", [2, *(pytest.param(seed, marks=pytest.mark.long) for seed in (1, 3, 4, 5))]
)
def test_killed_at_a_random_moment(
    seed: int,
    two: Fleet,
    address: str,
    server: Loopback,
    collection: LocalCollection,
    media: Path,
    tmp_path: Path,
) -> None:
    fill(media)
    run(ingest(walk(media), FakeEncoder(), collection, OPTIONS))
    server.reset()
    data = tmp_path / "remote"
    store_at(server, data).create("photos", schema_of(FakeEncoder())).ledger.counts()
    told = kill_at_random(seed, [address, server.url, str(data), str(media)])
    store = store_at(server, data)
    remote: Collection = store.open("photos")
    survivors = remote.ledger.counts()
    print(f"seed {seed}: killed after {told} of {COUNT} files; ledger: {survivors}")
    run(two.ingest(walk(media), remote, OPTIONS))
    assert stored(remote) == stored(collection)
    assert rows(remote) == rows(collection)
    store.close()


@pytest.mark.long
def test_a_file_that_kills_its_encoder_every_time_fails_alone(
    two: Fleet, address: str, server: Loopback, media: Path, tmp_path: Path
) -> None:
    make.save_pictures(media, 40)
    deadly = media / "00020x.png"
    deadly.write_bytes(make.encoded(make.plain("white"), "PNG"))
    server.reset()
    with closing(store_at(server, tmp_path / "remote")) as store:
        collection = store.create("photos", schema_of(FakeEncoder()))
        arguments = [address, server.url, str(tmp_path / "remote"), str(media)]
        command = [sys.executable, "-m", "tests.ingestion.cluster.deadly", *arguments]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert ran.returncode == 0, ran.stderr
        report = json.loads(ran.stdout)
        assert (report["found"], report["done"], report["failed"]) == (41, 40, 1)
        assert report["events"] == 41  # what was told before an actor died is told once
        (row,) = collection.ledger.rows("failed")
        assert row.asset == deadly.as_uri()
        assert "what encodes it died of it 2 times" in row.reason
        assert collection.count() == collection.ledger.points() == 40
        # It is left alone by the next run, until it changes.
        report, _ = run(two.ingest(walk(media), collection, OPTIONS))
        assert (report.unchanged, report.failed_before) == (41, 1)


@pytest.mark.long
def test_what_a_lost_machine_held_is_done_by_the_other(
    server: Loopback, media: Path, tmp_path: Path
) -> None:
    make.save_pictures(media, 200)
    server.reset()
    with closing(store_at(server, tmp_path / "remote")) as store, two_machines() as machines:
        assert machines.stdin
        assert machines.stdout
        collection = store.create("photos", schema_of(FakeEncoder()))
        address = machines.stdout.readline().strip()
        arguments = [address, server.url, str(tmp_path / "remote"), str(media)]
        command = [sys.executable, "-m", "tests.ingestion.cluster.driver", *arguments]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            told = [next(process.stdout) for _ in range(20)]
            machines.stdin.write("lose\n")
            machines.stdin.flush()
            told += process.stdout
        assert process.returncode == 0
        assert len(set(told)) == len(told) == 201  # each file once, and that it started
        assert len(stored(collection)) == 200
        assert {status for status, *_ in rows(collection).values()} == {"done"}


@contextmanager
def two_machines() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.ingestion.cluster.machines"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        yield process
        process.communicate(timeout=60)
