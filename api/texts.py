"""Texts that clients send, as items to ingest."""

from typing import Any

from api.schemas.assets import TextItem
from indexer.errors import InvalidPoint
from indexer.payload import check_payload
from ingestion import Item, MediaError
from ingestion.items import text_asset
from ingestion.payloads import OURS
from ingestion.sidecars import MAX_TEXT

SOURCE = "upload:"
"""Of texts that say more than their words, so that it is noticed when that changes."""


def text_item(given: TextItem) -> Item:
    """Raises `MediaError` for a text, or a payload, that is no good."""
    text = given.text.strip()
    if not text:
        raise MediaError("an empty text")
    if len(text.encode()) > MAX_TEXT:
        raise MediaError(f"more than {MAX_TEXT >> 10} kB of text")
    payload = _checked(given.payload)
    if given.id is None and not payload:
        return Item(text_asset(text), text=text)
    asset = text_asset(text) if given.id is None else f"id:{given.id}"
    return Item(asset, text=text, payload=payload, source=SOURCE)


def _checked(payload: dict[str, Any]) -> dict[str, Any]:
    if kept := sorted(payload.keys() & (OURS | {"text"})):
        raise MediaError(f"the payload key {kept[0]!r} says what the text itself does")
    try:
        check_payload(payload)
    except InvalidPoint as error:
        raise MediaError(str(error)) from error
    return payload
