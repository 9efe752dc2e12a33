"""Sidecar files of a picture: a caption (`.txt`), metadata (`.json`), a class (`.cls`)."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from indexer.errors import InvalidPoint
from indexer.payload import check_payload
from ingestion.errors import MediaError
from ingestion.payloads import allowed

MAX_TEXT = 64 << 10  # bytes
MAX_FACTS = 512 << 10
SUFFIXES = (".txt", ".json")


@dataclass
class Said:
    """`payload` to add, `text` the caption, `note` what could not be used and why."""

    payload: dict[str, Any] = field(default_factory=dict)
    text: str = ""
    note: str = ""


def candidates(name: str) -> Iterator[str]:
    """The names that sidecars of a file may have, from `a.jpg`: `a.txt` and `a.jpg.txt`."""
    stem = PurePosixPath(name).stem
    for suffix in SUFFIXES:
        yield from (f"{stem}{suffix}", f"{name}{suffix}")


def read_sidecars(paths: Iterable[Path]) -> Said:
    """What local files say; one that is no good is left out with a note."""
    return combined((path.name, _bytes(path)) for path in paths)


def combined(parts: Iterable[tuple[str, bytes | MediaError]]) -> Said:
    """What sidecars say by their names, the later over the earlier."""
    said, notes = Said(), []
    for name, data in parts:
        try:
            if isinstance(data, MediaError):
                raise data
            _add(said, PurePosixPath(name).suffix.lower(), data)
        except MediaError as error:
            shown = name.encode(errors="replace").decode()
            notes.append(f"{shown} beside it is left out: {error}")
    said.note = "; ".join(notes)
    return said


def decoded_text(data: bytes) -> str:
    """A text file's words; raises `MediaError`."""
    if len(data) > MAX_TEXT:
        raise MediaError(f"more than {MAX_TEXT >> 10} kB of text")
    try:
        return data.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise MediaError("not UTF-8 text") from error


def parsed_facts(data: bytes | str) -> dict[str, Any]:
    """A JSON object that may be a payload, less what is not for others to say; `MediaError`."""
    if len(data) > MAX_FACTS:
        raise MediaError(f"more than {MAX_FACTS >> 10} kB of JSON")
    try:
        found = json.loads(data, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise MediaError(f"not JSON: {error}") from error
    if not isinstance(found, dict):
        raise MediaError("not a JSON object")
    return checked(found)


def checked(facts: dict[str, Any]) -> dict[str, Any]:
    """Facts that can be stored, less what is not for others to say; raises `MediaError`."""
    facts = allowed(facts)
    try:
        check_payload(facts)
    except (InvalidPoint, RecursionError) as error:
        raise MediaError(str(error)) from error
    return facts


def _add(said: Said, suffix: str, data: bytes) -> None:
    if suffix == ".json":
        said.payload |= parsed_facts(data)
        return
    text = decoded_text(data)
    if suffix == ".cls":
        said.payload["class"] = int(text) if text.isdecimal() and len(text) < 10 else text
    elif text:
        said.text = said.payload["text"] = text


def _bytes(path: Path) -> bytes | MediaError:
    try:
        with path.open("rb") as file:
            return file.read(MAX_FACTS + 1)
    except OSError as error:
        return MediaError(f"cannot be read: {error.strerror or error}")


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
