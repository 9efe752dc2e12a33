"""Render answers as one self-contained HTML page with pictures, viewable without a server."""

import html
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from api.cli.render import moment, name
from api.installation import Installation
from api.media import Gone, Originals
from api.problems import Refusal
from api.thumbnails import Thumbnails
from indexer import Collection, Record
from ingestion import Limits, MediaError
from retrieval import Answer, Found

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }}
body {{ max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }}
h2 {{ font-weight: 600; margin: 2.5rem 0 .75rem; }}
h2 small, figcaption {{ color: color-mix(in srgb, currentColor 60%, transparent); }}
h2 small {{ font-weight: 400; font-size: .9rem; margin-inline-start: .5rem; }}
ol {{ display: flex; flex-wrap: wrap; gap: 1rem; list-style: none; padding: 0; }}
figure {{ margin: 0; width: 13rem; }}
img {{ width: 100%; height: 9rem; object-fit: cover; border-radius: .5rem; background: #8882; }}
figcaption {{ font-size: .85rem; overflow-wrap: anywhere; }}
.poor img {{ opacity: .45; }}
</style>
<h1>{title}</h1>
{sections}
</html>
"""


@dataclass(frozen=True)
class Section:
    """One query and its answer; `note` stands beside the heading."""

    heading: str
    answer: Answer
    note: str = ""


class ContactSheet:
    """Writes answers from one collection as a page with the pictures inside it."""

    def __init__(self, installation: Installation, collection: Collection) -> None:
        self._collection = collection
        limits = Limits(max_pixels=installation.settings.max_image_pixels)
        self._thumbnails = Thumbnails(installation.media, Originals(installation), limits)

    def write(self, path: Path, title: str, sections: Sequence[Section]) -> None:
        """Write the page to `path`."""
        body = "\n".join(self._section(section) for section in sections)
        path.write_text(PAGE.format(title=html.escape(title), sections=body), "utf-8")

    def _section(self, section: Section) -> str:
        poor = section.answer.good_match is False
        note = " · ".join(filter(None, [section.note, "nothing relevant; the closest:" * poor]))
        good = [hit for hit in section.answer.hits if hit.good_match is not False]
        hits = "\n".join(map(self._figure, good or section.answer.hits))
        return (
            f'<section class="{"poor" if poor else "good"}"><h2 dir="auto">'
            f"{html.escape(section.heading)}<small>{html.escape(note)}</small></h2>\n"
            f"<ol>{hits}</ol></section>"
        )

    def _figure(self, found: Found) -> str:
        picture = self._picture(found)
        source = f"data:image/webp;base64,{b64encode(picture).decode()}" if picture else ""
        caption = " · ".join(filter(None, [name(found), moment(found), f"{found.score:.3f}"]))
        text = html.escape(caption)
        return f'<li><figure><img src="{source}" alt=""><figcaption>{text}</figcaption></figure>'

    def _picture(self, found: Found) -> bytes | None:
        """The thumbnail of an image, or of the best moment of a video."""
        record = Record(found.id, found.asset, found.payload)
        if found.moments:
            record = next(iter(self._collection.get([found.moments[0].id])), record)
        try:
            return self._thumbnails.get(record, "grid").read_bytes()
        except (Gone, MediaError, Refusal):
            return None
