"""One served library of colours for the tests that only read, and a web server to fetch from."""

import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api.installation import Installation
from encoders.fake import COLOURS
from ingestion import ingest, walk
from tests.api.server import Served, serving
from tests.ingestion.web_server import WebServer, web_server
from tests.media import encoded, frames, plain, save_video

FILM = ("red", "green", "blue")  # four seconds each
FPS = 10


def fill(installation: Installation, collection: str, folder: Path) -> None:
    """Ingest a folder as the command line does."""
    installation.roots.add(folder)
    target = installation.open_or_create(collection)
    for _ in ingest(walk(folder), installation.encoder(), target):
        pass


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a picture of each colour and a film of three."""
    folder = tmp_path_factory.mktemp("photos")
    for colour in COLOURS:
        (folder / f"{colour}.jpg").write_bytes(encoded(plain(colour)))
    save_video(folder / "film.mp4", frames(FILM, each=4 * FPS), fps=FPS)
    return folder


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Iterator[Served]:
    """A service with those photos in the collection `colours`; do not change it."""
    with serving(tmp_path_factory.mktemp("library"), collection="colours") as served:
        fill(served.installation, "colours", photos)
        yield served


@pytest.fixture
def client(library: Served) -> httpx.Client:
    return library.client


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Served]:
    """A service of its own with an empty collection `default`."""
    with serving(tmp_path / "data") as served:
        served.installation.create("default")
        yield served


@pytest.fixture
def web() -> Iterator[WebServer]:
    """Whose /slow.jpg comes when it is let go."""
    with web_server() as web:
        web.files["/slow.jpg"] = encoded(plain("blue"))
        web.held["/slow.jpg"] = threading.Event()
        yield web
        web.held["/slow.jpg"].set()
