"""The page in a real browser, at desktop and phone width."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.api.conftest import fill
from tests.api.page.browsing import PHONE, both_widths, choose, names, search, time_past, watched
from tests.api.routes.test_session import DIGEST, KEY
from tests.api.server import Served, serving
from tests.media import encoded, plain


@both_widths
def test_start_shows_the_collection(page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator("#inventory")).to_contain_text("10 photos and 1 video")
    expect(page.locator(".tile")).to_have_count(11)
    expect(page.locator(".door img.ready").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@both_widths
def test_search_by_text_has_an_address(page: Page) -> None:
    search(page, "yellow")
    expect(page.get_by_role("status")).to_contain_text("yellow")
    assert names(page)[0] == "yellow.jpg"
    assert page.url.endswith("?q=yellow")
    search(page, "magenta")
    page.go_back()
    expect(page.get_by_role("searchbox")).to_have_value("yellow")
    expect(page.locator(".tile .name").first).to_have_text("yellow.jpg")
    page.reload()
    expect(page.locator(".tile .name").first).to_have_text("yellow.jpg")


def test_text_in_another_direction(page: Page) -> None:
    search(page, "أحمر")
    box = page.get_by_role("searchbox")
    assert box.evaluate("(box) => getComputedStyle(box).direction") == "rtl"


@both_widths
def test_search_by_a_chosen_picture(page: Page) -> None:
    choose(page, "mine.png", encoded(plain("cyan"), "PNG"))
    expect(page.get_by_role("img", name="Searching with mine.png")).to_be_visible()
    expect(page.locator(".tile .name").first).to_have_text("cyan.jpg")
    page.get_by_role("button", name="Remove the query image").click()
    expect(page.get_by_role("heading", name="What do you remember?")).to_be_visible()


def test_search_by_a_dropped_picture(page: Page) -> None:
    drop = """(bytes) => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(bytes)], "drop.jpg", { type: "image/jpeg" }));
      for (const type of ["dragover", "drop"])
        document.dispatchEvent(new DragEvent(type, { dataTransfer: data, cancelable: true }));
    }"""
    page.evaluate(drop, list(encoded(plain("purple"))))
    expect(page.locator(".tile .name").first).to_have_text("purple.jpg")
    assert page.locator("body.dropping").count() == 0


def test_picture_and_words_together(page: Page) -> None:
    search(page, "white")
    choose(page, "mine.png", encoded(plain("red"), "PNG"))
    expect(page.get_by_role("status")).to_contain_text("this picture and “white”")


def test_a_query_file_that_is_no_picture(context: BrowserContext, library: Served) -> None:
    complaints: list[str] = []
    page = watched(context, library.url, complaints)
    page.goto(library.url)
    choose(page, "notes.txt", b"milk, bread")
    expect(page.locator("#notice")).to_contain_text("ot an image of a supported format")
    assert all("422" in complaint for complaint in complaints)


@both_widths
def test_a_video_plays_at_its_moment(page: Page) -> None:
    search(page, "green")
    page.get_by_role("button", name=re.compile("film.mp4, video, best moment at 0:04")).click()
    viewer = page.get_by_role("dialog")
    expect(viewer.get_by_role("heading", name="film.mp4")).to_be_visible()
    assert 4 <= time_past(page, 4) < 8
    page.evaluate("document.querySelector('video').pause()")
    page.evaluate("document.querySelector('video').currentTime = 0")
    viewer.get_by_role("button", name="Play from 0:04").click()
    assert 4 <= time_past(page, 4) < 8
    assert "at=" in page.url
    page.keyboard.press("Escape")
    expect(viewer).to_be_hidden()
    page.wait_for_url(re.compile(r"\?q=green$"))


def test_the_address_of_an_open_picture(page: Page) -> None:
    search(page, "orange")
    page.locator(".door").first.click()
    viewer = page.get_by_role("dialog")
    expect(viewer.get_by_role("heading", name="orange.jpg")).to_be_visible()
    page.reload()
    expect(viewer.get_by_role("heading", name="orange.jpg")).to_be_visible()
    page.go_back()
    expect(viewer).to_be_hidden()
    assert names(page)[0] == "orange.jpg"


def test_more_like_this(page: Page) -> None:
    search(page, "blue")
    page.locator(".door", has=page.get_by_text("blue.jpg")).click()
    page.get_by_role("dialog").get_by_role("button", name="More like this").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.locator("#chips")).to_be_visible()
    page.wait_for_url(re.compile("like="))
    expect(page.locator("#grid")).not_to_have_attribute("aria-busy", "true")
    assert "blue.jpg" not in names(page)


def test_only_videos(page: Page) -> None:
    page.get_by_role("button", name="Videos", exact=True).click()
    expect(page.locator(".tile")).to_have_count(1)
    search(page, "red")
    expect(page.locator(".tile")).to_have_count(1)
    page.get_by_role("button", name="Photos", exact=True).click()
    expect(page.locator(".tile")).to_have_count(10)


def test_by_keyboard_alone(page: Page) -> None:
    expect(page.locator(".door").first).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("red")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("red")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".door").nth(0)).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".door").nth(1)).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.locator(".door").nth(1)).not_to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Home")
    expect(page.locator(".door").nth(0)).to_be_focused()
    page.keyboard.press("Enter")
    viewer = page.get_by_role("dialog")
    first = viewer.get_by_role("heading", level=2).text_content()
    page.keyboard.press("ArrowRight")
    expect(viewer.get_by_role("heading", level=2)).not_to_have_text(first or "")
    page.keyboard.press("Escape")
    expect(viewer).to_be_hidden()
    expect(page.locator(".door").nth(1)).to_be_focused()


def test_everything_to_press_has_a_name(page: Page) -> None:
    search(page, "red")
    page.locator(".door").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, a, select, input:not([hidden])")]
          .filter((node) => !(node.ariaLabel || node.textContent.trim() || node.labels?.length))
          .map((node) => node.outerHTML)"""
    )
    assert nameless == []


@both_widths
def test_no_good_match_is_said(context: BrowserContext, library: Served) -> None:
    page = watched(context, library.url, [])
    page.goto(library.url)
    search(page, "submarine")
    expect(page.get_by_role("heading", name="No good match for “submarine”")).to_be_visible()
    expect(page.locator("#grid .tile.faint")).to_have_count(11)
    search(page, "red")
    expect(page.locator("#grid .tile").first).not_to_have_class("tile faint")
    expect(page.locator("#grid .tile").last).to_have_class("tile faint")


@pytest.mark.parametrize("context", [PHONE], indirect=True)
def test_a_lone_best_match_fills_its_row_on_a_phone(
    context: BrowserContext, library: Served
) -> None:
    page = watched(context, library.url, [])
    page.goto(library.url)
    search(page, "cyan")
    best = page.locator("#grid .tile:not(.faint)")
    expect(best).to_have_count(1)
    tile, grid = best.bounding_box(), page.locator("#grid").bounding_box()
    assert tile is not None
    assert grid is not None
    assert tile["width"] == grid["width"]


def test_nothing_ingested_yet(context: BrowserContext, tmp_path: Path) -> None:
    with serving(tmp_path) as empty:
        complaints: list[str] = []
        page = watched(context, empty.url, complaints)
        page.goto(empty.url)
        expect(page.locator("#notice")).to_contain_text("polylens ingest")
        assert complaints == []


def test_several_collections(context: BrowserContext, tmp_path: Path, photos: Path) -> None:
    with serving(tmp_path, collection="colours") as served:
        fill(served.installation, "colours", photos)
        served.installation.create("another")
        page = watched(context, served.url, [])
        page.goto(served.url)
        choice = page.get_by_label("Collection")
        expect(choice).to_have_value("colours")
        choice.select_option("another")
        expect(page.locator("#notice")).to_contain_text("Nothing here yet")
        page.reload()
        expect(choice).to_have_value("another")
        page.go_back()
        expect(choice).to_have_value("colours")
        expect(page.locator(".tile")).to_have_count(11)


def test_signing_in(context: BrowserContext, tmp_path: Path, photos: Path) -> None:
    with serving(tmp_path, collection="colours", api_keys=[DIGEST]) as served:
        fill(served.installation, "colours", photos)
        page = watched(context, served.url, [])
        page.goto(served.url)
        page.get_by_label("API key").fill("wrong")
        page.get_by_role("button", name="Open").click()
        expect(page.get_by_role("alert")).to_contain_text("not known")
        page.get_by_label("API key").fill(KEY)
        page.get_by_role("button", name="Open").click()
        expect(page.locator(".door img.ready").first).to_be_visible()
        assert page.evaluate("document.cookie") == ""
        page.reload()
        expect(page.locator(".tile")).to_have_count(11)


def test_the_api_page_lists_every_operation(context: BrowserContext, library: Served) -> None:
    complaints: list[str] = []
    page = watched(context, library.url, complaints)
    page.goto(f"{library.url}/docs")
    page.locator("summary", has_text="combination of weighted texts").click()
    expect(page.get_by_role("cell", name="parts", exact=True).first).to_be_visible()
    assert complaints == []
