"""Texts that clients send, as items to ingest."""

from api.payloads import SOURCE, check_said
from api.schemas.assets import TextItem
from ingestion import Item, MediaError
from ingestion.items import text_asset
from ingestion.sidecars import MAX_TEXT


def text_item(given: TextItem) -> Item:
    """Raises `MediaError` for a text, or a payload, that is no good."""
    text = given.text.strip()
    if not text:
        raise MediaError("an empty text")
    if len(text.encode()) > MAX_TEXT:
        raise MediaError(f"more than {MAX_TEXT >> 10} kB of text")
    check_said(given.payload, "text")
    if given.id is None and not given.payload:
        return Item(text_asset(text), text=text)
    asset = text_asset(text) if given.id is None else f"id:{given.id}"
    return Item(asset, text=text, payload=given.payload, source=SOURCE)
