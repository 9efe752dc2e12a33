"""`polylens segment`"""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import CollectionName, Data, Device, installation
from api.cli.render import printable
from api.heads import Heads
from api.installation import Installation
from encoders import InvalidInput
from indexer import Filter, Record

if TYPE_CHECKING:
    from PIL import Image

    from api.media import Originals
    from encoders.heads.segmentation import Segmentation, Segmenter

SIDE = 1536
"""Longest side of what is segmented, in pixels: the model sees 504 on the short one."""
KEY = "areas"
"""Payload key of a picture's classes and their shares."""
SOME_FAILED = 3  # exit code

Segmented = tuple["Image.Image", "Segmentation"]
Segment = Callable[[Path], Segmented]


def segment(
    folder: Annotated[Path | None, typer.Argument(help="Folder or file of photos.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for class maps and overlays.")
    ] = None,
    tag: Annotated[
        bool,
        typer.Option(
            "--tag", help="Write class shares into the payloads of a collection's images."
        ),
    ] = False,
    data: Data = None,
    collection: CollectionName = None,
    device: Device = None,
) -> None:
    """Segment photos into the 150 classes of ADE20K.

    Prints a line of JSON for each photo of FOLDER with the share of each class. With --tag, the
    shares are written into the payload of every image of a collection, to be filtered on.
    """
    if (folder is None) != tag or (tag and out is not None):
        raise typer.BadParameter("give either a FOLDER (and --out), or --tag for a collection")
    with (
        installation(data=data, collection=collection, device=device) as polylens,
        Heads(polylens.settings).segmenter() as segmenter,
    ):
        run = _segment(polylens, segmenter)
        done = _files(folder, out, run) if folder else _tagged(polylens, run)
        failed = sum(not good for good in done)
    if failed:
        typer.echo(f"polylens: {failed} could not be segmented", err=True)
        raise typer.Exit(SOME_FAILED)


def _segment(polylens: Installation, segmenter: "Segmenter") -> Segment:
    from ingestion import Limits, load_image

    limits = Limits(max_pixels=polylens.settings.max_image_pixels)

    def run(path: Path) -> Segmented:
        image = load_image(path, limits, SIDE)
        image.thumbnail((SIDE, SIDE))
        return image, segmenter.segment(image)

    return run


def _files(folder: Path, out: Path | None, run: Segment) -> Iterator[bool]:
    """Each file's areas as they are found; False for one that could not be segmented."""
    from ingestion import walk

    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    for number, item in enumerate(walk(folder)):
        found = _attempt(str(item.path), partial(run, item.path))
        if found is not None:
            image, result = found
            line = {"file": str(item.path), KEY: _shares(result)}
            typer.echo(printable(json.dumps(line, ensure_ascii=False)))
            if out is not None:
                name = f"{number:06d}-{item.path.stem}"
                result.picture().save(out / f"{name}-classes.png")
                result.overlay(image).save(out / f"{name}-overlay.png")
        yield found is not None


def _tagged(polylens: Installation, run: Segment) -> Iterator[bool]:
    """Each image of the collection, as its payload is written."""
    from api.media import Originals

    collection, originals = polylens.store.open(polylens.settings.collection), Originals(polylens)
    images = Filter.parse({"must": [{"key": "kind", "match": {"value": "image"}}]})
    page = collection.scroll(images, limit=100)
    while True:
        for record in page.records:
            found = _attempt(record.asset, partial(_stored, originals, record, run))
            if found is not None:
                collection.set_payload([record.id], {KEY: _shares(found[1])})
            yield found is not None
        if page.next is None:
            return
        page = collection.scroll(images, limit=100, after=page.next)


def _stored(originals: "Originals", record: Record, run: Segment) -> Segmented:
    return run(originals.find(record).path)


def _attempt(name: str, run: Callable[[], Segmented]) -> Segmented | None:
    """What `run` gives; None where it cannot, once the reason is told."""
    from api.media import Gone
    from api.problems import Refusal
    from ingestion import MediaError

    try:
        return run()
    except (MediaError, InvalidInput, Gone, Refusal) as error:
        reason = error.detail if isinstance(error, Refusal) else error
        typer.echo(f"{printable(name)}: {reason}", err=True)
        return None


def _shares(result: "Segmentation") -> dict[str, float]:
    return {name: round(share, 4) for name, share in result.areas().items()}
