"""Filters built from what the collection holds."""

import re
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, expect

from encoders.fake import COLOURS
from tests.api.conftest import fill
from tests.api.page.browsing import both_widths, search, settled, watched
from tests.api.server import Served, serving
from tests.media import encoded, plain


def pill(page: Page, name: str) -> None:
    page.locator("#pills").get_by_role("button", name=name).click()


def tick(page: Page, name: str) -> None:
    page.locator("#menu").get_by_role("checkbox", name=name).check()


def tiles(page: Page, count: int) -> None:
    settled(page)
    expect(page.locator(".tile")).to_have_count(count)


@both_widths
def test_a_filter_has_an_address(pictures: Page) -> None:
    pill(pictures, "Camera")
    tick(pictures, "Leica Q2")
    tiles(pictures, 20)
    assert pictures.url.endswith("?is.camera=Leica+Q2")
    tick(pictures, "Nikon Z6")
    tiles(pictures, 40)
    pictures.keyboard.press("Escape")
    expect(pictures.locator("#menu")).to_be_hidden()
    pictures.reload()
    tiles(pictures, 40)
    expect(pictures.locator(".pill.on")).to_have_text("Camera: 2")
    pictures.go_back()
    tiles(pictures, 20)
    pictures.go_forward()
    tiles(pictures, 40)
    assert pictures.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_filters_narrow_a_search(pictures: Page) -> None:
    search(pictures, "yellow")
    pill(pictures, "Date")
    pictures.locator("#menu").get_by_role("button", name="2021").click()
    expect(pictures.locator(".pill.on")).to_have_text("2021")
    tiles(pictures, 10)
    expect(pictures.locator(".tile .name").first).to_have_text("yellow-2021.jpg")
    pill(pictures, "Tags")
    tick(pictures, "warm")
    tiles(pictures, 3)
    pictures.keyboard.press("Escape")
    pictures.get_by_role("button", name="Clear all").click()
    expect(pictures.locator(".pill.on")).to_have_count(0)
    expect(pictures.get_by_role("searchbox")).to_have_value("yellow")


def test_days_and_numbers_have_ends(pictures: Page) -> None:
    pill(pictures, "Date")
    pictures.locator("#menu").get_by_label("From").fill("2023-06-15")
    pictures.locator("#menu").get_by_label("From").blur()
    tiles(pictures, 20)
    pictures.locator("#menu").get_by_label("To").fill("2023-06-15")
    pictures.locator("#menu").get_by_label("To").blur()
    tiles(pictures, 10)
    pictures.locator("#menu").get_by_role("button", name="Clear").click()
    pictures.keyboard.press("Escape")
    pill(pictures, "Stars")
    tick(pictures, "6")
    tiles(pictures, 10)


def test_only_fields_that_help_are_offered(pictures: Page) -> None:
    settled(pictures)
    expect(pictures.locator(".pill:not(.ask)")).to_have_text(
        ["Date", "Tags", "Camera", "Folder", "Stars"]
    )


def test_a_fact_leads_to_all_that_share_it(pictures: Page) -> None:
    search(pictures, "red")
    for fact, count in (("Leica Q2|Nikon Z6|Fuji X100", 20), ("N, 9.13° W", 10), ("June 15", 10)):
        pictures.locator(".door").first.click()
        pictures.get_by_role("dialog").get_by_role("button", name=re.compile(fact)).click()
        expect(pictures.get_by_role("dialog")).to_be_hidden()
        tiles(pictures, count)
        expect(pictures.get_by_role("searchbox")).to_have_value("")
        expect(pictures.locator(".pill.on")).to_have_count(1)


def test_by_keyboard(pictures: Page) -> None:
    settled(pictures)
    pictures.locator("#pills button").nth(2).focus()
    pictures.keyboard.press("Enter")
    first = pictures.locator("#menu input").first
    expect(first).to_be_focused()
    pictures.keyboard.press("Space")
    tiles(pictures, 20)
    expect(first).to_be_focused()
    expect(first).to_be_checked()
    pictures.keyboard.press("Escape")
    expect(pictures.locator("#pills button").nth(2)).to_be_focused()
    assert "is.camera" in pictures.url


def test_nothing_within_the_filters(pictures: Page, album: Served) -> None:
    pictures.goto(f"{album.url}/?is.camera=Hasselblad&is.mood=calm")
    expect(pictures.get_by_role("heading", name="Nothing within these filters")).to_be_visible()
    pictures.get_by_role("button", name="Mood, remove").click()
    expect(pictures.locator(".pill.on")).to_have_count(1)
    pictures.get_by_role("button", name="Clear filters").click()
    expect(pictures.locator(".pill.on")).to_have_count(0)
    expect(pictures.locator(".tile").first).to_be_visible()


def test_a_field_that_nothing_has_is_said(pictures: Page, album: Served) -> None:
    pictures.goto(f"{album.url}/?q=red&is.mood=calm")
    expect(pictures.locator("#notice")).to_contain_text("no point has a field 'mood'")
    pictures.get_by_role("button", name="Search without filters").click()
    expect(pictures.locator(".tile .name").first).to_contain_text("red")


def test_an_address_that_makes_no_sense(context: BrowserContext, album: Served) -> None:
    page = watched(context, album.url, [])
    page.goto(f"{album.url}/?from.taken=yesterday&near=here&kind=sound&n=x")
    expect(page.locator("#notice")).to_contain_text("yesterday")
    page.get_by_role("link", name="start page").click()
    expect(page.locator(".tile").first).to_be_visible()


def test_uploads_have_a_name_among_the_folders(context: BrowserContext, tmp_path: Path) -> None:
    folder = tmp_path / "Pictures"
    folder.mkdir()
    for colour in COLOURS:
        (folder / f"{colour}.jpg").write_bytes(encoded(plain(colour)))
    with serving(tmp_path / "data", collection="colours") as served:
        fill(served.installation, "colours", folder)
        files = [("files", (f"{colour}.png", encoded(plain(colour), "PNG"))) for colour in COLOURS]
        served.client.post("/v1/collections/colours/assets", files=files).raise_for_status()
        page = watched(context, served.url, [])
        page.goto(served.url)
        settled(page)
        pill(page, "Folder")
        values = page.locator("#menu .option span:first-of-type")
        expect(values).to_have_count(2)
        assert set(values.all_text_contents()) == {"Pictures", "Uploads"}
        tick(page, "Uploads")
        tiles(page, len(COLOURS))
        page.reload()
        tiles(page, len(COLOURS))
        expect(page.locator(".pill.on")).to_have_text("Uploads")
