"""Sources of items, chosen by what the user named."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Protocol
from urllib.parse import urlsplit

from encoders import Modality
from ingestion.errors import NothingFound, PathNotFound
from ingestion.items import Item, local_path, scheme_of
from ingestion.reach import Reach
from ingestion.web import Web, encoded

IMAGES: frozenset[Modality] = frozenset({"image"})
TEXTS: frozenset[Modality] = frozenset({"text"})
MANIFESTS = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
SHARDS = (".tar",)


@dataclass(frozen=True)
class SourceOptions:
    """How to list a source.

    `include` and `exclude` are globs of paths, see `walk`. With `texts`, captions and text files
    become points, too. `reach` says what may be fetched of what a manifest names.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    follow_symlinks: bool = False
    texts: bool = False
    reach: Reach = field(default_factory=Reach)

    @property
    def needs(self) -> frozenset[Modality]:
        """The towers that media take, and their captions if these are wanted."""
        return IMAGES | TEXTS if self.texts else IMAGES

    def wants(self, below: str) -> bool:
        """Whether the globs let through what lies there below a source.

        What excludes a folder excludes all that lies in it.
        """
        if self.include and not fits(below, self.include):
            return False
        folders = map(str, PurePosixPath(below).parents[:-1])
        return not any(fits(one, self.exclude) for one in (below, *folders))

    def complaint(self, nothing: str) -> str:
        """`nothing`, and that globs may be why."""
        return f"{nothing} that the globs let through" if self.include or self.exclude else nothing


def fits(path: str, globs: tuple[str, ...]) -> bool:
    """Whether the path or its last part is like one of the globs, whatever the case."""
    name, path = PurePosixPath(path).name.lower(), path.lower()
    return any(fnmatchcase(name, glob) or fnmatchcase(path, glob) for glob in map(str.lower, globs))


class Source(Protocol):
    """A folder, a manifest, an archive."""

    @property
    def uri(self) -> str:
        """What its assets belong to, in the ledger."""
        ...

    @property
    def needs(self) -> frozenset[Modality]:
        """The towers of an encoder that its items take."""
        ...

    @property
    def root(self) -> Path | None:
        """The folder on this machine that its files lie in, None elsewhere."""
        ...

    def __iter__(self) -> Iterator[Item]:
        """Raises `NothingFound` and other `IngestError`, at once."""
        ...

    def is_gone(self, asset: str) -> bool:
        """Whether an asset that it had once, and did not list this time, is there no more."""
        ...


def open_source(name: str, options: SourceOptions) -> Source:
    """The source of that name: a path or a URL.

    Raises `PathNotFound`, `NotAllowed`, or another `IngestError` that says what is wrong with it.
    """
    scheme = scheme_of(name)
    if scheme == "file":
        path = local_path(name)
        if path is None:
            raise PathNotFound(f"{name} is not a file on this machine")
        return _local(path, options)
    return _remote(name, scheme, options) if scheme else _local(Path(name), options)


def _local(path: Path, options: SourceOptions) -> Source:
    from ingestion.folder import Folder

    path = path.resolve()  # however it is spelled, a file is one asset
    options.reach.check_path(path)
    if not path.exists():
        raise PathNotFound(f"{path} does not exist")
    if path.is_dir():
        return Folder(path, options)
    return _file(path.name, options, path) or Folder(path, options)


def _remote(name: str, scheme: str, options: SourceOptions) -> Source:
    from ingestion.stores import Bucket

    if scheme not in ("http", "https"):
        if not options.reach.trusts_sources:
            options.reach.check(name)
        return _file(name, options, name) or Bucket(name, options)
    url = encoded(name)
    try:
        path = urlsplit(url).path
    except ValueError as error:
        raise PathNotFound(f"{name} is not a URL: {error}") from error
    return _file(path, options, url) or Page(url, options)


def _file(name: str, options: SourceOptions, at: Path | str) -> Source | None:
    """A manifest or an archive, by its name."""
    stem = name.lower().removesuffix(".gz")
    if stem.endswith(MANIFESTS):
        from ingestion.manifest import Manifest

        return Manifest(at, options)
    if stem.endswith(SHARDS) or name.lower().endswith(".tgz"):
        from ingestion.archive import Shard

        return Shard(at, options)
    return None


class Page:
    """One media file at a URL that the user gave."""

    def __init__(self, url: str, options: SourceOptions) -> None:
        self.uri = url
        self.needs = options.needs
        self.root: Path | None = None
        self._reach = trusting(url, options.reach)

    def __iter__(self) -> Iterator[Item]:
        from ingestion.web import WebFile

        return iter([Item(self.uri, WebFile(Web(self._reach), self.uri), source=self.uri)])

    def is_gone(self, asset: str) -> bool:  # noqa: ARG002
        return False


def trusting(url: str, reach: Reach) -> Reach:
    """`reach`, and the host of a URL that the user gave: that one may be anywhere.

    Where sources are not trusted, `reach` alone.
    """
    if not reach.trusts_sources:
        return reach
    host = host_of(url)
    return Reach((*reach.hosts, host), (*reach.private, host))


def host_of(url: str) -> str:
    """The host a URL names; empty where there is none."""
    with suppress(ValueError):
        return urlsplit(url).hostname or ""
    return ""


def not_empty(items: Iterator[Item], complaint: Callable[[], str]) -> Iterator[Item]:
    """The items; raises `NothingFound` at once where there are none."""
    first = next(items, None)
    if first is None:
        raise NothingFound(complaint())
    return chain([first], items)


def belongs(uri: str, source: str, asset: str) -> bool:
    """Whether an asset whose row names `source` is one of the source `uri`."""
    return source == uri or asset == uri or asset.startswith(f"{uri.rstrip('/')}/")
