"""Raw vector files: a header and float32 rows, only ever appended to.

The database says how many rows of each file are committed; what lies beyond was left by a crash and
is overwritten by the next commit. Nothing is truncated.
"""

import mmap
import os
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from indexer.errors import CollectionDamaged, StorageError
from indexer.local.database import translated
from indexer.local.filesystem import sync, sync_folder

HEADER_BYTES = 4096
FOLDER = "vectors"
_MAGIC = b"POLYLENS"
_LAYOUT = 1
_HEADER = struct.Struct("<8sII16sII64s")


@dataclass(frozen=True)
class RawFile:
    """One file of one vector name: its identity, and where it is."""

    folder: Path
    uid: UUID
    name: str
    dim: int
    number: int

    @property
    def path(self) -> Path:
        return self.folder / FOLDER / f"{self.name}-{self.number:06d}.f32"

    @property
    def row_bytes(self) -> int:
        return 4 * self.dim

    def offset(self, slot: int) -> int:
        """Where a row begins, in bytes."""
        return HEADER_BYTES + slot * self.row_bytes

    def header(self) -> bytes:
        """What the file begins with; docs/index.md lists the fields."""
        fields = (_MAGIC, _LAYOUT, self.dim, self.uid.bytes, self.number, 0, self.name.encode())
        packed = _HEADER.pack(*fields)
        return (packed + struct.pack("<I", zlib.crc32(packed))).ljust(HEADER_BYTES, b"\0")

    def check(self, slots: int) -> None:
        """Raises `CollectionDamaged` unless the header is ours and `slots` rows are there."""
        try:
            with self.path.open("rb") as file:
                header = file.read(HEADER_BYTES)
                size = file.seek(0, os.SEEK_END)
        except FileNotFoundError:
            raise CollectionDamaged(f"{self.path} is missing") from None
        if header != self.header():
            raise CollectionDamaged(f"{self.path} does not have the header of this collection")
        if size < self.offset(slots):
            raise CollectionDamaged(
                f"{self.path} has {size} bytes, but {self.offset(slots)} were committed"
            )

    def map(self, slots: int) -> NDArray[np.float32]:
        """The first `slots` rows as a read-only float32 `[slots, dim]` view of the file."""
        if slots == 0:
            return np.empty((0, self.dim), np.float32)
        self.check(slots)
        with self.path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), self.offset(slots), prot=mmap.PROT_READ)
        rows = np.frombuffer(mapped, "<f4", offset=HEADER_BYTES)
        return rows.reshape(slots, self.dim)

    def append(self, slot: int, rows: NDArray[np.float32], *, new: bool) -> int:
        """Write rows at `slot` and sync them, with the folder if the file is new; their CRC32.

        Raises `StorageError`; the file must then not be written to again.
        """
        with translated(f"write vectors to {self.path}"):
            data = np.ascontiguousarray(rows, "<f4").data.cast("B")
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                if new:
                    _write(descriptor, self.header(), 0)
                _write(descriptor, data, self.offset(slot))
                sync(descriptor)
            finally:
                os.close(descriptor)
            if new:
                sync_folder(self.path.parent)
            return zlib.crc32(data)


def check_fits(dims: Mapping[str, int], file_bytes: int) -> None:
    """Raises `ValueError` where a file of that size could not hold a vector of each name."""
    for name, dim in dims.items():
        if HEADER_BYTES + 4 * dim > file_bytes:
            raise ValueError(f"a raw file of {file_bytes} bytes cannot hold one vector {name!r}")


def _write(descriptor: int, data: bytes | memoryview, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        if written == 0:
            raise StorageError("the disk took no data")
        view, offset = view[written:], offset + written
