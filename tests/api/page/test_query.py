"""What can be asked: words to stay away from, several pictures."""

import json

from playwright.sync_api import BrowserContext, Page, expect

from tests.api.page.browsing import file, search, settled, watched
from tests.api.server import Served
from tests.media import encoded, plain


def test_words_after_a_minus(page: Page) -> None:
    with page.expect_request("**/search") as asked:
        search(page, 'red -"dark blue" −green x-ray')
    parts = json.loads(asked.value.post_data or "")["parts"]
    assert parts == [
        {"text": "red x-ray"},
        {"text": "dark blue", "weight": -0.5},
        {"text": "green", "weight": -0.5},
    ]
    expect(page.get_by_role("status").first).to_contain_text("without “dark blue” and “green”")


def test_only_words_to_stay_away_from(context: BrowserContext, library: Served) -> None:
    page = watched(context, library.url, [])
    page.goto(library.url)
    with page.expect_response("**/search") as answer:
        page.get_by_role("searchbox").fill("-red")
        page.get_by_role("searchbox").press("Enter")
    assert answer.value.status == 422
    expect(page.locator("#notice")).to_contain_text("That did not work")


def test_several_pictures(page: Page) -> None:
    settled(page)
    page.locator("#file").set_input_files(
        [file(f"{colour}.png", encoded(plain(colour), "PNG")) for colour in ("red", "blue")]
    )
    expect(page.get_by_role("status").first).to_contain_text("Like these 2 pictures")
    settled(page)
    page.get_by_role("button", name="Remove the query image").first.click()
    expect(page.locator(".chip")).to_have_count(1)
    expect(page.locator(".tile .name").first).to_have_text("blue.jpg")
    page.go_back()
    expect(page.locator(".chip")).to_have_count(2)
    assert "blob" not in page.url
