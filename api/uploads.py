"""Multipart uploads straight to disk: hashed and limited as they stream in."""

import secrets
import shutil
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from pydantic import TypeAdapter, ValidationError
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from api.offload import Lane
from api.problems import CLOSE, Refusal
from api.schemas.base import Payload
from ingestion.hashing import ContentHash

CHUNK = 1024 * 1024  # bytes gathered before they go to the disk
SPARE = 64 * CHUNK  # bytes beyond twice the limit that are read of a file, so that it fails alone
MAX_PAYLOAD = CHUNK
FILES = {"type": "array", "items": {"type": "string", "format": "binary"}}
FORM = {
    "multipart/form-data": {"schema": {"type": "object", "properties": {"files": FILES}}},
}
"""A form of files, for the API document."""
_PAYLOADS: TypeAdapter[Payload | list[Payload]] = TypeAdapter(Payload | list[Payload])
STALE = 24 * 3600  # seconds after which what a crash left behind is removed


@dataclass(frozen=True)
class UploadLimits:
    """`file_bytes` for each file, `files` in one request."""

    file_bytes: int
    files: int

    @property
    def endless(self) -> int:
        """Bytes of a file of which no more are read, not even to let it fail alone."""
        return 2 * self.file_bytes + SPARE

    @property
    def whole(self) -> int:
        """Bytes of a form beyond which one of its files has no end, or there are too many."""
        return self.files * self.endless


@dataclass
class Upload:
    """One file as it arrived; where it was `too_large`, nothing of it was kept.

    `id` is the client's own for it, empty where it has none; `payload` what else is said of it.
    """

    name: str
    path: Path
    id: str = ""
    payload: dict[str, Any] = field(default_factory=dict)
    size: int = 0
    too_large: bool = False
    digest: ContentHash = field(default_factory=ContentHash)

    @property
    def content_hash(self) -> str:
        """See `ingestion.hashing`."""
        return self.digest.hexdigest()

    @property
    def asset(self) -> str:
        """The URI it is known by once it is kept."""
        return f"id:{self.id}" if self.id else f"media:{self.content_hash}"


@asynccontextmanager
async def received(
    request: Request, folder: Path, limits: UploadLimits, lane: Lane, *, described: bool = False
) -> AsyncIterator[list[Upload]]:
    """The files of a multipart request, in `folder` for as long as the context lasts.

    Where they may be `described`, a field `payload` has one JSON object for all of them, or a list
    of one for each. Raises `Refusal` (413, 415, 422) for what is not a whole form of files.
    """
    boundary = _boundary(request, described=described)
    async with _incoming(folder, limits, lane) as incoming:
        form = _Form(boundary, incoming, described=described)
        await _read(request, form.feed, lane, limits.whole)
        form.check()
        yield incoming.uploads


@asynccontextmanager
async def received_file(
    request: Request, id_: str, folder: Path, limits: UploadLimits, lane: Lane
) -> AsyncIterator[Upload]:
    """The body as the file with the client's id `id_`, in `folder` while the context lasts.

    Raises `Refusal` (413, 422), before any of it is asked for where it says that it is too large.
    """
    _check_declared(request.state.body.declared, limits)
    async with _incoming(folder, limits, lane) as incoming:
        await lane(incoming.begin, id_, id_)
        await _read(request, incoming.write, lane, limits.endless)
        await lane(incoming.close)
        yield incoming.uploads[0]


def sweep(folder: Path) -> None:
    """Remove what uploads cut short by a crash have left in `folder`."""
    for left in folder.glob("*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > STALE:
                shutil.rmtree(left)


def _check_declared(size: int, limits: UploadLimits) -> None:
    """Who sends a file all the same hears why, and can go on, unless that would take too long."""
    if size > limits.file_bytes:
        reason = f"the file has {size:,} bytes, more than the limit of {limits.file_bytes:,}"
        raise Refusal(413, "too-large", reason, CLOSE if size > limits.endless else None)


@asynccontextmanager
async def _incoming(folder: Path, limits: UploadLimits, lane: Lane) -> AsyncIterator["_Incoming"]:
    incoming = _Incoming(folder / secrets.token_hex(8), limits)
    try:
        yield incoming
    finally:
        await lane(incoming.discard)


async def _read(request: Request, take: Callable[[bytes], None], lane: Lane, limit: int) -> None:
    request.state.body.take_file(limit)
    pending = bytearray()
    async for chunk in request.stream():
        pending += chunk
        if len(pending) >= CHUNK:
            await lane(take, bytes(pending))
            pending.clear()
    await lane(take, bytes(pending))


def _boundary(request: Request, *, described: bool) -> bytes:
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        texts = ", or texts as application/json" if described else ""
        raise Refusal(415, "not-multipart", f"send files as multipart/form-data{texts}")
    return options[b"boundary"]


class _Incoming:
    """Files of one request on their way to the disk, in a folder of its own."""

    def __init__(self, folder: Path, limits: UploadLimits) -> None:
        self.uploads: list[Upload] = []
        self._folder = folder
        self._limits = limits
        self._file: BinaryIO | None = None

    def begin(self, name: str, id_: str = "") -> None:
        """The next file; raises `Refusal` (413) where there are too many."""
        if len(self.uploads) == self._limits.files:
            raise Refusal(
                413, "too-many-files", f"at most {self._limits.files} files can be sent at once"
            )
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / str(len(self.uploads))
        self._file = path.open("xb")
        self.uploads.append(Upload(name, path, id_))

    def write(self, data: bytes) -> None:
        """More of it. What is too large is not kept; raises `Refusal` (413) where it has no end."""
        upload, limit = self.uploads[-1], self._limits.file_bytes
        upload.size += len(data)
        if upload.size > limit and not upload.too_large:
            upload.too_large = True
            self.close()
            upload.path.unlink()
        if upload.size > self._limits.endless:
            raise Refusal(
                413, "too-large", f"a file is far larger than the {limit:,} bytes taken", CLOSE
            )
        if self._file:
            self._file.write(data)
            upload.digest.update(data)

    def close(self) -> None:
        """It is over."""
        if self._file:
            self._file.close()
            self._file = None

    def discard(self) -> None:
        """Remove what is left."""
        with suppress(OSError):  # of bytes that no longer fit on the disk
            self.close()
        shutil.rmtree(self._folder, ignore_errors=True)


_TAKES = {
    False: "every part of the form must be a file with a name",
    True: "every part of the form must be a file with a name, or the field `payload`",
}


class _Form:
    """Takes the files out of one form as its bytes come in."""

    def __init__(self, boundary: bytes, incoming: _Incoming, *, described: bool) -> None:
        self._incoming = incoming
        self._described = described
        self._payload: bytearray | None = None
        self._is_file = False
        self._name = self._value = b""
        self._headers: dict[bytes, bytes] = {}
        self._whole = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._on_part_begin,
                    "on_header_begin": self._on_header_begin,
                    "on_header_field": self._on_header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers_finished,
                    "on_part_data": self._on_part_data,
                    "on_part_end": incoming.close,
                    "on_end": self._on_end,
                },
            )
        except FormParserError as error:
            raise Refusal(422, "malformed-form", str(error)) from error

    def feed(self, data: bytes) -> None:
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise Refusal(
                422, "malformed-form", f"the multipart form is malformed: {error}"
            ) from error

    def check(self) -> None:
        if not self._whole:
            raise Refusal(422, "malformed-form", "the multipart form is cut short")
        if not self._incoming.uploads:
            raise Refusal(422, "no-files", "the form holds no file")
        if self._payload is not None:
            describe(self._incoming.uploads, bytes(self._payload))

    def _on_part_begin(self) -> None:
        self._headers = {}

    def _on_header_begin(self) -> None:
        self._name = self._value = b""

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[self._name.lower()] = self._value

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        self._is_file = b"filename" in options
        if not self._is_file:
            if not self._described or options.get(b"name") != b"payload":
                raise Refusal(422, "not-a-file", _TAKES[self._described])
            if self._payload is not None:
                raise Refusal(422, "invalid-payload", "the form has more than one `payload`")
            self._payload = bytearray()
            return
        self._incoming.begin(clean_name(options[b"filename"].decode("utf-8", "replace")))

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._incoming.write(data[start:end])
        elif self._payload is not None:
            self._payload += data[start:end]
            if len(self._payload) > MAX_PAYLOAD:
                raise Refusal(413, "too-large", f"`payload` is larger than {MAX_PAYLOAD:,} bytes")

    def _on_end(self) -> None:
        self._whole = True


def describe(uploads: Sequence[Upload], said: bytes) -> None:
    """Give each its payload, by what a client says in JSON. Raises `Refusal` (422)."""
    try:
        payloads = _PAYLOADS.validate_json(said)
    except ValidationError as error:
        raise Refusal(
            422, "invalid-payload", "`payload` is no JSON object, and no list of one for each file"
        ) from error
    if isinstance(payloads, dict):
        payloads = [payloads] * len(uploads)
    if len(payloads) != len(uploads):
        raise Refusal(
            422,
            "invalid-payload",
            f"`payload` lists {len(payloads)} objects, for {len(uploads)} files",
        )
    for upload, payload in zip(uploads, payloads, strict=True):
        upload.payload = payload


def clean_name(name: str) -> str:
    """A client's file name to show, never to open: the last component, printable, not too long."""
    last = PurePosixPath(name.replace("\\", "/")).name
    return "".join(char for char in last if char.isprintable())[-255:] or "unnamed"
