"""What people see while something is broken, and that it mends itself."""

import re

import pytest
from playwright.sync_api import expect

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


def test_a_list_that_cannot_be_read_is_told_and_read_again(visitor: Visitor) -> None:
    job = visitor.write(status="completed")
    problem = '{"title": "Service Unavailable", "status": 503, "detail": "the table is away"}'
    page = visitor.open("/health/live", is_live=False)
    page.route(
        "**/api/v1/jobs?*",
        lambda route: route.fulfill(status=503, body=problem, content_type="application/problem+json"),
    )
    page.goto("/")
    expect(page.locator("#note")).to_contain_text("the table is away")
    page.unroute("**/api/v1/jobs?*")
    expect(card(page, job)).to_be_visible(timeout=PATIENCE)
    expect(page.locator("#note")).to_be_hidden()
