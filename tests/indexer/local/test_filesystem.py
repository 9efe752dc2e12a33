"""Which file system holds a folder, and which are refused."""

from pathlib import Path

import pytest

from indexer import LocalStore, Schema, StorageError
from indexer.installation import open_installation
from indexer.local import filesystem
from indexer.local.filesystem import filesystem_type
from indexer.qdrant.store import QdrantStore

MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:27 / /mnt/my\\040photos rw - fuse.sshfs server:/ rw
31 22 0:28 / /mnt/nas rw master:3 - nfs4 nas:/data rw
32 31 0:29 / /mnt/nas/local rw - xfs /dev/sdb rw
33 22 0:30 / /mnt/twice rw - ext4 /dev/sdc rw
34 22 0:31 / /mnt/twice rw - 9p share rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/", "ext4"),
        ("/home/me", "ext4"),
        ("/mnt/my photos/2024", "fuse.sshfs"),
        ("/mnt/nas", "nfs4"),
        ("/mnt/nasty", "ext4"),
        ("/mnt/nas/local/data", "xfs"),
        ("/mnt/twice", "9p"),
    ],
)
def test_the_innermost_mount_counts(folder: str, kind: str) -> None:
    assert filesystem_type(Path(folder), MOUNTS) == kind


@pytest.mark.parametrize("kind", ["nfs4", "fuse.sshfs", "cifs", "9p"])
def test_remote_file_systems_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    store = LocalStore(tmp_path / "data")
    store.create("before", Schema({"default": 3})).close()
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"22 1 0:1 / / rw - ext4 x rw\n23 22 0:2 / {tmp_path} rw - {kind} y rw\n")
    monkeypatch.setattr(filesystem, "_MOUNTS", mounts)
    with pytest.raises(StorageError, match=f"{kind} file system"):
        store.create("photos", Schema({"default": 3}))
    with pytest.raises(StorageError, match="local disk"):
        store.open("before")
    store.close()


def test_the_installations_database_is_refused_there_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tmp_path / "before"
    with open_installation(before) as connection:
        connection.execute("CREATE TABLE a (b)")
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"22 1 0:1 / / rw - ext4 x rw\n23 22 0:2 / {tmp_path} rw - nfs y rw\n")
    monkeypatch.setattr(filesystem, "_MOUNTS", mounts)
    for folder in (before, tmp_path / "new"):
        with pytest.raises(StorageError, match="nfs file system"), open_installation(folder):
            pass
    assert not (tmp_path / "new" / "polylens.db").exists()
    store = QdrantStore(":memory:", tmp_path)
    collection = store.create("photos", Schema({"default": 3}))
    with pytest.raises(StorageError, match="nfs file system"):
        collection.ledger.counts()
