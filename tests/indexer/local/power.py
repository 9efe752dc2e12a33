"""What a disk may hold when the power fails, replayed from the system calls of a process.

What was synced is there. Of what was written after the last sync of its file, each sector may be as
before, as written, or garbage, and the file may have any length in between. A name is durable once
its folder was synced: before that, a new file may be missing and a removed one back.
"""

import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

SECTOR = 512
CALLS = (
    "openat,creat,pwrite64,write,writev,pwritev,fsync,fdatasync,ftruncate,fallocate,"
    "rename,renameat,renameat2,unlink,unlinkat,mkdir"
)
LINE = re.compile(r"\d+ +(\w+)\((?:AT_FDCWD<[^>]*>, )?(?:(\d+)<([^>]*)>)?(.*)\) += (\d+)")
TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


@dataclass(frozen=True)
class Call:
    """A system call that succeeded: on the file `path`, of `data` or up to `number`."""

    name: str
    path: str
    descriptor: int
    data: bytes
    number: int
    creates: bool


@dataclass
class File:
    """`writes` are (offset, bytes), or the length that the file was cut to, since the last sync."""

    synced: bytearray
    writes: list[tuple[int, bytes] | int] = field(default_factory=list)
    named: bool = True
    removed: bool = False

    def sync(self) -> None:
        self.synced, self.writes = self.seen(), []

    def seen(self) -> bytearray:
        """What a reader sees while there is power."""
        content = bytearray(self.synced)
        for write in self.writes:
            if isinstance(write, int):
                content[write:] = bytes(max(0, write - len(content)))
            else:
                offset, data = write
                content.extend(bytes(max(0, offset - len(content))))
                content[offset : offset + len(data)] = data
        return content

    def left(self, dice: random.Random) -> bytes:
        """What is found when the power is back.

        A cut happens whole or not at all, and what came after it only after it: file systems keep
        the length of a file in one place, and the order of its changes.
        """
        content, sure = bytearray(self.synced), len(self.synced)
        for write in self.writes:
            if not isinstance(write, int):
                _write_some(content, *write, dice)
            elif dice.random() < 0.5:
                break
            else:
                content = content[:write].ljust(write, b"\0")
                sure = min(sure, write)
        return bytes(content[: dice.randint(sure, len(content))])


def _write_some(content: bytearray, offset: int, data: bytes, dice: random.Random) -> None:
    content.extend(bytes(max(0, offset + len(data) - len(content))))
    for start in range(0, len(data), SECTOR):
        sector = data[start : start + SECTOR]
        fate = dice.choice(["lost", "written", "written", "garbage"])
        if fate != "lost":
            found = sector if fate == "written" else dice.randbytes(len(sector))
            content[offset + start : offset + start + len(sector)] = found


class Disk:
    """The files below a folder, by their paths, and what has been acknowledged on descriptor 1."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.acknowledged: list[bytes] = []
        self.files = {
            str(path): File(bytearray(path.read_bytes()))
            for path in folder.rglob("*")
            if path.is_file()
        }

    def apply(self, call: Call) -> None:
        if call.name == "write" and call.descriptor == 1:
            self.acknowledged += call.data.split()
        elif not call.path.startswith(str(self.folder)) or call.path.endswith("-shm"):
            return
        elif call.name == "openat":
            self._open(call)
        elif call.name in {"write", "pwrite64"}:
            offset = call.number if call.name == "pwrite64" else 0
            self.files[call.path].writes.append((offset, call.data))
        elif call.name == "ftruncate":
            self.files[call.path].writes.append(call.number)
        elif call.name in {"fsync", "fdatasync"}:
            self._sync(call.path)
        elif call.name == "unlink":
            self.files[call.path].removed = True
        else:
            raise AssertionError(f"this disk knows no {call.name}")

    def fail(self, target: Path, dice: random.Random) -> None:
        """Copy the folder as it is found after a power failure; a log's shared memory is noise."""
        for path in self.folder.rglob("*"):
            if path.is_dir():
                (target / path.relative_to(self.folder)).mkdir(parents=True, exist_ok=True)
        for name, file in self.files.items():
            if (file.named and not file.removed) or dice.random() < 0.5:
                (target / Path(name).relative_to(self.folder)).write_bytes(file.left(dice))
        for log in target.rglob("*-wal"):
            log.with_name(log.name.removesuffix("wal") + "shm").write_bytes(dice.randbytes(32768))

    def _open(self, call: Call) -> None:
        file = self.files.get(call.path)
        if call.creates and (file is None or file.removed):
            self.files[call.path] = File(bytearray(), named=False)

    def _sync(self, path: str) -> None:
        if path in self.files:
            self.files[path].sync()
            return
        for name, file in list(self.files.items()):
            if name.rpartition("/")[0] == path:
                file.named = True
                if file.removed:
                    del self.files[name]


def traced(module: str, *arguments: object, log: Path) -> list[Call]:
    """Run a module of ours to its end; the calls it made."""
    strace = shutil.which("strace")
    assert strace
    command = [strace, "-f", "-y", "-xx", "-s", "100000000", "-e", f"trace={CALLS}", "-o", str(log)]
    command += [sys.executable, "-m", module, *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return list(_calls(log.read_text("ascii").splitlines()))


def _calls(lines: Iterable[str]) -> Iterator[Call]:
    for line in lines:
        assert "unfinished" not in line, "two threads wrote at once"
        found = LINE.match(line)
        if found is None:
            continue
        name, descriptor, path, rest, result = found.groups()
        texts = [_plain(text) for text in TEXT.findall(rest)]
        if path is None:
            path, texts = texts[0], texts[1:]
        else:
            path = _plain(path)
        data = texts[0] if texts else b""
        numbers = [int(part) for part in rest.split(", ") if part.strip().isdigit()]
        is_cut = name == "pwrite64" or name == "ftruncate"
        yield Call(
            name,
            path.decode("utf-8", "replace"),
            int(descriptor or -1),
            data[: int(result)],
            numbers[-1] if is_cut else 0,
            "O_CREAT" in rest,
        )


def _plain(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))
