"""Where in a video it matches."""

from playwright.sync_api import Page, expect

from tests.api.page.browsing import both_widths, search, time_past


@both_widths
def test_the_strip_of_a_tile_leads_into_the_video(page: Page) -> None:
    search(page, "green")
    strip = page.locator(".strip")
    expect(strip).to_have_count(1)
    expect(strip.locator(".span")).to_have_count(3)
    box = strip.bounding_box()
    assert box is not None
    strip.click(position={"x": box["width"] * 0.8, "y": box["height"] - 3})
    expect(page.get_by_role("dialog")).to_be_visible()
    assert 9 <= time_past(page, 9) < 12


def test_the_timeline_by_keyboard_and_pointer(page: Page) -> None:
    search(page, "red")
    page.get_by_role("button", name="film.mp4, video").click()
    time_past(page, 0.1)
    page.evaluate("document.querySelector('video').pause()")
    slider = page.get_by_role("slider", name="Where in the video")
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert 4 <= time_past(page, 4) < 5
    expect(slider).to_have_attribute("aria-valuetext", "0:04")
    expect(page.get_by_role("heading", name="film.mp4")).to_be_visible()
    box = slider.bounding_box()
    assert box is not None
    slider.click(position={"x": box["width"] * 0.9, "y": 8})
    assert time_past(page, 10) >= 10
    brightest = slider.locator(".span").evaluate_all(
        "(spans) => spans.map((span) => Number(span.style.getPropertyValue('--strength')))"
    )
    assert brightest[0] == 1
    assert max(brightest[1:]) < 0.5
