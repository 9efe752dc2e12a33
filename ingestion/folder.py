"""A folder tree as a source of items."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from ingestion.errors import MediaError, PathNotFound
from ingestion.formats import BY_SUFFIX
from ingestion.items import Item, local_path
from ingestion.payloads import readable
from ingestion.reach import Reach
from ingestion.sidecars import MAX_TEXT, SUFFIXES, candidates, decoded_text, read_sidecars
from ingestion.sources import SourceOptions, fits, not_empty

Entry = os.DirEntry[str]


class Folder:
    """A folder, or one file; satisfies `Source`."""

    def __init__(self, root: Path, options: SourceOptions) -> None:
        """`root` is resolved."""
        self.root = root
        self._options = options
        self.uri = root.as_uri()
        self.needs = options.needs
        self._unlisted: list[Path] = []

    def __iter__(self) -> Iterator[Item]:
        self._unlisted = []
        return walk(
            self.root,
            self._options.include,
            self._options.exclude,
            self._options.follow_symlinks,
            texts=self._options.texts,
            reach=self._options.reach,
            unlisted=self._unlisted,
        )

    def is_gone(self, asset: str) -> bool:
        """A file that merely cannot be looked at is not gone: one in a folder without permission,
        or on a disk that went away while it was listed.
        """
        path = local_path(asset)
        if path is None or any(path.is_relative_to(folder) for folder in self._unlisted):
            return False
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            return False
        return False


def walk(
    root: Path,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    follow_symlinks: bool = False,
    *,
    texts: bool = False,
    reach: Reach = Reach(),  # noqa: B008 - it is frozen
    unlisted: list[Path] | None = None,
) -> Iterator[Item]:
    """Every file below `root` in name order, or `root` itself where it is a file.

    Assets begin with the real path of `root`, its links and `..` resolved.

    Names that begin with a dot are left out. A glob is compared, without regard to case, with the
    name and with the path below `root`; its `*` crosses folders. A file is taken when a glob of
    `include` (if there are any) fits it and none of `exclude` does; an excluded folder is not
    entered. Links that are not followed are yielded with a reason to skip them; a folder reached by
    several links is entered once.

    What lies beside `a.jpg` as `a.txt`, `a.json`, `a.jpg.txt` or `a.jpg.json` goes into its
    payload. With `texts` such captions, and all other `.txt` files, become points as well. What
    leads, by links, to where `reach` does not is yielded with that fault, and not looked at.
    Folders that cannot be listed are added to `unlisted`.

    Raises `PathNotFound` or `NothingFound`, at the call.
    """
    root = root.resolve()  # however it is spelled, a file is one asset
    if not root.exists():
        raise PathNotFound(f"{root} does not exist")
    tree = _Tree(root, tuple(include), tuple(exclude), follow_symlinks, texts, reach)
    if unlisted is not None:
        tree.unlisted = unlisted
    if not root.is_dir():
        return iter([tree.item(root, _present(root))])
    globs = " that the globs let through" if include or exclude else ""
    return not_empty(iter(tree), lambda: f"{root} holds no file{globs}")


@dataclass
class _Tree:
    root: Path
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    follow: bool
    texts: bool = False
    reach: Reach = Reach()  # noqa: RUF009 - it is frozen
    entered: set[tuple[int, int]] = field(default_factory=set)
    unlisted: list[Path] = field(default_factory=list)

    def __iter__(self) -> Iterator[Item]:
        stack = [self._list(self.root)]
        while stack:
            found = next(stack[-1], None)
            if found is None:
                stack.pop()
            elif isinstance(found, Item):
                yield found
            else:
                stack.append(self._list(found))

    def item(self, path: Path, sidecars: Sequence[str]) -> Item:
        """A file, and what lies beside it by these names."""
        item = Item.of_file(path, source=self._uri)
        try:
            for one in (path, *map(path.with_name, sidecars)):
                self.reach.check_path(one)
        except MediaError as error:
            return replace(item, fault=str(error))
        if self.texts and path.suffix.lower() == ".txt":
            return _of_text(item, path)
        if not sidecars:
            return item
        said = read_sidecars(path.with_name(name) for name in sidecars)
        text = said.text if self.texts else ""
        return replace(item, payload=said.payload, text=text, note=said.note)

    def _list(self, folder: Path) -> Iterator[Item | Path]:
        """The items of a folder, and the folders in it; one that cannot be listed is an item."""
        try:
            if not self.reach.allows(folder):
                return iter([self.item(folder, ())])
            stat = folder.stat()
            if (stat.st_dev, stat.st_ino) in self.entered:
                return iter(())
            self.entered.add((stat.st_dev, stat.st_ino))
            with os.scandir(folder) as entries:
                found = [entry for entry in entries if not entry.name.startswith(".")]
        except OSError:
            self.unlisted.append(folder)
            return iter([self.item(folder, ())])
        return self._looked_at(sorted(found, key=lambda entry: os.fsencode(entry.name)))

    def _looked_at(self, entries: Sequence[Entry]) -> Iterator[Item | Path]:
        beside = _sidecars([entry.name for entry in entries])
        taken = {name for names in beside.values() for name in names}
        for entry in entries:
            path = Path(entry.path)
            if entry.name in taken or not self._wants(entry):
                continue
            if entry.is_symlink() and not self.follow:
                why = "a link, and links are not followed"
                yield replace(self.item(path, ()), skip=why)
            elif self._is_folder(entry):
                yield path
            else:
                yield self.item(path, beside.get(entry.name, ()))

    def _wants(self, entry: Entry) -> bool:
        if self._fits(entry, self.exclude):
            return False
        return not self.include or self._is_folder(entry) or self._fits(entry, self.include)

    def _is_folder(self, entry: Entry) -> bool:
        try:
            return entry.is_dir(follow_symlinks=self.follow)
        except OSError:  # a link to itself
            return False

    @cached_property
    def _uri(self) -> str:
        return self.root.as_uri()

    def _fits(self, entry: Entry, globs: tuple[str, ...]) -> bool:
        if not globs:
            return False
        return fits(Path(entry.path).relative_to(self.root).as_posix(), globs)


def _sidecars(names: Sequence[str]) -> dict[str, list[str]]:
    """For each media file of a folder, the names of what lies beside it."""
    present = {name for name in names if name.lower().endswith(SUFFIXES)}
    if not present:
        return {}
    media = [name for name in names if os.path.splitext(name)[1].lower() in BY_SUFFIX]  # noqa: PTH122
    return {name: [one for one in candidates(name) if one in present] for name in media}


def _present(path: Path) -> list[str]:
    return [name for name in candidates(path.name) if path.with_name(name).is_file()]


def _of_text(item: Item, path: Path) -> Item:
    """A text file as an item: its words are all of it."""
    place = {"name": readable(path.name), "folder": readable(str(path.parent))}
    item = replace(item, content=None, payload=place)
    try:
        with path.open("rb") as file:
            text = decoded_text(file.read(MAX_TEXT + 1))
    except OSError as error:
        return replace(item, fault=f"cannot be read: {error.strerror or error}")
    except MediaError as error:
        return replace(item, fault=str(error))
    return replace(item, text=text) if text else replace(item, skip="an empty text")
