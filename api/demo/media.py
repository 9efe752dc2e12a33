"""Real photos that installed packages ship, and a short film made of some of them."""

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

FPS = 12
SHOT = 4  # seconds each photo is shown
SIZE = (640, 480)  # pixels, width and height
ZOOM = 0.15  # how far the camera moves in during a shot


@dataclass(frozen=True)
class Expectation:
    """A query, its language, and the file that answers it; None where nothing does."""

    language: str
    text: str
    file: str | None


@dataclass(frozen=True)
class Script:
    """The demo as data: which photos, which of them make the film, and what is asked."""

    photos: dict[str, list[str]]
    film: list[str]
    queries: list[Expectation]

    @classmethod
    def load(cls) -> "Script":
        raw = json.loads((files("api.demo") / "script.json").read_text("utf-8"))
        queries = [Expectation(*query) for query in raw["queries"]]
        return cls(raw["photos"], raw["film"], queries)


def gather(script: Script, folder: Path) -> None:
    """Copy the photos into `folder` and render the film there.

    Raises `ModuleNotFoundError` where a package that ships photos is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for package, names in script.photos.items():
        for name in names:
            shutil.copyfile(str(files(package) / name), folder / name)
    render([folder / name for name in script.film], folder / "film.mp4")


def render(photos: Sequence[Path], path: Path) -> None:
    """Write an H.264 film that shows each photo for four seconds with a slow zoom."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        for photo in photos:
            for frame in _shot(photo):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def _shot(photo: Path) -> Iterator[NDArray[np.uint8]]:
    with Image.open(photo) as opened:
        image = opened.convert("RGB")
    scale = min(image.width / SIZE[0], image.height / SIZE[1])
    for i in range(FPS * SHOT):
        zoom = scale * (1 - ZOOM * i / (FPS * SHOT))
        left = max(0.0, (image.width - SIZE[0] * zoom) / 2)
        top = max(0.0, (image.height - SIZE[1] * zoom) / 2)
        box = (left, top, image.width - left, image.height - top)
        yield np.asarray(image.resize(SIZE, Image.Resampling.BILINEAR, box=box))
