"""Whether everybody can use it: axe-core, colours, motion."""

from collections.abc import Callable
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.api.page.browsing import DESKTOP, PHONE, grave_findings, search, settled, watched
from tests.api.server import Served


def home(page: Page) -> None:
    settled(page)


def results(page: Page) -> None:
    search(page, "red")


def menus(page: Page) -> None:
    settled(page)
    page.locator("#pills button", has_text="Camera").click()
    page.locator("#menu").get_by_role("checkbox").first.check()
    settled(page)


def viewing(page: Page) -> None:
    search(page, "green")
    page.get_by_role("button", name="film.mp4, video").click()
    expect(page.locator(".timeline")).to_be_visible()


def adding(page: Page) -> None:
    settled(page)
    page.locator("#add").click()


def nothing(page: Page) -> None:
    search(page, "submarine")


@pytest.mark.parametrize(
    ("scheme", "size"), [("light", DESKTOP), ("dark", PHONE)], ids=["desktop-light", "phone-dark"]
)
def test_axe_has_no_serious_finding(
    browser: Browser, album: Served, scheme: Literal["light", "dark"], size: ViewportSize
) -> None:
    scenes: list[Callable[[Page], None]] = [home, results, menus, viewing, adding, nothing]
    context = browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")
    found = {}
    for scene in scenes:
        page = watched(context, album.url, [])
        page.goto(album.url)
        scene(page)
        found[scene.__name__] = grave_findings(page)
        page.close()
    context.close()
    assert found == {scene.__name__: [] for scene in scenes}


def test_dark_is_dark(browser: Browser, album: Served) -> None:
    background = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    shades = {}
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for scheme in schemes:
        context = browser.new_context(color_scheme=scheme)
        page = watched(context, album.url, [])
        page.goto(album.url)
        shades[scheme] = max(page.evaluate(background))
        context.close()
    assert shades["light"] > 200
    assert shades["dark"] < 50


def test_nothing_moves_for_who_asked_for_that(page: Page) -> None:
    search(page, "red")
    page.locator(".door").first.click()
    lasting = page.evaluate(
        "document.getAnimations().filter((a) => a.effect.getComputedTiming().endTime > 50).length"
    )
    assert lasting == 0
