"""Killed while it seals, a collection loses nothing, answers right, and leaves no files behind."""

import copy
import random
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from indexer import IndexOptions, LocalStore
from tests.indexer.local.crash import Acknowledge, run_and_kill
from tests.indexer.local.test_crash import check
from tests.indexer.local.worker import NAME, generator, replay
from tests.indexer.model import Model
from tests.indexer.operations import SCHEMA, Generator

OPTIONS = IndexOptions(vectors=("c", "g"), tail_rows=20, gather_rows=0, threads=1)


def work(
    folder: Path, operations: Generator, model: Model, done: int, acknowledge: Acknowledge
) -> None:
    """Edit and seal, here and in the background, and now and then compact."""
    collection = LocalStore(folder, index=OPTIONS).open(NAME)
    for number in count(done + 1):
        _, operation = operations.operation(model)
        operation(collection)
        acknowledge(number)
        operation(model)
        if number % 2:
            collection.seal()
        if number % 7 == 0:
            collection.compact()


def check_segments(folder: Path, seed: int) -> None:
    """What is sealed answers as the scan does; after sealing, only files with records are left."""
    store = LocalStore(folder, index=OPTIONS)
    collection = store.open(NAME)
    queries = generator(seed)
    for sealed in (False, True):
        for name, dim in SCHEMA.vectors.items():
            query = queries.vector(dim)
            found = collection.search(query, vector=name).hits
            exact = collection.search(query, vector=name, effort=1).hits
            assert [hit.score for hit in found] == [hit.score for hit in exact]
        if not sealed:
            collection.seal()
    segments = [segment for index in collection.index_info() for segment in index.segments]
    assert all(segment.usable for segment in segments)
    kept = folder / "collections" / NAME / "segments"
    assert len(list(kept.iterdir())) == len(segments)
    store.close()


def crash_repeatedly(folder: Path, seed: int, rounds: int) -> None:
    print(f"seed {seed}")
    moments = random.Random(seed)
    LocalStore(folder, file_bytes=40_000).create(NAME, SCHEMA).close()
    operations, model, done = generator(seed), Model(), 0
    for number in range(rounds):
        delay = moments.choice([0.05, 0.2, 0.5]) * moments.random()
        told = run_and_kill(partial(work, folder, operations, model, done), delay) or done
        replay(operations, model, told - done)
        state = operations.random.getstate()
        following = copy.deepcopy(model)
        replay(operations, following, 1)
        if check(folder, model, following):
            model, done = following, told + 1
        else:
            operations.random.setstate(state)
            done = told
        check_segments(folder, seed + number)
    assert done > rounds / 4, "the worker never got anywhere"


@pytest.mark.parametrize("seed", [1, 2])
def test_kill_while_sealing(tmp_path: Path, seed: int) -> None:
    crash_repeatedly(tmp_path, seed, rounds=10)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 104))
def test_kill_while_sealing_many_times(tmp_path: Path, seed: int) -> None:
    crash_repeatedly(tmp_path, seed, rounds=55)
