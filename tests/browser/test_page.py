"""What people see: bars that move, jobs that come and go, one job in full."""

import time

import pytest
from playwright.sync_api import expect

from tests.browser.visitor import PATIENCE, Visitor, card, percent_is, shown, tabs, until

pytestmark = pytest.mark.parametrize("aws", ["ministack"], indirect=True)


def test_a_bar_moves_to_100_and_the_card_says_done(visitor: Visitor) -> None:
    job = visitor.write(stage="scene_1_generating", scenes_total=4, title="A film")
    page = visitor.open()
    expect(card(page, job)).to_contain_text("Making scene 1 of 4")
    for done in (1, 2, 3):
        visitor.write(scenes_completed=done)
        percent_is(page, job, 25 * done)
    expect(card(page, job).locator("[data-scene=done]")).to_have_count(3)
    visitor.write(status="completed", scenes_completed=4)
    percent_is(page, job, 100)
    expect(card(page, job).locator(".score")).to_have_text("Done", use_inner_text=True)


def test_a_failed_job_keeps_its_percent_and_says_why(visitor: Visitor) -> None:
    job = visitor.write(scenes_completed=1, scenes_total=2)
    page = visitor.open()
    percent_is(page, job, 50)
    visitor.write(status="failed", error_message="the model is out of ideas")
    expect(card(page, job)).to_contain_text("the model is out of ideas")
    percent_is(page, job, 50)


def test_a_new_job_comes_in_on_top_and_a_deleted_one_goes(visitor: Visitor) -> None:
    old = visitor.write("old", created_at=1000)
    page = visitor.open()
    expect(card(page, old)).to_be_visible()
    new = visitor.write("new", created_at=2000)
    until(page, lambda: shown(page) == [new, old])
    visitor.site.stack.delete(old)
    until(page, lambda: shown(page) == [new])


def test_a_job_that_ends_is_seen_ending_before_it_leaves_the_processing_tab(visitor: Visitor) -> None:
    job = visitor.write()
    page = visitor.open("/?status=processing")
    expect(card(page, job)).to_be_visible()
    visitor.write(status="completed")
    expect(card(page, job)).to_contain_text("Done")
    expect(card(page, job)).to_have_count(0)
    page.get_by_role("link", name="Completed").click()
    expect(card(page, job)).to_be_visible()


def test_a_job_that_has_just_ended_is_shown_under_no_other_tab(visitor: Visitor) -> None:
    job = visitor.write("job")
    waits = visitor.write("waits", status="pending")
    page = visitor.open("/?status=processing")
    expect(card(page, job)).to_be_visible()
    visitor.write("job", status="completed")
    expect(card(page, job)).to_contain_text("Done")
    page.get_by_role("link", name="Pending").click()
    until(page, lambda: waits in shown(page))
    assert shown(page) == [waits]


def test_the_tabs_count_what_the_stream_tells(visitor: Visitor) -> None:
    visitor.write("done", status="completed")
    visitor.write("failed", status="failed")
    visitor.write("one", status="pending")
    page = visitor.open()
    until(page, lambda: tabs(page) == "All 3, Processing 0, Completed 1, Failed 1, Pending 1")
    visitor.write("one", status="processing")
    visitor.write("two")
    until(page, lambda: tabs(page) == "All 4, Processing 2, Completed 1, Failed 1, Pending 0")
    expect(page.locator("h1")).to_have_text("2 jobs under way")
    visitor.write("one", status="completed")
    visitor.write("two", status="failed")
    until(page, lambda: tabs(page) == "All 4, Processing 0, Completed 2, Failed 2, Pending 0")


def test_the_search_finds_what_is_there_and_what_comes(visitor: Visitor) -> None:
    found = visitor.write("found", prompt="A whale under the MOON")
    visitor.write("other", title="A whale at noon")
    page = visitor.open()
    page.keyboard.press("/")
    page.keyboard.type("moon whale")
    until(page, lambda: shown(page) == [found])
    later = visitor.write("later", title="Moon, whale and stars", created_at=int(time.time()) + 5)
    visitor.write("neither", title="Moon")
    until(page, lambda: shown(page) == [later, found])
    expect(page.locator("h1")).to_have_text("2 jobs match")
    page.reload()
    until(page, lambda: shown(page) == [later, found])
    page.get_by_role("searchbox").fill("unheard of")
    page.get_by_role("button", name="Clear the filters").click()
    until(page, lambda: len(shown(page)) == 4)


def test_the_days_and_the_order_hold_for_what_comes_too(visitor: Visitor) -> None:
    day = 86_400
    noon = 1_700_049_600  # of 15 November 2023, UTC
    for number in range(4):
        visitor.write(str(number), created_at=noon + number * day)
    page = visitor.open("/?from=2023-11-16&to=2023-11-17&sort=created_at", timezone_id="UTC")
    until(page, lambda: shown(page) == [f"{visitor.user} 1", f"{visitor.user} 2"])
    between = visitor.write("between", created_at=noon + day + 5)
    visitor.write("outside", created_at=noon - 5)
    until(page, lambda: shown(page) == [f"{visitor.user} 1", between, f"{visitor.user} 2"])


def test_a_changed_job_moves_where_the_order_is_by_change(visitor: Visitor) -> None:
    now = int(time.time())
    one = visitor.write("one", updated_at=now - 20)
    two = visitor.write("two", updated_at=now - 10)
    page = visitor.open("/?sort=-updated_at")
    until(page, lambda: shown(page) == [two, one])
    visitor.write("one", stage="composing")
    until(page, lambda: shown(page) == [one, two])


def test_one_job_is_shown_in_full_and_followed(visitor: Visitor) -> None:
    job = visitor.write(title="A film", prompt="Waves, for a minute", scenes_total=2)
    page = visitor.open()
    card(page, job).get_by_role("link").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Waves, for a minute")
    clip = "/page/mark.svg"
    visitor.write(scenes_completed=1, scene_video_urls=[clip], audio_url="https://media.invalid/sound.mp3")
    expect(dialog.get_by_role("img", name="Scene 1")).to_be_visible()
    expect(dialog.locator("audio")).to_have_attribute("preload", "none")
    visitor.write(
        scene_video_urls=[clip, "https://media.invalid/scene.mp4"], status="failed", error_message="no more film"
    )
    expect(dialog.locator(".clips video")).to_have_attribute("src", "https://media.invalid/scene.mp4")
    expect(dialog).to_contain_text("no more film")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(card(page, job).get_by_role("link")).to_be_focused()


def test_the_full_view_tells_times_and_scenes_as_they_are(visitor: Visitor) -> None:
    job = visitor.write(scenes_total=3, stage="scene_1_generating")
    page = visitor.open(f"/?job={job}")
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".clips")).to_have_text("Scene 1: in the makingScene 2: not startedScene 3: not started")
    page.evaluate(NOTE_TIMES)
    visitor.write(scenes_completed=1, stage="scene_2_generating", scene_video_urls=["/page/mark.svg"])
    expect(dialog.locator(".clips")).to_have_text("Scene 1Scene 2: in the makingScene 3: not started")
    page.wait_for_function("() => window.times.length")
    assert [text for text in page.evaluate("times") if "NaN" in text] == []


NOTE_TIMES = """() => {
  window.times = [];
  const place = document.querySelector("dialog .times");
  new MutationObserver(() => times.push(place.textContent)).observe(place, { childList: true, characterData: true, subtree: true });
}"""


def test_the_full_view_has_an_address_and_back_closes_it(visitor: Visitor) -> None:
    job = visitor.write(title="A film", status="completed")
    page = visitor.open("/?status=completed")
    card(page, job).get_by_role("link").click()
    address = page.url
    page.go_back()
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert page.url.endswith("/?status=completed")
    page.goto(address)
    expect(page.get_by_role("dialog")).to_contain_text("A film")
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.goto("/?job=unheard-of")
    expect(page.get_by_role("dialog")).to_contain_text("There is no such job")


def test_two_windows_show_the_same(visitor: Visitor) -> None:
    job = visitor.write(scenes_total=2)
    windows = [visitor.open(), visitor.open("/?status=processing")]
    visitor.write(scenes_completed=1)
    for window in windows:
        percent_is(window, job, 50)
    visitor.write(status="completed")
    expect(card(windows[0], job)).to_contain_text("Done")
    expect(card(windows[1], job)).to_have_count(0, timeout=PATIENCE)


def test_nobody_sees_the_jobs_of_another(visitor: Visitor) -> None:
    visitor.site.stack.put(f"{visitor.user} hidden", "somebody else")
    job = visitor.write()
    page = visitor.open()
    until(page, lambda: shown(page) == [job])


def test_a_page_of_2000_jobs_holds_a_screenful_of_cards_and_stays_where_it_is_read(visitor: Visitor) -> None:
    items = [
        {
            "job_id": f"{visitor.user} {n}",
            "user_id": visitor.user,
            "status": "processing",
            "created_at": n,
            "updated_at": n,
        }
        for n in range(2000)
    ]
    visitor.write_many(items)
    page = visitor.open()

    def total() -> int:
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        return int(page.locator(".card").first.get_attribute("aria-setsize") or 0)

    until(page, lambda: total() == 2000)
    assert page.locator(".card").count() < 60
    page.evaluate("scrollTo(0, 20000)")
    until(page, lambda: bool(page.evaluate(FIRST_ON_SCREEN)))
    before = page.evaluate(FIRST_ON_SCREEN)
    new = visitor.write("new", created_at=5000)
    until(page, lambda: tabs(page).startswith("All 2001"))
    until(page, lambda: page.locator(".card").first.get_attribute("aria-setsize") == "2001")
    assert page.evaluate(FIRST_ON_SCREEN) == before
    page.evaluate("scrollTo(0, 0)")
    expect(card(page, new)).to_be_visible()


FIRST_ON_SCREEN = """() => {
  const tops = [...document.querySelectorAll(".card")].map((card) => [card.dataset.id, Math.round(card.getBoundingClientRect().top)]);
  return tops.find(([, top]) => top >= 0 && top < innerHeight);
}"""
