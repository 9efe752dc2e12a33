"""Killed at any moment, a collection holds what was acknowledged: all of it, once, bit for bit."""

import copy
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from indexer import LocalStore
from tests.indexer.local import worker
from tests.indexer.model import Model, assert_same
from tests.indexer.operations import SCHEMA

FILE_BYTES = 40_000
"""A few hundred vectors, so that many crashes fall on the beginning of a file."""


def run_and_kill(folder: Path, seed: int, done: int, delay: float) -> int:
    """Edit for `delay` seconds, then kill -9; how many operations have been acknowledged."""
    command = [
        sys.executable,
        "-m",
        "tests.indexer.local.worker",
        str(folder),
        str(seed),
        str(done),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        time.sleep(delay)
        child.kill()
        acknowledged = child.stdout.read().split()
    assert child.returncode == -9, "the worker failed by itself"
    return int(acknowledged[-1]) if acknowledged else done


def check(folder: Path, before: Model, after: Model) -> bool:
    """Whether the collection stands at `after`; if not, it must stand at `before`."""
    store = LocalStore(folder)
    collection = store.open(worker.NAME)
    try:
        collection.verify()
        try:
            assert_same(collection, after)
            expected, applied = after, True
        except AssertionError:
            assert_same(collection, before)
            expected, applied = before, False
        query = np.ones(12, np.float32)
        hits = collection.search(query, vector="c", limit=10_000).hits
        assert {hit.id for hit in hits} == {
            k for k, v in expected.points.items() if "c" in v.vectors
        }
        assert len(hits) == len({hit.id for hit in hits})
    finally:
        store.close()
    return applied


def crash_repeatedly(folder: Path, seed: int, rounds: int) -> None:
    print(f"seed {seed}")
    moments = random.Random(seed)
    LocalStore(folder, file_bytes=FILE_BYTES).create(worker.NAME, SCHEMA).close()
    operations, model, done = worker.generator(seed), Model(), 0
    for _ in range(rounds):
        delay = moments.choice([0.02, 0.1, 0.4]) * moments.random()
        acknowledged = run_and_kill(folder, seed, done, delay)
        worker.replay(operations, model, acknowledged - done)
        state = operations.random.getstate()
        following = copy.deepcopy(model)
        worker.replay(operations, following, 1)
        if check(folder, model, following):
            model, done = following, acknowledged + 1
        else:
            operations.random.setstate(state)
            done = acknowledged
    assert done > rounds, "the worker never got anywhere"


@pytest.mark.parametrize("seed", [1, 2])
def test_kill_at_random_moments(tmp_path: Path, seed: int) -> None:
    crash_repeatedly(tmp_path, seed, rounds=10)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 110))
def test_kill_at_many_random_moments(tmp_path: Path, seed: int) -> None:
    crash_repeatedly(tmp_path, seed, rounds=22)
