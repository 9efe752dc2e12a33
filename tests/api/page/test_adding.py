"""Adding media from the page."""

from pathlib import Path

from playwright.sync_api import BrowserContext, Page, expect

from api.keys import Keys
from tests.api.conftest import fill
from tests.api.page.browsing import both_widths, file, settled, watched
from tests.api.routes.test_session import DIGEST, KEY
from tests.api.server import Served, serving
from tests.media import encoded, plain

DROP = """async ([zone, files]) => {
  const data = new DataTransfer();
  for (const [name, bytes] of files)
    data.items.add(new File([new Uint8Array(bytes)], name, { type: "image/png" }));
  const target = document.getElementById(zone);
  const told = { dataTransfer: data, bubbles: true, cancelable: true };
  for (const type of ["dragover", "drop"]) target.dispatchEvent(new DragEvent(type, told));
}"""


def said(page: Page, name: str, words: str) -> None:
    row = page.locator("#uploads li").filter(has=page.get_by_text(name, exact=True))
    expect(row.locator(".said")).to_contain_text(words)


@both_widths
def test_each_file_has_its_outcome(context: BrowserContext, fresh: Served) -> None:
    page = watched(context, fresh.url, [])
    page.goto(fresh.url)
    page.locator("#notice").get_by_role("button", name="Add photos and videos").click()
    page.locator("#files-chosen").set_input_files(
        [
            file("red.png", encoded(plain("red"), "PNG")),
            file("broken.jpg", encoded(plain("blue"))[:300]),
            file("notes.txt", b"milk, bread"),
            file(".hidden", b"x"),
        ]
    )
    said(page, "red.png", "Added")
    said(page, "notes.txt", "ot an image or a video")
    expect(page.locator("#adding-total")).to_contain_text("1 added")
    expect(page.locator("#adding-total")).to_contain_text("1 failed")
    expect(page.locator("#uploads li")).to_have_count(3)
    page.locator("#files-chosen").set_input_files(file("again.png", encoded(plain("red"), "PNG")))
    said(page, "again.png", "Already here")
    page.get_by_role("button", name="Done").click()
    expect(page.locator(".tile .name")).to_have_text(["red.png"])
    expect(page.locator("#inventory")).to_contain_text("1 photo")


def test_dropped_files_are_added_where_they_are_let_go(
    context: BrowserContext, fresh: Served
) -> None:
    page = watched(context, fresh.url, [])
    page.goto(fresh.url)
    settled(page)
    files = [[f"{colour}.png", list(encoded(plain(colour), "PNG"))] for colour in ("red", "blue")]
    page.evaluate(DROP, ["drop-add", files])
    expect(page.locator("#adding-total")).to_have_text("2 added")
    page.get_by_role("button", name="Done").click()
    expect(page.locator(".tile")).to_have_count(2)
    page.evaluate(DROP, ["drop-search", files[:1]])
    expect(page.get_by_role("img", name="Searching with red.png")).to_be_visible()


def test_a_file_is_sent_again_after_the_connection_broke(
    context: BrowserContext, fresh: Served
) -> None:
    page = watched(context, fresh.url, [])
    page.goto(fresh.url)
    page.locator("#add").click()
    page.route("**/assets", lambda route: route.abort())
    page.locator("#files-chosen").set_input_files(file("red.png", encoded(plain("red"), "PNG")))
    said(page, "red.png", "The connection broke off.")
    page.unroute("**/assets")
    page.get_by_role("button", name="Try red.png again").click()
    said(page, "red.png", "Added")


def test_the_first_collection_is_made(context: BrowserContext, tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        page = watched(context, served.url, [])
        page.goto(served.url)
        page.locator("#add").click()
        page.locator("#files-chosen").set_input_files(file("red.png", encoded(plain("red"), "PNG")))
        said(page, "red.png", "Added")
        page.get_by_role("button", name="Done").click()
        expect(page.locator(".tile")).to_have_count(1)


def test_a_key_that_may_only_read_is_offered_nothing(
    context: BrowserContext, tmp_path: Path, photos: Path
) -> None:
    with serving(tmp_path, collection="colours", api_keys=[DIGEST]) as served:
        fill(served.installation, "colours", photos)
        reader = Keys([], tmp_path).add("page", "read")
        page = watched(context, served.url, [])
        page.goto(served.url)
        page.get_by_label("API key").fill(reader)
        page.get_by_role("button", name="Open").click()
        settled(page)
        expect(page.locator(".tile")).to_have_count(11)
        expect(page.locator("#add")).to_be_hidden()
        assert KEY not in page.url
        assert reader not in page.content()
