"""Manifests: tables of files to ingest, with paths or URLs, ids, texts, tags and other metadata."""

import itertools
import json
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from encoders import Modality
from ingestion.errors import BadManifest, IngestError, MediaError
from ingestion.items import Blob, Item, local_path, scheme_of, text_asset
from ingestion.opening import opener
from ingestion.reach import Reach, is_address
from ingestion.rows import Row, read_rows
from ingestion.seen import Seen
from ingestion.sidecars import MAX_TEXT, checked, parsed_facts
from ingestion.sources import TEXTS, SourceOptions, host_of, not_empty
from ingestion.stores import StoredFile, uri_of
from ingestion.web import Web, WebFile, encoded

PLACES = ("path", "url", "file", "file_name", "filename", "image")
WORDS = ("text", "caption")
IDS = ("id", "key")
PEEK = 1000  # rows that tell what kind of manifest it is
NUMBER = re.compile(r"-?(0|[1-9]\d{0,17})(\.\d+)?([eE][+-]?\d{1,3})?")


class Manifest:
    """A CSV, TSV, JSONL or Parquet file; satisfies `Source`.

    Relative paths begin at its folder. A row without a path is a text. Other columns go into the
    payload under their own names; `metadata` holds an object whose fields do.
    """

    def __init__(self, at: Path | str, options: SourceOptions) -> None:
        """Raises `BadManifest`, also where it cannot be fetched."""
        self._opener = opener(at, options.reach)
        self._options = options
        self.uri = self._opener.uri
        self.root = at.parent if isinstance(at, Path) else None
        self._reach = _with_own_host(self.uri, options.reach)
        self._web = Web(self._reach)
        self._is_whole = True
        self._is_csv = self.uri.lower().removesuffix(".gz").endswith((".csv", ".tsv"))
        with self._rows() as rows:
            head = list(itertools.islice(rows, PEEK))
            _check(head)
        self._has_media = any(_of(values, PLACES) for _, values in head if isinstance(values, dict))

    @property
    def needs(self) -> frozenset[Modality]:
        return self._options.needs if self._has_media else TEXTS

    def __iter__(self) -> Iterator[Item]:
        complaint = self._options.complaint(f"{self.uri} lists nothing")
        return not_empty(self._items(), lambda: complaint)

    def is_gone(self, asset: str) -> bool:  # noqa: ARG002
        """Only where all rows could be read: any asset may be that of a bad row."""
        return self._is_whole and not (self._options.include or self._options.exclude)

    def _items(self) -> Iterator[Item]:
        self._is_whole = True
        ids, assets = Seen(), Seen()
        with self._rows() as rows:
            for number, values in rows:
                if not self._wants(values):
                    continue
                try:
                    yield self._once(self._item(values), number, ids, assets)
                except MediaError as error:
                    self._is_whole &= isinstance(error, _Repeated)
                    yield self._fault(number, str(error))
        ids.close()
        assets.close()

    def _wants(self, values: dict[str, Any] | str) -> bool:
        """Whether the globs let the file of a row through; texts are for none to leave out."""
        if isinstance(values, str):
            return True
        place = _of(values, PLACES)
        return place is None or self._options.wants(str(values[place]))

    def _once(self, item: Item, number: int, ids: Seen, assets: Seen) -> Item:
        """Raises `MediaError` where an earlier row has the same id, or is of the same asset."""
        name = item.payload.get("id")
        line = None if name is None else ids.add(str(name), number)
        if line is not None:
            raise MediaError(f"row {line} has the same id {name!r}")
        if name is not None and item.content is None:
            return item  # the id is all of its asset
        line = assets.add(item.asset, number)
        if line is not None:
            raise _Repeated(f"the same as row {line}")
        return item

    def _item(self, values: dict[str, Any] | str) -> Item:
        if isinstance(values, str):
            raise MediaError(values)
        place, words, name = (_of(values, names) for names in (PLACES, WORDS, IDS))
        text = "" if words is None else _words(words, values[words])
        known = {"id": None if name is None else values[name], "text": text}
        payload = _payload(values, {place, words, name}, known, is_csv=self._is_csv)
        if place is not None:
            if not self._has_media:
                raise MediaError(f"a file, but the first {PEEK} rows had only texts")
            asset, content = self._content(_string(place, values[place]))
            shown = text if self._options.texts else ""
            return Item(asset, content, payload, shown, source=self.uri)
        if not text:
            raise MediaError(f"neither a {', a '.join(PLACES[:2])} nor a text")
        if "text" not in self.needs:
            raise MediaError("only a text: --texts makes it searchable")
        return Item(self._text_asset(payload, text), None, payload, text, source=self.uri)

    def _content(self, place: str) -> tuple[str, Path | Blob]:
        """The asset that a row names, and where its bytes are; raises `MediaError`."""
        if self.root is None and "://" not in place:
            place = self._beside(place)
        scheme = scheme_of(place)
        if scheme in ("http", "https"):
            url = encoded(place)
            self._reach.check(url)
            return url, WebFile(self._web, url)
        if scheme not in ("", "file"):
            return self._stored(place)
        path = local_path(place) if scheme else Path(place)
        if self.root is None or path is None or "\0" in place:
            raise MediaError("this manifest may not name files there")
        path = _normal(self.root / path)
        self._reach.check_path(path)
        return path.as_uri(), path

    def _beside(self, place: str) -> str:
        """The URL of a path that begins where the manifest lies."""
        base = self.uri.partition("?")[0].rpartition("/")[0]
        path = posixpath.normpath(f"/{place}")
        return base + (quote(path) if scheme_of(base) in ("http", "https") else path)

    def _stored(self, url: str) -> tuple[str, Blob]:
        """An object of a store: that of the manifest itself, or one that may be asked."""
        own = urlsplit(self.uri)
        if not url.startswith(f"{own.scheme}://{own.netloc}/"):
            self._reach.check(url)
        try:
            file = StoredFile.at(url)
        except IngestError as error:
            raise MediaError(str(error)) from error
        return uri_of(file.store, file.path), file

    def _text_asset(self, payload: Mapping[str, Any], text: str) -> str:
        if "id" in payload:
            return f"row:{self.uri}!/id/{quote(str(payload['id']), safe='')}"
        return text_asset(text)

    def _fault(self, number: int, reason: str) -> Item:
        return Item(f"row:{self.uri}!/row/{number}", source=self.uri, fault=reason)

    @contextmanager
    def _rows(self) -> Iterator[Iterator[Row]]:
        try:
            with self._opener.at_hand() as path:
                yield read_rows(path, self.uri)
        except (BadManifest, MediaError) as error:
            raise BadManifest(f"{self.uri}: {error}") from error
        except OSError as error:
            raise BadManifest(f"{self.uri}: {error.strerror or error}") from error


class _Repeated(MediaError):
    """A row of an asset that was listed already, so that none is missed for it."""


def _with_own_host(uri: str, reach: Reach) -> Reach:
    """A manifest may name files beside it; its host's name must not lead to private addresses."""
    if not reach.trusts_sources:
        return reach
    host = host_of(uri)
    return Reach(
        (*reach.hosts, host), (*reach.private, host) if is_address(host) else reach.private
    )


def _check(head: Sequence[Row]) -> None:
    """Raises `BadManifest` where no row has a column that we know."""
    rows = [values for _, values in head if isinstance(values, dict)]
    if rows and not any(_of(row, (*PLACES, *WORDS)) for row in rows):
        found = ", ".join(repr(name) for name in rows[0]) or "none"
        raise BadManifest(f"it has no column path, url or text; it has: {found}")


def _of(values: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """The first of these columns that a row has."""
    for name in names:
        if values.get(name) not in (None, ""):
            return name
    return None


def _words(name: str, value: object) -> str:
    text = _string(name, value).strip()
    if len(text) > MAX_TEXT:
        raise MediaError(f"more than {MAX_TEXT >> 10} kB of text")
    return text


def _string(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise MediaError(f"its {name} is {value!r:.40}, not a text")
    return value


def _payload(
    values: Mapping[str, Any], used: Set[str | None], known: dict[str, Any], *, is_csv: bool
) -> dict[str, Any]:
    """What a row says besides the place of its file; raises `MediaError`."""
    others = {name: value for name, value in values.items() if name not in used}
    tags, metadata = _tags(others.pop("tags", None)), _metadata(others.pop("metadata", None))
    found = {name: _typed(value) for name, value in others.items()} if is_csv else others
    found |= metadata | {name: value for name, value in known.items() if value}
    if tags:
        found["tags"] = tags
    try:
        return checked(found)
    except MediaError as error:
        if "Unicode" in str(error):
            raise MediaError("not UTF-8: save the manifest as UTF-8") from error
        raise


def _tags(value: object) -> list[str]:
    """A list, or a text that is one in JSON or is separated by semicolons or commas."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise MediaError(f"its tags are not JSON: {error}") from error
    if isinstance(value, str):
        value = value.split(";" if ";" in value else ",")
    if not isinstance(value, list | None):
        raise MediaError(f"its tags are {value!r:.40}, not a list")
    return [str(one).strip() for one in value or [] if str(one).strip()]


def _metadata(value: object) -> dict[str, Any]:
    if isinstance(value, str):
        return parsed_facts(value)
    if not isinstance(value, dict | None):
        raise MediaError(f"its metadata is {value!r:.40}, not an object")
    return value or {}


def _typed(text: object) -> object:
    """A field of CSV: what JSON would take for a number or a truth value is one."""
    if not isinstance(text, str):
        return text
    if text in ("true", "false"):
        return text == "true"
    return json.loads(text) if NUMBER.fullmatch(text) else text


def _normal(path: Path) -> Path:
    """However a path is spelled, the file is one asset; a link itself stays what it is."""
    return _resolved(path.parent) / path.name if path.name not in ("", "..") else path.resolve()


@lru_cache(4096)
def _resolved(folder: Path) -> Path:
    return folder.resolve()
