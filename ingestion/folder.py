"""A folder tree as a source of items."""

import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from ingestion.errors import NothingFound, PathNotFound
from ingestion.items import Item


def walk(
    root: Path,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    follow_symlinks: bool = False,
) -> Iterator[Item]:
    """Every file below `root` in name order, or `root` itself where it is a file.

    Assets begin with the real path of `root`, its links and `..` resolved.

    Names that begin with a dot are left out. A glob is compared, without regard to case, with the
    name and with the path below `root`; its `*` crosses folders. A file is taken when a glob of
    `include` (if there are any) fits it and none of `exclude` does; an excluded folder is not
    entered. Links that are not followed are yielded with a reason to skip them; a folder reached by
    several links is entered once.

    Raises `PathNotFound` or `NothingFound`, at the call.
    """
    root = root.resolve()  # however it is spelled, a file is one asset
    if not root.exists():
        raise PathNotFound(f"{root} does not exist")
    if not root.is_dir():
        return iter([Item.of_file(root)])
    items = iter(_Tree(root, tuple(include), tuple(exclude), follow_symlinks))
    first = next(items, None)
    if first is None:
        globs = " that the globs let through" if include or exclude else ""
        raise NothingFound(f"{root} holds no file{globs}")
    return itertools.chain([first], items)


@dataclass
class _Tree:
    root: Path
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    follow: bool
    entered: set[tuple[int, int]] = field(default_factory=set)

    def __iter__(self) -> Iterator[Item]:
        stack = [self._list(self.root)]
        while stack:
            entry = next(stack[-1], None)
            if entry is None:
                stack.pop()
            elif isinstance(entry, Item):
                yield entry
            elif entry.is_symlink() and not self.follow:
                yield Item.of_file(Path(entry.path), skip="a link, and links are not followed")
            elif self._is_folder(entry):
                stack.append(self._list(Path(entry.path)))
            else:
                yield Item.of_file(Path(entry.path))

    def _list(self, folder: Path) -> Iterator["os.DirEntry[str] | Item"]:
        """What to look at in a folder; a folder that cannot be listed is itself an item."""
        try:
            stat = folder.stat()
            if (stat.st_dev, stat.st_ino) in self.entered:
                return iter(())
            self.entered.add((stat.st_dev, stat.st_ino))
            with os.scandir(folder) as entries:
                wanted = [entry for entry in entries if self._wants(entry)]
        except OSError:
            return iter([Item.of_file(folder)])
        return iter(sorted(wanted, key=lambda entry: os.fsencode(entry.name)))

    def _wants(self, entry: "os.DirEntry[str]") -> bool:
        if entry.name.startswith(".") or self._fits(entry, self.exclude):
            return False
        return not self.include or self._is_folder(entry) or self._fits(entry, self.include)

    def _is_folder(self, entry: "os.DirEntry[str]") -> bool:
        try:
            return entry.is_dir(follow_symlinks=self.follow)
        except OSError:  # a link to itself
            return False

    def _fits(self, entry: "os.DirEntry[str]", globs: tuple[str, ...]) -> bool:
        below = Path(entry.path).relative_to(self.root).as_posix().lower()
        name = entry.name.lower()
        return any(
            fnmatchcase(name, glob) or fnmatchcase(below, glob) for glob in map(str.lower, globs)
        )
