"""What people see while something is broken, and that it mends itself."""

import re
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.browser.visitor import PATIENCE, Visitor, card, link_is, percent_is, shown, until

pytestmark = pytest.mark.parametrize("aws", ["ministack"], indirect=True)


def test_a_killed_api_is_told_and_caught_up_with(visitor: Visitor) -> None:
    ends = visitor.write("ends", scenes_total=4, scenes_completed=1)
    moves = visitor.write("moves", scenes_total=4, scenes_completed=1)
    page = visitor.open()
    percent_is(page, moves, 25)
    visitor.site.kill()
    link_is(page, "reconnecting")
    expect(page.locator("#link")).to_have_text("Reconnecting")
    visitor.write("ends", status="completed")
    visitor.write("moves", scenes_completed=3)
    new = visitor.write("new", created_at=5_000_000_000)
    visitor.site.start()
    link_is(page, "live")
    percent_is(page, moves, 75)
    expect(card(page, ends)).to_contain_text("Done", timeout=PATIENCE)
    until(page, lambda: shown(page)[0] == new)


def test_a_job_that_ended_while_the_proxy_said_502_is_told(visitor: Visitor) -> None:
    job = visitor.write()
    page = visitor.open("/?status=processing")
    expect(card(page, job)).to_be_visible()
    page.route("**/jobs/events", lambda route: route.fulfill(status=502))
    visitor.site.kill()
    visitor.site.start()
    link_is(page, "reconnecting")
    visitor.write(status="completed")
    with page.expect_response(lambda answer: "/jobs/events" in answer.url):
        pass
    page.unroute("**/jobs/events")
    link_is(page, "live")
    expect(card(page, job)).to_have_count(0, timeout=PATIENCE)


def test_a_broken_feed_is_told_and_caught_up_with(visitor: Visitor) -> None:
    job = visitor.write(scenes_total=2)
    page = visitor.open()
    visitor.site.stack.redis.stop()
    link_is(page, "stale")
    expect(page.locator("#link")).to_have_text(re.compile("Delayed"))
    visitor.write(scenes_completed=1)
    visitor.site.stack.start_redis()
    link_is(page, "live")
    percent_is(page, job, 50)


def test_whoever_is_signed_out_is_told(visitor: Visitor) -> None:
    page = visitor.open()
    page.context.clear_cookies()
    visitor.site.kill()
    visitor.site.start()
    link_is(page, "closed")
    expect(page.locator("#link")).to_have_text(re.compile("Signed out"))


def break_off(page: Page, address: str) -> None:
    body = '{"title": "Service Unavailable", "status": 503, "detail": "the table is away."}'
    page.route(address, lambda route: route.fulfill(status=503, body=body, content_type="application/problem+json"))


def test_a_list_that_cannot_be_read_is_told_and_read_again(visitor: Visitor) -> None:
    job = visitor.write(status="completed")
    other = visitor.write("other")
    page = visitor.open()
    expect(card(page, other)).to_be_visible()
    break_off(page, "**/api/v1/jobs?*")
    page.get_by_role("link", name="Completed").click()
    note = page.locator("#note")
    expect(note).to_have_text("The list could not be read: the table is away. Trying again …")
    expect(note).to_be_in_viewport()
    expect(page.locator("#board")).to_have_attribute("aria-busy", "true")  # what is shown is not what was asked for
    visitor.write("other", stage="composing")
    expect(card(page, other)).to_contain_text("Putting it all together")
    expect(note).to_contain_text("the table is away")
    page.unroute("**/api/v1/jobs?*")
    until(page, lambda: shown(page) == [job])
    expect(note).to_be_hidden()
    expect(page.locator("#board")).to_have_attribute("aria-busy", "false")


def test_a_job_that_cannot_be_read_is_not_said_to_be_missing(visitor: Visitor) -> None:
    job = visitor.write(status="completed", title="A film")
    page = visitor.open("/?status=failed")
    break_off(page, f"**/api/v1/jobs/{quote(job)}")
    page.goto(f"/?status=failed&job={quote(job)}")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_have_text("This job could not be read: the table is away. Trying again …", use_inner_text=True)
    page.unroute(f"**/api/v1/jobs/{quote(job)}")
    expect(dialog).to_contain_text("A film", timeout=PATIENCE)
