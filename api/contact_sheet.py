"""Answers as one self-contained HTML page with pictures, to look at without a server."""

import html
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from api.cli.render import moment, name
from retrieval import Answer, Found

Thumbnail = Callable[[Found], bytes | None]
"""A small JPEG of a hit, or None where its file cannot be read any more."""

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


def write_sheet(path: Path, title: str, sections: Sequence[Section], thumbnail: Thumbnail) -> None:
    """Write the page; the pictures are inside it."""
    body = "\n".join(_section(section, thumbnail) for section in sections)
    path.write_text(PAGE.format(title=html.escape(title), sections=body), "utf-8")


def _section(section: Section, thumbnail: Thumbnail) -> str:
    answer = section.answer
    poor = answer.good_match is False
    note = " · ".join(filter(None, [section.note, "no good match; the closest:" if poor else ""]))
    hits = "\n".join(_figure(found, thumbnail) for found in answer.hits)
    heading = (
        f'<h2 dir="auto">{html.escape(section.heading)}<small>{html.escape(note)}</small></h2>'
    )
    return f'<section class="{"poor" if poor else "good"}">{heading}\n<ol>{hits}</ol></section>'


def _figure(found: Found, thumbnail: Thumbnail) -> str:
    picture = thumbnail(found)
    source = f"data:image/jpeg;base64,{b64encode(picture).decode()}" if picture else ""
    caption = " · ".join(filter(None, [name(found), moment(found), f"{found.score:.3f}"]))
    alt = html.escape(caption)
    return f'<li><figure><img src="{source}" alt="{alt}"><figcaption>{alt}</figcaption></figure>'
