"""Requirements on the file system: real syncs and real locks."""

import os
import sys
from functools import lru_cache
from pathlib import Path

from indexer.errors import StorageError

_REMOTE = frozenset(
    {"9p", "acfs", "afs", "beegfs", "ceph", "cifs", "coda", "drvfs", "fakeowner", "fhgfs", "fuse"}
    | {"fuseblk", "glusterfs", "gpfs", "lustre", "ncp", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs"}
    | {"prl_fs", "pvfs2", "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs"}
)
_MOUNTS = Path("/proc/self/mountinfo")

if sys.platform == "darwin":
    import fcntl

    def sync(descriptor: int) -> None:
        """Put the file on the disk itself; there, fsync alone leaves it in the drive's cache."""
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
else:
    sync = os.fsync


def sync_file(file: Path) -> None:
    """Make what a file holds durable, but not its name."""
    _sync(file, os.O_RDONLY)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    _sync(folder, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


def refuse_remote(folder: Path) -> None:
    """Raises `StorageError` on a network or FUSE file system (found on Linux).

    Their locks and shared memory do not hold between machines, so SQLite's log would be damaged.
    """
    if not _MOUNTS.exists():
        return
    kind = filesystem_type(folder.resolve(), _MOUNTS.read_text("utf-8", "surrogateescape"))
    if kind in _REMOTE or kind.startswith("fuse."):
        raise StorageError(
            f"{folder} is on a {kind} file system; polylens needs a local disk for its databases, "
            "because file locks and memory maps cannot be trusted over a network. Choose another "
            "data folder; collections may also be kept on a Qdrant server."
        )


@lru_cache  # asked whenever a database is opened, of the same few folders
def filesystem_type(folder: Path, mountinfo: str) -> str:
    """The type of the file system that holds an absolute folder, by Linux's table of mounts."""
    best, kind = -1, ""
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        mount = Path(_unescaped(left.split(" ")[4]))
        # Of two mounts on one place, the later hides the earlier.
        if folder.is_relative_to(mount) and len(mount.parts) >= best:
            best, kind = len(mount.parts), right.split(" ")[0]
    return kind


def _unescaped(text: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text
