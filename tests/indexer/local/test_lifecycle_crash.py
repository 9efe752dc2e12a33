"""Killed while it is compacted, copied or restored, a collection is as it was, and its copies."""

import copy
import os
import random
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from indexer import LocalStore
from tests.indexer.local.crash import Acknowledge, run_and_kill
from tests.indexer.local.points import SCHEMA as PLAIN
from tests.indexer.local.points import assert_holds, points
from tests.indexer.local.test_crash import FILE_BYTES, check
from tests.indexer.local.worker import NAME, generator, replay
from tests.indexer.model import Model, assert_same
from tests.indexer.operations import SCHEMA, Generator

COPY = "copy-"
ALIAS = "current"


class Keeper:
    """Edits a collection, and after each edit maintains it in a way that the number decides."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.snapshots = folder / "snapshots"
        self.seed = seed

    def work(self, operations: Generator, model: Model, done: int, told: Acknowledge) -> None:
        store = LocalStore(self.folder)
        collection = store.open(NAME)
        told(done)
        for number in count(done + 1):
            _, operation = operations.operation(model)
            operation(collection)
            told(number)
            operation(model)
            self.maintain(store, number)

    def maintain(self, store: LocalStore, number: int) -> None:
        kinds = ["compact", "snapshot", "restore", "alias"]
        chosen = random.Random(f"{self.seed} {number}").choice(kinds)
        known = sorted(self.snapshots.glob("*.tar"))
        if chosen == "compact":
            store.open(NAME).compact()
        elif chosen == "snapshot":
            store.open(NAME).snapshot(self.snapshots / f"{number:06}.tar")
            for old in known:
                old.unlink()
        elif chosen == "alias":
            for target in [*copies(store), NAME]:
                store.set_alias(ALIAS, target)
        elif known:
            for old_copy in copies(store):
                store.drop(old_copy)
            store.restore(known[-1], COPY + known[-1].stem)

    def check(self, history: dict[int, Model]) -> None:
        """Every copy, in a snapshot or restored, is a state that the collection had."""
        store = LocalStore(self.folder)
        for target in store.aliases().values():
            assert store.open(ALIAS).name == target
        for archive in self.snapshots.glob("*.tar"):
            store.restore(archive, "looked-at")
            assert_same(store.open("looked-at"), history[int(archive.stem)])
            store.drop("looked-at")
        for name in copies(store):
            assert_same(store.open(name), history[int(name.removeprefix(COPY))])
            store.drop(name)
        store.close()


def copies(store: LocalStore) -> list[str]:
    return [name for name in store.names() if name.startswith(COPY)]


def crash_repeatedly(folder: Path, seed: int, rounds: int) -> None:
    print(f"seed {seed}")
    moments = random.Random(seed)
    LocalStore(folder, file_bytes=FILE_BYTES).create(NAME, SCHEMA).close()
    keeper = Keeper(folder, seed)
    operations, model, done = generator(seed), Model(), 0
    history: dict[int, Model] = {}
    for _ in range(rounds):
        delay = moments.choice([0.03, 0.1, 0.3]) * moments.random()
        told = run_and_kill(partial(keeper.work, operations, model, done), delay)
        for number in range(done + 1, told + 1):
            replay(operations, model, 1)
            history[number] = copy.deepcopy(model)
            done = number
        state = operations.random.getstate()
        following = copy.deepcopy(model)
        replay(operations, following, 1)
        if check(folder, model, following):
            model, done = following, done + 1
            history[done] = copy.deepcopy(model)
        else:
            operations.random.setstate(state)
        keeper.check(history)
    assert done > 3, "the child never got anywhere"


@pytest.mark.parametrize("seed", [1, 2])
def test_kill_at_random_moments(tmp_path: Path, seed: int) -> None:
    crash_repeatedly(tmp_path, seed, rounds=12)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(200, 210))
def test_kill_at_many_random_moments(tmp_path: Path, seed: int) -> None:
    crash_repeatedly(tmp_path, seed, rounds=30)


def test_fifty_crashes_leave_the_disk_as_full_as_none(tmp_path: Path) -> None:
    seed = 7
    moments = random.Random(seed)
    store = LocalStore(tmp_path, file_bytes=FILE_BYTES)
    store.create("photos", PLAIN).upsert(points(range(3000)))
    cycle(store, 0)
    cycle(store, 1)
    before = used(tmp_path)
    store.close()

    def work(acknowledge: Acknowledge) -> None:
        opened = LocalStore(tmp_path)
        for number in count():
            acknowledge(number)
            cycle(opened, number)

    for _ in range(50):
        run_and_kill(work, 0.15 * moments.random())
    store = LocalStore(tmp_path)
    assert_holds(store.open("photos"), points(range(3000)))
    cycle(store, 0)
    cycle(store, 1)
    assert_holds(store.open("copy"), points(range(3000)))
    store.open("photos").verify()
    store.close()
    # Free pages of the databases come and go, by a tenth; what is left behind would add up.
    assert used(tmp_path) < 1.25 * before
    assert not list((tmp_path / "collections").glob(".*"))
    assert sorted(os.listdir(tmp_path / "snapshots")) == ["0.tar", "1.tar"]  # noqa: PTH208


def cycle(store: LocalStore, number: int) -> None:
    """Edit, compact, back up and restore."""
    collection = store.open("photos")
    collection.upsert(points(range(0, 3000, 5)))
    collection.compact()
    archive = store._folder.parent / "snapshots" / f"{number % 2}.tar"
    archive.unlink(missing_ok=True)
    collection.snapshot(archive)
    if "copy" in store.names():
        store.drop("copy")
    store.restore(archive, "copy")


def used(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
