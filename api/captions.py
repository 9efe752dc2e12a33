"""Generate captions of ingested media and store them in their payloads."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

from api.installation import Installation
from api.stored import picture_of
from encoders import EncoderInfo, InvalidOption
from indexer import Collection, Filter, Record
from indexer.base import Page
from ingestion import Seen

KEY = "caption"
BATCH = 16  # pictures that are captioned together
BARE = Filter.parse(
    {
        "must": [
            {"key": "kind", "match": {"any": ["image", "segment"]}},
            {"is_empty": {"key": KEY}},
        ]
    }
)
"""Pictures, and moments of videos by the frame that stands for them, that have no caption yet."""


@dataclass(frozen=True)
class Captioned:
    """How many captions were written so far, and how many pictures could not be had."""

    written: int = 0
    left_out: int = 0


class Captioner:
    """Writes captions by the encoder of a collection, an InternVL-G.

    A caption that is there, whoever wrote it, stays; so this can be stopped and repeated.
    """

    def __init__(self, installation: Installation, collection: Collection | None) -> None:
        """Raises `InvalidOption` where its encoder writes none; `collection` may be yet to come."""
        self._installation = installation
        self._encoder = installation.encoder(collection)
        require_captions(self._encoder.info)

    def run(self, collection: Collection, assets: Seen) -> Generator[Captioned]:
        """Caption what of the `assets` has none; tells how far it is after every few pictures."""
        done = Captioned()
        for page in _pages(collection):
            wanted = [record for record in page.records if record.asset in assets]
            written = self._caption(collection, wanted)
            done = replace(
                done,
                written=done.written + written,
                left_out=done.left_out + len(wanted) - written,
            )
            yield done

    def _caption(self, collection: Collection, records: list[Record]) -> int:
        """How many of the records got a caption."""
        pictures = [picture_of(self._installation, record) for record in records]
        shown = [(record, one) for record, one in zip(records, pictures, strict=True) if one]
        captions = self._encoder.caption([one for _, one in shown]) if shown else []
        for (record, _), caption in zip(shown, captions, strict=True):
            collection.set_payload([record.id], {KEY: caption})
        return len(shown)


def require_captions(info: EncoderInfo) -> None:
    """Raises `InvalidOption` unless the encoder writes captions."""
    if "caption" not in info.abilities:
        raise InvalidOption(
            f"the encoder {info.name}, as it is loaded, cannot write captions: that needs "
            "InternVL-14B (the encoder internvl-g) with both towers. Leave captions out to ingest "
            "without them"
        )


def _pages(collection: Collection) -> Iterator[Page]:
    page = collection.scroll(BARE, limit=BATCH)
    yield page
    while page.next is not None:
        page = collection.scroll(BARE, limit=BATCH, after=page.next)
        yield page
