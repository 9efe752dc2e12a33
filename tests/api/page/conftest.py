"""A real browser, a library of colours, and an album with something to filter on."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright

from encoders.fake import COLOURS
from tests.api.conftest import fill
from tests.api.page.browsing import DESKTOP, PHONE, watched
from tests.api.server import Served, serving
from tests.media import encoded, plain
from tests.parts import require_part

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
require_part(CHROMIUM is not None, "chromium, a browser for the page (apt install chromium),")
expect.set_options(timeout=15_000)  # a busy machine is no fault of the page
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--mute-audio"]
YEARS = range(2019, 2025)
CAMERAS = ("Leica Q2", "Nikon Z6", "Fuji X100")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    size: ViewportSize = getattr(request, "param", DESKTOP)
    context = browser.new_context(
        viewport=size, has_touch=size is PHONE, is_mobile=size is PHONE, reduced_motion="reduce"
    )
    context.set_default_timeout(20_000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, library: Served) -> Iterator[Page]:
    """The start page; fails if it ever complains, or asks anyone but its own server."""
    complaints: list[str] = []
    page = watched(context, library.url, complaints)
    page.goto(library.url)
    yield page
    assert complaints == []


@pytest.fixture(scope="package")
def album(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Iterator[Served]:
    """Sixty photos of the colours, by year, camera, folder, tag and place, and a film."""
    folder = tmp_path_factory.mktemp("album")
    for at, year in enumerate(YEARS):
        for colour in COLOURS:
            _save(folder / str(year) / f"{colour}-{year}.jpg", colour, year, CAMERAS[at % 3])
    shutil.copy(photos / "film.mp4", folder)
    with serving(tmp_path_factory.mktemp("albums"), collection="album") as served:
        fill(served.installation, "album", folder)
        yield served


@pytest.fixture
def pictures(context: BrowserContext, album: Served) -> Iterator[Page]:
    """The start page of the album, watched as `page` is."""
    complaints: list[str] = []
    page = watched(context, album.url, complaints)
    page.goto(album.url)
    yield page
    assert complaints == []


def _save(path: Path, colour: str, year: int, camera: str) -> None:
    exif = Image.Exif()
    exif[Base.Model] = camera
    exif.get_ifd(IFD.Exif)[Base.DateTimeOriginal] = f"{year}:06:15 12:00:00"
    exif.get_ifd(IFD.GPSInfo).update(
        {
            GPS.GPSLatitude: (year - 1980.0, 0.0, 0.0),
            GPS.GPSLatitudeRef: "N",
            GPS.GPSLongitude: (9.0, 8.0, 0.0),
            GPS.GPSLongitudeRef: "W",
        }
    )
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(encoded(plain(colour), exif=exif))
    tags = ["warm"] if colour in ("red", "orange", "yellow") else ["other", colour]
    path.with_suffix(".json").write_text(json.dumps({"tags": tags, "stars": year - 2018}))
