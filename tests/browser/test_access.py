"""The page for people who see it differently: keyboard, screen reader, calm, small, dark."""

from importlib.resources import files
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.visitor import Visitor, bar, card, shown, until

pytestmark = pytest.mark.parametrize("aws", ["ministack"], indirect=True)

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text()
PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}


def write_one_of_each(visitor: Visitor) -> None:
    visitor.write("waits", status="pending", title="Waiting")
    visitor.write("fails", status="failed", error_message="no more film " * 200, prompt="Waves " * 2000)
    visitor.write("goes", stage="scene_2_generating", scenes_total=12, scenes_completed=1, scene_video_urls=["/no.mp4"])
    visitor.write("ended", status="completed", title="A film", scenes_completed=2, video_url="/no/film.mp4")


def violations(page: Page) -> list[str]:
    page.evaluate(AXE)
    found: list[dict[str, Any]] = page.evaluate("axe.run().then((result) => result.violations)")
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found if one["impact"] in {"serious", "critical"}]


@pytest.mark.parametrize(
    "look", [{"color_scheme": "light"}, {"color_scheme": "dark"}, PHONE], ids=["light", "dark", "phone"]
)
def test_no_view_has_a_serious_barrier(visitor: Visitor, look: dict[str, Any]) -> None:
    write_one_of_each(visitor)
    page = visitor.open(reduced_motion="reduce", **look)
    until(page, lambda: len(shown(page)) == 4)
    assert violations(page) == []
    for job in ("fails", "goes", "ended"):
        card(page, f"{visitor.user} {job}").get_by_role("link").click()
        expect(page.get_by_role("dialog")).to_be_visible()
        assert violations(page) == []
        page.keyboard.press("Escape")
    page.goto("/?q=nothing")
    expect(page.get_by_role("button", name="Clear the filters")).to_be_visible()
    assert violations(page) == []


def test_a_bar_says_what_it_is_in_words(visitor: Visitor) -> None:
    job = visitor.write(title="A film", stage="scene_2_generating", scenes_total=4, scenes_completed=1)
    page = visitor.open()
    expect(bar(page, job)).to_have_accessible_name("A film")
    expect(bar(page, job)).to_have_attribute("aria-valuetext", "25 percent, Making scene 2 of 4")
    expect(card(page, job)).to_have_attribute("aria-setsize", "1")


def test_an_ending_is_announced_politely_and_a_movement_is_not(visitor: Visitor) -> None:
    visitor.write(title="A film", scenes_total=2)
    page = visitor.open()
    news = page.locator("#news")
    expect(news).to_have_attribute("aria-live", "polite")
    visitor.write(scenes_completed=1)
    expect(page.get_by_text("50%")).to_be_visible()
    expect(news).to_be_empty()
    visitor.write(status="completed")
    expect(news).to_have_text("A film: done")


def test_everything_can_be_reached_with_the_keyboard(visitor: Visitor) -> None:
    first = visitor.write("first", created_at=2)
    visitor.write("second", created_at=1)
    page = visitor.open()
    expect(page.locator(".card")).to_have_count(2)
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the jobs")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(card(page, first).get_by_role("link")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Close")).to_be_focused()
    page.keyboard.press("Enter")
    expect(card(page, first).get_by_role("link")).to_be_focused()


def test_the_focus_is_never_lost(visitor: Visitor) -> None:
    one, two = visitor.write("one", created_at=2), visitor.write("two", created_at=1)
    page = visitor.open("/?status=processing")
    card(page, one).get_by_role("link").focus()
    visitor.site.stack.delete(one)
    expect(card(page, two).get_by_role("link")).to_be_focused()  # it took the place of the one that is gone
    page.keyboard.press("Enter")
    visitor.write("two", status="completed")
    expect(page.locator(".card")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.locator("#jobs")).to_be_focused()  # the card that the reader came from is gone
    page.get_by_role("searchbox").fill("unheard of")
    page.get_by_role("button", name="Clear the filters").press("Enter")
    expect(page.get_by_role("searchbox")).to_be_focused()
    expect(page.get_by_role("searchbox")).to_have_value("")


def test_what_a_search_found_is_announced(visitor: Visitor) -> None:
    visitor.write(title="A film")
    page = visitor.open()
    page.get_by_role("searchbox").fill("film")
    expect(page.locator("#news")).to_have_text("1 job matches")


def test_the_focus_stays_on_a_card_that_moves(visitor: Visitor) -> None:
    low = visitor.write("low", updated_at=1000)
    visitor.write("high", updated_at=2000)
    page = visitor.open("/?sort=-updated_at")
    card(page, low).get_by_role("link").focus()
    visitor.write("low", stage="composing")
    until(page, lambda: shown(page)[0] == low)
    expect(card(page, low).get_by_role("link")).to_be_focused()


def test_nothing_moves_for_those_who_want_it_calm(visitor: Visitor) -> None:
    visitor.write(scenes_total=2)
    page = visitor.open(reduced_motion="reduce")
    visitor.write("new")
    visitor.write(scenes_completed=1)
    expect(page.get_by_text("50%")).to_be_visible()
    assert page.evaluate("document.getAnimations().length") == 0


def test_a_phone_needs_no_sideways_scrolling(visitor: Visitor) -> None:
    job = visitor.write(prompt="word " * 80, stage="scene_1_generating", scenes_total=30)
    page = visitor.open(**PHONE)
    expect(card(page, job)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    card(page, job).get_by_role("link").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
