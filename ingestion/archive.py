"""WebDataset shards: tar archives whose members are grouped by name.

Nothing is extracted: names are only labels, and members are read in place.
"""

import io
import os
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.parse import quote_from_bytes, unquote_to_bytes, urlsplit

from ingestion.errors import IngestError, MediaError
from ingestion.formats import BY_SUFFIX
from ingestion.items import Item, Stamp, local_path
from ingestion.opening import LocalOpener, Opener, opener
from ingestion.sidecars import MAX_FACTS, Said, combined
from ingestion.sources import SourceOptions, not_empty

SAYING = (".txt", ".json", ".cls")
LARGEST_HEADER = 1 << 20  # bytes; a longer name is no name
CHUNK = 1 << 20  # bytes
MOST = 100  # members that belong together
COMPRESSED = (".gz", ".tgz")


class Shard:
    """A tar archive on this machine or elsewhere; satisfies `Source`."""

    def __init__(self, at: Path | str, options: SourceOptions) -> None:
        name = at.name if isinstance(at, Path) else urlsplit(at).path
        if name.lower().endswith(COMPRESSED):
            raise IngestError(f"{at} is compressed, which prevents random access: gunzip it")
        self._opener = opener(at, options.reach)
        self._options = options
        self.uri = f"tar:{self._opener.uri}!"
        self.needs = options.needs
        self.root = at.parent if isinstance(at, Path) else None
        self._is_whole = False

    def __iter__(self) -> Iterator[Item]:
        complaint = self._options.complaint(f"{self._opener.uri} holds no file")
        return not_empty(self._items(), lambda: complaint)

    def is_gone(self, asset: str) -> bool:
        """Only where the archive was read to its end; what globs leave out is not gone."""
        name = os.fsdecode(unquote_to_bytes(asset.removeprefix(f"{self.uri}/")))
        return self._is_whole and self._options.wants(name)

    def _items(self) -> Iterator[Item]:
        self._is_whole = False
        group: list[tarfile.TarInfo] = []
        try:
            with self._opener.open() as file:
                stamp = self._opener.stamp()
                for member in _members(file):
                    if group and (_key(member) != _key(group[0]) or len(group) == MOST):
                        yield from self._of_group(group, file, stamp)
                        group = []
                    group.append(member)
                yield from self._of_group(group, file, stamp)
            self._is_whole = True
        except Exception as error:  # noqa: BLE001 - hostile headers, stores far away
            yield self._of_damage(str(error) or type(error).__name__)

    def _of_group(
        self, group: list[tarfile.TarInfo], file: IO[bytes], stamp: Stamp
    ) -> Iterator[Item]:
        """The items among members of one key; what is said of one is said of all.

        What is said goes with the files that the globs let through.
        """
        saying = [one for one in group if _is_plain(one) and _suffix(one) in SAYING]
        media = [one for one in group if one not in saying]
        if not media and not self._options.texts:
            media, saying = saying, []
        said = combined((one.name, _read(one, file)) for one in saying)
        if not media and said.text and self._options.wants(saying[0].name):
            yield self._of_words(saying[0], said)
        for one in media:
            if self._options.wants(one.name):
                yield self._of_member(one, said, stamp)

    def _of_member(self, member: tarfile.TarInfo, said: Said, stamp: Stamp) -> Item:
        is_media = _suffix(member) in BY_SUFFIX
        skip = "" if _is_plain(member) else "a link, a device or a file with holes"
        return Item(
            self._asset(member),
            Member(self._opener, member.name, member.offset_data, member.size, stamp),
            said.payload if is_media else {},
            said.text if is_media and self._options.texts else "",
            source=self.uri,
            skip=skip,
            note=said.note if is_media else "",
        )

    def _of_words(self, member: tarfile.TarInfo, said: Said) -> Item:
        name = {"name": PurePosixPath(_printable(member.name)).name, "folder": self._opener.shown}
        return Item(
            self._asset(member),
            None,
            said.payload | name,
            said.text,
            source=self.uri,
            note=said.note,
        )

    def _of_damage(self, reason: str) -> Item:
        fault = f"the archive cannot be read, or no further than here: {reason}"
        return Item(f"{self.uri}/", source=self.uri, fault=fault)

    def _asset(self, member: tarfile.TarInfo) -> str:
        return f"{self.uri}/{quote_from_bytes(os.fsencode(member.name))}"


@dataclass(frozen=True)
class Member:
    """A file in an archive: `size` bytes from `offset` on. Satisfies `Blob`.

    `shard` is when the archive was written: a new one is looked at anew, member by member.
    """

    opener: Opener
    path: str
    offset: int
    size: int
    shard: Stamp

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name

    @property
    def folder(self) -> str:
        parent = PurePosixPath(self.path).parent.as_posix()
        return self.opener.shown if parent == "." else f"{self.opener.shown}/{parent}"

    @property
    def stamp(self) -> Stamp:
        return Stamp(self.size, self.shard.mtime_ns)

    def copy_to(self, target: IO[bytes], max_bytes: int) -> None:
        """See `Blob`."""
        if self.size > max_bytes:
            raise MediaError(f"larger than the limit of {max_bytes / 1e6:,.0f} MB")
        with self.opener.open() as file:
            file.seek(self.offset)
            left = self.size
            while left:
                chunk = file.read(min(left, CHUNK))
                if not chunk:
                    raise MediaError(f"cut short: {self.size - left} of {self.size} bytes")
                target.write(chunk)
                left -= len(chunk)


def local_member(asset: str) -> tuple[Path, str] | None:
    """The local archive and the name in it that a `tar:` asset tells; None of any other asset."""
    archive, found, name = asset.removeprefix("tar:").partition("!/")
    path = local_path(archive) if found and asset.startswith("tar:") else None
    return (path, os.fsdecode(unquote_to_bytes(name))) if path else None


def members_of(path: Path) -> dict[str, Member]:
    """The plain files in a local archive by name, as far as it can be read."""
    found: dict[str, Member] = {}
    archive = LocalOpener(path)
    stamp = archive.stamp()
    with suppress(tarfile.TarError), archive.open() as file:
        for one in filter(_is_plain, _members(file)):
            member = Member(archive, one.name, one.offset_data, one.size, stamp)
            found.setdefault(one.name, member)
    return found


def _members(file: IO[bytes]) -> Iterator[tarfile.TarInfo]:
    """The members of an archive, one at a time; raises `tarfile.TarError` and worse."""
    with tarfile.open(
        fileobj=_Guarded(file), mode="r:", errorlevel=2, errors="surrogateescape"
    ) as archive:
        place = -1
        while (member := archive.next()) is not None:
            archive.members = []  # type: ignore[attr-defined]  # else all are kept
            if archive.offset <= place or member.size < 0:
                raise tarfile.ReadError("a member of negative length")
            place = archive.offset
            if not member.isdir():
                yield member
        file.seek(archive.offset)
        if not file.read(1):
            raise tarfile.ReadError("its end marker is missing")


class _Guarded(io.RawIOBase):
    """A file of which no long piece is read at once, whatever its headers promise."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= LARGEST_HEADER:
            raise tarfile.ReadError("a header of impossible length")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def _is_plain(member: tarfile.TarInfo) -> bool:
    return member.isreg() and not member.issparse()


def _key(member: tarfile.TarInfo) -> str:
    """What members of one sample share: the name up to the first dot after the folder."""
    folder, _, name = member.name.rpartition("/")
    return f"{folder}/{name.partition('.')[0]}"


def _suffix(member: tarfile.TarInfo) -> str:
    return PurePosixPath(member.name).suffix.lower()


def _read(member: tarfile.TarInfo, file: IO[bytes]) -> bytes | MediaError:
    """A short member, while others are listed."""
    if member.size > MAX_FACTS:
        return MediaError(f"more than {MAX_FACTS >> 10} kB")
    place = file.tell()
    file.seek(member.offset_data)
    data = file.read(member.size)
    file.seek(place)
    return data


def _printable(name: str) -> str:
    return name.encode(errors="replace").decode()
