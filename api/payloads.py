"""Payloads that clients send with files and texts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from indexer.errors import InvalidPoint
from indexer.payload import check_payload
from ingestion import Item, MediaError
from ingestion.payloads import OURS

SOURCE = "upload:"
"""Of what comes with a payload, so that it is noticed when that changes."""


def check_said(payload: Mapping[str, Any], what: str) -> None:
    """Raises `MediaError` for a payload that is no good, or tells what only `what` itself may."""
    kept = OURS | {"text"} if what == "text" else OURS
    if refused := sorted(payload.keys() & kept):
        raise MediaError(
            f"the payload key {refused[0]!r} is set by the {what} itself: choose another key"
        )
    try:
        check_payload(dict(payload))
    except InvalidPoint as error:
        raise MediaError(str(error)) from error


def upload_item(asset: str, path: Path, name: str, payload: Mapping[str, Any]) -> Item:
    """An upload to ingest. One without a payload leaves what was said of it before."""
    said = {"name": name, "folder": "", **payload}
    return Item(asset, path, said, source=SOURCE if payload else "")
