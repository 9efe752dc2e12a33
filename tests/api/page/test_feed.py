"""More results as the user scrolls."""

import re
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, Route, expect

from encoders.fake import COLOURS
from tests.api.conftest import fill
from tests.api.page.browsing import both_widths, names, search, settled, watched
from tests.api.server import Served, serving
from tests.media import encoded, plain


def to_the_end(page: Page) -> None:
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")


@both_widths
def test_all_come_once(pictures: Page) -> None:
    settled(pictures)
    to_the_end(pictures)
    expect(pictures.locator(".tile")).to_have_count(61)
    expect(pictures.locator("#more")).to_be_hidden()
    found = names(pictures)
    assert len(set(found)) == 61


@both_widths
def test_what_fits_best_is_never_smaller(context: BrowserContext, tmp_path: Path) -> None:
    for colour in COLOURS:
        (tmp_path / f"{colour}.jpg").write_bytes(encoded(plain(colour)))
    with serving(tmp_path / "data", collection="colours") as served:
        fill(served.installation, "colours", tmp_path)
        page = watched(context, served.url, [])
        page.goto(f"{served.url}/?q=red")
        settled(page)
        expect(page.locator(".divider")).to_have_count(1)
        heights = "tiles => tiles.map(tile => tile.getBoundingClientRect().height)"
        best = page.locator(".tile:not(.faint)").evaluate_all(heights)
        assert min(best) > max(page.locator(".tile.faint").evaluate_all(heights))


def test_a_link_to_a_collection_that_is_gone_leads_to_the_usual_one(
    context: BrowserContext, album: Served
) -> None:
    page = watched(context, album.url, [])
    page.goto(f"{album.url}/?c=gone&q=red")
    expect(page.locator("#notice")).to_contain_text("no collection 'gone'")
    page.get_by_role("button", name="Search album instead").click()
    expect(page.locator(".divider")).to_have_count(1)
    assert page.url == f"{album.url}/?q=red"


def test_what_hardly_fits_comes_when_asked_for(pictures: Page) -> None:
    search(pictures, "red")
    expect(pictures.locator(".divider")).to_have_count(1)
    to_the_end(pictures)
    more = pictures.get_by_role("button", name="less certain")
    expect(more).to_be_visible()
    expect(pictures.locator(".tile")).to_have_count(48)
    more.click()
    expect(pictures.locator(".tile")).to_have_count(61)
    assert len(set(names(pictures))) == 61


def test_a_page_that_fails_can_be_asked_for_again(context: BrowserContext, album: Served) -> None:
    page = watched(context, album.url, [])
    page.goto(album.url)
    settled(page)
    broken = re.compile("points/scroll")
    page.route(broken, lambda route: route.abort())
    to_the_end(page)
    again = page.get_by_role("button", name="Try again")
    expect(again).to_contain_text("cannot be reached")
    expect(page.locator(".tile")).to_have_count(48)
    page.unroute(broken)
    again.click()
    expect(page.locator(".tile")).to_have_count(61)


def test_one_comes_back_to_where_one_was(pictures: Page) -> None:
    settled(pictures)
    to_the_end(pictures)
    expect(pictures.locator(".tile")).to_have_count(61)
    to_the_end(pictures)
    before = pictures.evaluate("scrollY")
    assert before > 400
    search(pictures, "red")
    assert pictures.evaluate("scrollY") == 0
    pictures.go_back()
    expect(pictures.locator(".tile")).to_have_count(61)
    settled(pictures)
    assert abs(pictures.evaluate("scrollY") - before) < 200


def test_the_address_of_a_picture_further_on(pictures: Page, album: Served) -> None:
    every = album.client.get("/v1/collections/album/points?limit=200&kind=image").json()["points"]
    last = max(every, key=lambda point: str(point["id"]))
    pictures.goto(f"{album.url}/?at={last['id']}")
    viewer = pictures.get_by_role("dialog")
    expect(viewer.get_by_role("heading", name=last["payload"]["name"])).to_be_visible()
    pictures.keyboard.press("Escape")
    expect(viewer).to_be_hidden()
    expect(pictures).not_to_have_url(re.compile("at="))


def test_the_address_of_a_picture_that_is_gone(context: BrowserContext, album: Served) -> None:
    page = watched(context, album.url, [])
    with page.expect_response(re.compile("/points/0000")):
        page.goto(f"{album.url}/?at=00000000-0000-0000-0000-000000000000")
    expect(page.locator(".tile")).to_have_count(48)
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_tiles_wait_in_grey(context: BrowserContext, album: Served) -> None:
    page = watched(context, album.url, [])
    held: list[Route] = []
    page.route(re.compile("points/scroll"), lambda route: held.append(route))
    page.goto(album.url)
    expect(page.locator(".tile.waiting").first).to_be_visible()
    expect(page.locator("#progress")).to_be_attached()
    while not held:
        page.wait_for_timeout(20)
    held[0].continue_()
    settled(page)
    expect(page.locator(".tile")).to_have_count(48)
