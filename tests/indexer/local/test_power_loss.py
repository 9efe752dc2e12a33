"""The power fails at any moment: what was acknowledged is there, bit for bit, on a disk that keeps
only what was synced and leaves garbage where it was written to since."""

import copy
import random
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from indexer import LocalStore
from tests.indexer.local import worker
from tests.indexer.local.power import Call, Disk, File, traced
from tests.indexer.local.test_crash import FILE_BYTES, check
from tests.indexer.model import Model, assert_same
from tests.indexer.operations import SCHEMA, Generator
from tests.parts import require_part

OPERATIONS = 45


@dataclass
class Work:
    """A collection as it was, the calls that then changed it, and what they should have made.

    `states` are the model before each operation and after the last.
    """

    before: Path
    folder: Path
    calls: list[Call]
    states: list[Model]


def record(root: Path, seed: int, compact: int) -> Work:
    folder, before = root / "live", root / "before"
    LocalStore(folder, file_bytes=FILE_BYTES).create(worker.NAME, SCHEMA).close()
    shutil.copytree(folder, before)
    module = "tests.indexer.local.worker"
    calls = traced(module, folder, seed, 0, OPERATIONS, compact, log=root / "trace")
    operations, model = worker.generator(seed), Model()
    states = [copy.deepcopy(model)]
    for _ in range(OPERATIONS):
        worker.replay(operations, model, 1)
        states.append(copy.deepcopy(model))
    return Work(before, folder, calls, states)


@pytest.fixture(scope="module", params=[1000, 4], ids=["edits", "edits and compactions"])
def work(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Work:
    """Edits, in one of the cases with a compaction after every fourth."""
    require_part(shutil.which("strace") is not None, "strace")
    return record(tmp_path_factory.mktemp("work"), seed=7, compact=request.param)


def disk_of(work: Work) -> Disk:
    """The disk before any of the calls."""
    disk = Disk(work.folder)
    disk.files = {
        str(work.folder / path.relative_to(work.before)): File(bytearray(path.read_bytes()))
        for path in work.before.rglob("*")
        if path.is_file()
    }
    return disk


def fail_at(work: Work, moment: int, target: Path, dice: random.Random) -> int:
    """Lose power after so many calls; how many operations had been acknowledged."""
    disk = disk_of(work)
    for call in work.calls[:moment]:
        disk.apply(call)
    disk.fail(target, dice)
    return int(disk.acknowledged[-1]) if len(disk.acknowledged) > 1 else 0


def survive(work: Work, folder: Path, seed: int) -> None:
    dice = random.Random(seed)
    moment = dice.randrange(len(work.calls))
    done = fail_at(work, moment, folder, dice)
    print(f"seed {seed}: after call {moment} of {len(work.calls)}, {done} operations acknowledged")
    following = work.states[min(done + 1, OPERATIONS)]
    applied = check(folder, work.states[done], following)
    go_on(folder, copy.deepcopy(following if applied else work.states[done]), seed)


def go_on(folder: Path, model: Model, seed: int) -> None:
    """The collection can be written to, over whatever the failure left."""
    store, operations = LocalStore(folder), Generator(seed, batch=60)
    collection = store.open(worker.NAME)
    for _ in range(3):
        _, operation = operations.operation(model)
        assert operation(collection) == operation(model)
    assert_same(collection, model)
    collection.verify()
    store.close()


@pytest.mark.parametrize("seed", range(12))
def test_the_power_fails(work: Work, tmp_path: Path, seed: int) -> None:
    survive(work, tmp_path / "found", seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1000, 1010))
def test_the_power_fails_many_times(tmp_path: Path, seed: int) -> None:
    require_part(shutil.which("strace") is not None, "strace")
    work = record(tmp_path, seed, compact=1000 if seed % 2 else 4)
    for number in range(30):
        survive(work, tmp_path / f"found{number}", seed * 100 + number)
        shutil.rmtree(tmp_path / f"found{number}")


def test_the_replay_of_all_calls_is_what_the_process_left(work: Work) -> None:
    disk = disk_of(work)
    for call in work.calls:
        disk.apply(call)
    assert [int(number) for number in disk.acknowledged[1:]] == list(range(1, OPERATIONS + 1))
    found = {name: bytes(file.seen()) for name, file in disk.files.items() if not file.removed}
    live = {
        str(path): path.read_bytes()
        for path in work.folder.rglob("*")
        if path.is_file() and path.name != "lock" and not path.name.endswith("-shm")
    }
    assert {name: found[name] for name in live} == live


def test_a_write_without_a_sync_would_be_found(work: Work, tmp_path: Path) -> None:
    """The proof can fail: with the syncs of raw files left out, some moments lose points."""
    unsafe = Work(
        work.before,
        work.folder,
        [call for call in work.calls if "sync" not in call.name or ".f32" not in call.path],
        work.states,
    )
    lost = 0
    for seed in range(10):
        try:
            survive(unsafe, tmp_path / str(seed), seed)
        except Exception:  # noqa: BLE001 - whatever the damage looks like
            lost += 1
    assert lost >= 5
