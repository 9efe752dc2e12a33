"""What a user does on the page, for its tests."""

import mimetypes
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, FilePayload, Page, Route, ViewportSize, expect

DESKTOP: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 844}
GRAVE = {"serious", "critical"}

both_widths = pytest.mark.parametrize(
    "context", [DESKTOP, PHONE], indirect=True, ids=["desktop", "phone"]
)


def watched(context: BrowserContext, url: str, complaints: list[str]) -> Page:
    """A new page that writes down its errors; requests to elsewhere fail and are written down."""

    def check(route: Route) -> None:
        if urlsplit(route.request.url).netloc == urlsplit(url).netloc:
            route.continue_()
        else:
            complaints.append(f"request to {route.request.url}")
            route.abort()

    page = context.new_page()
    page.route(lambda address: not address.startswith("blob:"), check)
    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return page


def search(page: Page, text: str) -> None:
    page.get_by_role("searchbox").fill(text)
    page.get_by_role("searchbox").press("Enter")
    expect(page.locator("#grid")).not_to_have_attribute("aria-busy", "true")


def choose(page: Page, name: str, content: bytes) -> None:
    """Choose a file as the query picture."""
    page.locator("#file").set_input_files(file(name, content))


def names(page: Page) -> list[str]:
    """What the tiles show, in order, once the answer is there."""
    expect(page.locator(".tile.waiting")).to_have_count(0)
    return page.locator(".tile .name").all_text_contents()


def time_past(page: Page, seconds: float) -> float:
    """The time the video shows, once it is past `seconds` (or after ten seconds of waiting)."""
    shown = 0.0
    for _ in range(200):
        shown = page.evaluate("document.querySelector('video')?.currentTime ?? 0")
        if shown >= seconds:
            break
        page.wait_for_timeout(50)
    return shown


def file(name: str, content: bytes) -> FilePayload:
    """A file as a file input takes it."""
    return FilePayload(name=name, mimeType=mimetypes.guess_type(name)[0] or "", buffer=content)


def settled(page: Page) -> None:
    """Wait until what was asked for is shown."""
    expect(page.locator("#grid")).not_to_have_attribute("aria-busy", "true")
    expect(page.locator(".tile.waiting")).to_have_count(0)


def grave_findings(page: Page) -> list[str]:
    """What axe-core finds hinders people seriously: rule and element."""
    found = Axe().run(page).response["violations"]
    return [
        f"{rule['id']}: {node['html']} {node['failureSummary']}"
        for rule in found
        if rule["impact"] in GRAVE
        for node in rule["nodes"]
    ]
