"""Jobs of the service, begun from the page or seen by it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.api.page.browsing import DESKTOP, file, settled, watched
from tests.api.server import Served, serving
from tests.ingestion.web_server import WebServer
from tests.media import save_pictures

HERE = ["127.0.0.1"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "2026 Reise"
    save_pictures(folder, 3)
    (folder / "broken.jpg").write_bytes(b"no picture")
    return folder


@pytest.fixture
def served(tmp_path: Path, folder: Path) -> Iterator[Served]:
    settings = {"roots": [folder], "fetch_hosts": HERE, "fetch_private_hosts": HERE}
    with serving(tmp_path / "data", **settings) as served:
        served.installation.create("default")
        yield served


@pytest.fixture
def start(context: BrowserContext, served: Served) -> Page:
    page = watched(context, served.url, [])
    page.goto(served.url)
    settled(page)
    return page


def test_a_folder_of_the_server(start: Page, folder: Path) -> None:
    start.locator("#add").click()
    start.get_by_label("folder on the server").fill(str(folder))
    start.get_by_role("button", name="Start").click()
    row = start.locator("#jobs > li")
    expect(row.locator(".file")).to_have_text("2026 Reise → default")
    expect(row.locator(".said")).to_have_text("3 added, 1 failed", timeout=20_000)
    row.get_by_text("What failed").click()
    expect(row).to_contain_text("broken.jpg")
    expect(start.locator("#work")).to_be_hidden()
    start.get_by_role("button", name="Done").click()
    expect(start.locator(".tile")).to_have_count(3)
    expect(start.locator("#jobs > li")).to_have_count(0)


def test_a_folder_that_is_not_allowed(start: Page, folder: Path) -> None:
    start.locator("#add").click()
    start.get_by_label("folder on the server").fill(str(folder.parent))
    start.keyboard.press("Enter")
    expect(start.locator("#adding-wrong")).to_contain_text(str(folder.parent))
    expect(start.locator("#jobs > li")).to_have_count(0)


def test_a_film_is_added_by_a_job(start: Page, photos: Path) -> None:
    start.locator("#add").click()
    start.locator("#files-chosen").set_input_files(
        [file("film.mp4", (photos / "film.mp4").read_bytes()), file("no.mp4", b"no film at all")]
    )
    expect(start.locator("#adding-total")).to_contain_text("1 added", timeout=20_000)
    start.get_by_role("button", name="Done").click()
    expect(start.locator(".tile")).to_have_count(1)
    start.locator(".door").click()
    expect(start.locator("#viewer video")).to_be_visible()


def test_a_job_of_before_is_seen_and_stopped(
    context: BrowserContext, served: Served, web: WebServer
) -> None:
    asked = {"sources": [f"{web.url}/slow.jpg"]}
    served.client.post("/v1/collections/default/jobs", json=asked).raise_for_status()
    for size in (DESKTOP, {"width": 390, "height": 844}):
        page = watched(context, served.url, [])
        page.set_viewport_size({"width": size["width"], "height": size["height"]})
        page.goto(served.url)
        expect(page.get_by_role("button", name="1 job under way")).to_be_visible()
    page.locator("#work").click()
    page.get_by_role("button", name="Stop this job").click()
    expect(page.locator("#jobs .said")).to_contain_text("Stopped", timeout=20_000)
    expect(page.locator("#work")).to_be_hidden()
