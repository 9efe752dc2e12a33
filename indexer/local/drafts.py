"""Hidden folders in which a collection is built before it is renamed into place.

Whoever builds holds a lock on the folder; one that nobody holds was left by a crash.
"""

import fcntl
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from indexer.local.lock import folder_lock

_HIDDEN = re.compile(r"\.polylens-.+-[0-9a-f]{32}")
_PATIENCE = 10.0  # seconds; only a sweeper that is about to remove the folder can hold its lock


@contextmanager
def draft(parent: Path, name: str) -> Iterator[Path]:
    """An empty folder of our own in `parent`, removed in the end unless it was renamed.

    What others left there unfinished goes first, unless they are at it still.
    """
    sweep(parent)
    with ExitStack() as locks:
        folder = _claimed(parent, name, locks)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def hidden(parent: Path, name: str) -> Path:
    """A path in `parent` that nothing else has, of the kind that `sweep` removes."""
    return parent / f".polylens-{name}-{uuid4().hex}"


def sweep(parent: Path) -> None:
    """Remove what interrupted work left in a folder."""
    for path in parent.iterdir():
        if not _HIDDEN.fullmatch(path.name):
            continue
        with suppress(OSError):  # gone meanwhile, or another's whom we may not remove
            if path.is_symlink() or path.is_file():
                path.unlink()
            else:
                _remove_abandoned(path)


def _claimed(parent: Path, name: str, locks: ExitStack) -> Path:
    while True:
        folder = hidden(parent, name)
        folder.mkdir()
        # A sweeper may take it for abandoned before it is locked; then there is another.
        with suppress(FileNotFoundError):
            locked = locks.enter_context(folder_lock(folder, fcntl.LOCK_EX, _PATIENCE))
            if locked and folder.exists():
                return folder


def _remove_abandoned(folder: Path) -> None:
    with folder_lock(folder, fcntl.LOCK_EX) as locked:
        if locked:
            shutil.rmtree(folder, ignore_errors=True)
