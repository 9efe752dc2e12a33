"""Every raw file is synced before the commit that counts on it: seen from the system calls."""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.parts import require_part

WORK = """
import os, sys
from pathlib import Path
from indexer import LocalStore, Schema, Point, point_id
from tests.indexer.local.points import asset_write, point, points
collection = LocalStore(Path(sys.argv[1]), file_bytes=6000).create("photos", Schema({"default": 8}))
def acknowledge():
    os.write(1, b"acknowledged\\n")
for number in range(0, 60, 3):
    collection.upsert(points(range(number, number + 3)))
    acknowledge()
    collection.replace([asset_write("video", range(number % 9 + 1))])
    acknowledge()
    collection.set_payload([point(number).id], {"seen": True})
    acknowledge()
    collection.delete([point(number).id])
    acknowledge()
"""

CALL = re.compile(r"(?:\d+\s+)?(\w+)\((.*)\)\s+= (-?\d+)")


@dataclass
class Trace:
    """What the calls so far leave unsynced, and what was found wrong."""

    files: dict[int, str] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    dirty: set[str] = field(default_factory=set)
    unnamed: set[str] = field(default_factory=set)
    logged: bool = True
    commits: int = 0
    acknowledged: int = 0
    raw_syncs: int = 0
    faults: list[str] = field(default_factory=list)

    def read(self, line: str) -> None:
        call = CALL.match(line)
        if call is None or call[3].startswith("-"):
            return
        name, arguments, result = call[1], call[2], int(call[3])
        if name == "openat":
            self.opened(arguments, result)
        elif name in {"pwrite64", "write"}:
            self.wrote(self.files.get(int(arguments.split(",")[0]), ""), line)
        elif name in {"fsync", "fdatasync"}:
            self.synced(self.files.get(int(arguments), ""))

    def opened(self, arguments: str, descriptor: int) -> None:
        path = arguments.split('"')[1]
        if path.endswith(".f32") and "O_CREAT" in arguments and path not in self.seen:
            self.unnamed.add(path)
            self.seen.add(path)
        self.files[descriptor] = path

    def wrote(self, path: str, line: str) -> None:
        if path.endswith(".f32"):
            self.dirty.add(path)
        elif path.endswith("-wal"):
            self.logged = False
            if self.dirty or self.unnamed:
                self.faults.append(f"log written before {self.dirty | self.unnamed} was synced")
        elif '"acknowledged' in line:
            self.acknowledged += 1
            if not self.logged or self.dirty:
                self.faults.append("acknowledged before the log was synced")

    def synced(self, path: str) -> None:
        if path.endswith(".f32"):
            self.raw_syncs += path in self.dirty
            self.dirty.discard(path)
        elif path.endswith("-wal"):
            self.commits += not self.logged
            self.logged = True
        elif path.endswith("/vectors"):
            self.unnamed.clear()


def test_raw_files_are_synced_before_their_commits(tmp_path: Path) -> None:
    strace = shutil.which("strace")
    require_part(strace is not None, "strace")
    assert strace is not None
    log = tmp_path / "trace"
    calls = "trace=openat,pwrite64,write,fsync,fdatasync"
    command = [strace, "-f", "-e", calls, "-s", "16", "-o", str(log)]
    subprocess.run(
        [*command, sys.executable, "-c", WORK, str(tmp_path / "data")],
        check=True,
        capture_output=True,
        timeout=120,
    )
    trace = Trace()
    for line in log.read_text("utf-8", "replace").splitlines():
        trace.read(line)
    assert trace.faults == []
    assert trace.acknowledged == 80
    assert trace.commits >= 80
    assert trace.raw_syncs >= 40


def test_the_reader_of_traces_finds_a_missing_sync() -> None:
    trace = Trace()
    for line in [
        '7 openat(AT_FDCWD, "/d/vectors/c-000000.f32", O_RDWR|O_CREAT, 0666) = 3',
        '7 openat(AT_FDCWD, "/d/collection.db-wal", O_RDWR|O_CREAT, 0666) = 4',
        '7 pwrite64(3, "x", 1, 0) = 1',
        '7 pwrite64(4, "x", 1, 0) = 1',
        '7 write(1, "acknowledged\\n", 13) = 13',
    ]:
        trace.read(line)
    assert len(trace.faults) == 2
