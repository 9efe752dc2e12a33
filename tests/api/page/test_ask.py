"""Asking about results: the panel, against a small chat server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.api.chat.upstream import Upstream, upstream
from tests.api.conftest import fill
from tests.api.page.browsing import both_widths, grave_findings, search, settled, watched
from tests.api.server import Served, serving


@pytest.fixture(scope="module")
def behind() -> Iterator[Upstream]:
    with upstream() as state:
        yield state


@pytest.fixture(scope="module")
def chatting(
    tmp_path_factory: pytest.TempPathFactory, photos: Path, behind: Upstream
) -> Iterator[Served]:
    data = tmp_path_factory.mktemp("chatting")
    with serving(data, collection="colours", chat=behind.url, chat_model="tiny") as served:
        fill(served.installation, "colours", photos)
        yield served


@pytest.fixture
def asking(context: BrowserContext, chatting: Served, behind: Upstream) -> Page:
    behind.fault, behind.words = "", ["It is ", "the first, ", "[1], ", "not [9]."]
    behind.asked.clear()
    page = watched(context, chatting.url, [])
    page.goto(chatting.url)
    settled(page)
    return page


def ask(page: Page, question: str) -> None:
    if page.locator("#asking").is_hidden():
        page.locator("#ask").click()
    page.get_by_label("Your question").fill(question)
    page.keyboard.press("Enter")


def shown(behind: Upstream) -> int:
    """How many pictures reached the model with the last question."""
    return sum(part["type"] == "image_url" for part in behind.asked[-1]["messages"][-1]["content"])


@both_widths
def test_the_results_are_shown_and_cited(asking: Page, behind: Upstream) -> None:
    search(asking, "green")
    first = asking.locator(".tile .name").first.text_content()
    ask(asking, "Which one is it?")
    answer = asking.locator(".answer")
    expect(answer.locator("p").first).to_have_text("It is the first, 1, not [9].")
    assert shown(behind) == 4
    expect(answer.locator(".sources img")).to_have_count(4)
    assert grave_findings(asking) == []
    answer.get_by_role("button", name="Show picture 1").click()
    expect(asking.locator("#viewer h2")).to_have_text(first or "")
    asking.locator("#viewer").press("Escape")
    expect(asking.locator("#viewer")).to_be_hidden()
    expect(answer).to_be_visible()


def test_a_conversation_goes_on_until_another_search(asking: Page, behind: Upstream) -> None:
    search(asking, "green")
    ask(asking, "One?")
    expect(asking.get_by_role("button", name="Show picture 1")).to_be_visible()
    ask(asking, "Two?")
    expect(asking.locator(".answer")).to_have_count(2)
    expect(asking.locator("#talk")).to_have_attribute("aria-busy", "false")
    assert [said["role"] for said in behind.asked[-1]["messages"]] == ["user", "assistant", "user"]
    search(asking, "red")
    expect(asking.locator(".answer")).to_have_count(0)
    asking.get_by_role("button", name="What do these have in common?").click()
    expect(asking.locator(".answer")).to_have_count(1)


def test_without_a_search_the_collection_is_asked(asking: Page) -> None:
    asking.locator("#ask").click()
    expect(asking.get_by_role("heading", name="Ask this collection")).to_be_visible()
    ask(asking, "magenta")
    sources = asking.locator(".sources button")
    expect(sources).to_have_count(4)
    sources.first.click()
    expect(asking.locator("#viewer h2")).to_have_text("magenta.jpg")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("busy", "busy"),
        ("fails", "status 500"),
        ("dies", "broke off"),
        ("refuses", "context length"),
    ],
)
def test_what_goes_wrong_is_said(asking: Page, behind: Upstream, fault: str, said: str) -> None:
    behind.fault = fault
    ask(asking, "Well?")
    expect(asking.locator(".answer [role=alert]")).to_contain_text(said)
    behind.fault = ""
    asking.get_by_role("button", name="Ask again").click()
    expect(asking.get_by_role("button", name="Show picture 1")).to_be_visible()


def test_an_answer_can_be_stopped(asking: Page, behind: Upstream) -> None:
    behind.fault = "lingers"
    ask(asking, "Well?")
    expect(asking.locator(".answer p").first).to_contain_text("the first")
    asking.get_by_role("button", name="Stop").click()
    expect(asking.locator(".answer")).to_contain_text("Stopped.")
    assert behind.cancelled.wait(5)


def test_the_panel_by_keyboard(asking: Page) -> None:
    asking.locator("#ask").focus()
    asking.keyboard.press("Enter")
    expect(asking.get_by_label("Your question")).to_be_focused()
    asking.keyboard.press("Escape")
    expect(asking.locator("#asking")).to_be_hidden()
    expect(asking.locator("#ask")).to_be_focused()


def test_it_is_offered_only_where_there_is_a_model(page: Page) -> None:
    with page.expect_response("**/v1/models"):
        page.reload()
    settled(page)
    expect(page.locator("#ask")).to_be_hidden()
