"""The client on a browser's own EventSource, which hides more than it tells."""

from typing import Any

import pytest
from playwright.sync_api import Page, Request

from tests.browser.visitor import Visitor, until
from tests.support.stack import bearer

pytestmark = pytest.mark.parametrize("aws", ["ministack"], indirect=True)

WATCH = """async ([start, id, options]) => {
  const client = await import("/client/headway.js");
  window.told = [];
  const tell = (name) => (value) => told.push([name, value?.progress_percent ?? value?.status ?? value]);
  const calls = { onUpdate: tell("update"), onDone: tell("done"), onDeleted: tell("deleted"), onState: tell("state"), onError: tell("error") };
  window.watch = id ? client[start](id, { ...calls, ...options }) : client[start]({ ...calls, ...options });
}"""


def watch(page: Page, job_id: str | None = None, **options: Any) -> list[Request]:
    """Start the client in the page; return the requests for streams that it makes."""
    requests: list[Request] = []
    page.on("request", lambda request: requests.append(request) if request.url.endswith("/events") else None)
    page.evaluate(WATCH, ["watchJob" if job_id else "watchJobs", job_id, options])
    return requests


def told(page: Page) -> list[list[Any]]:
    said: list[list[Any]] = page.evaluate("told")
    return said


def aside(visitor: Visitor) -> Page:
    """A window of this origin with nothing of the dashboard in it."""
    return visitor.open("/client/README.md", is_live=False)


def test_one_job_is_followed_to_its_end_over_one_eventsource(visitor: Visitor) -> None:
    job = visitor.write(scenes_total=4)
    page = aside(visitor)
    requests = watch(page, job)
    until(page, lambda: ["update", 0] in told(page))
    for done in (1, 2):
        visitor.write(scenes_completed=done)
        until(page, lambda done=done: ["update", 25 * done] in told(page))  # type: ignore[misc]
    visitor.write(status="completed")
    until(page, lambda: ["state", "closed"] in told(page))
    states = [value for name, value in told(page) if name in {"update", "done"}]
    assert states == [0, 25, 50, 100]
    assert [request.resource_type for request in requests] == ["eventsource"]


def test_each_state_is_told_once_across_a_restart(visitor: Visitor) -> None:
    job = visitor.write(scenes_total=4, scenes_completed=1)
    page = aside(visitor)
    watch(page, job)
    until(page, lambda: ["update", 25] in told(page))
    visitor.site.kill()
    until(page, lambda: ["state", "reconnecting"] in told(page))
    visitor.site.start()
    until(page, lambda: told(page).count(["state", "live"]) == 2)
    visitor.write(status="failed")
    until(page, lambda: ["state", "closed"] in told(page))
    assert [one for one in told(page) if one[0] != "state"] == [["update", 25], ["done", 25]]


def test_after_a_502_it_goes_on_over_fetch_where_it_was(visitor: Visitor) -> None:
    job = visitor.write(scenes_total=4, scenes_completed=1)
    page = aside(visitor)
    requests = watch(page)
    until(page, lambda: ["update", 25] in told(page))
    page.route("**/events", lambda route: route.fulfill(status=502))
    visitor.site.kill()
    visitor.site.start()
    until(page, lambda: any(request.resource_type == "fetch" for request in requests))
    visitor.write(status="completed")
    page.unroute("**/events")
    until(page, lambda: ["done", 100] in told(page))
    assert "@" in requests[-1].headers["last-event-id"]
    assert job


def test_a_state_without_an_id_is_not_taken_for_the_one_before_it(visitor: Visitor) -> None:
    """An event without an id shows that of the event before it: another job's version, which would hold this one back."""
    events = [("one", 10, "id: 7-5@1\n"), ("two", 20, ""), ("two", 30, "id: 7-3@2\n")]
    state = '{"job_id": "%s", "status": "processing", "progress_percent": %d, "created_at": 1, "updated_at": 1}'
    body = "".join(f"event: update\n{line}data: {state % (job, percent)}\n\n" for job, percent, line in events)
    page = aside(visitor)
    page.route("**/events", lambda route: route.fulfill(body=body, content_type="text/event-stream"))
    watch(page)
    until(page, lambda: ["state", "reconnecting"] in told(page))
    assert [value for name, value in told(page) if name == "update"] == [10, 20, 30]


@pytest.mark.parametrize(("caller", "status"), [("nobody", 401), ("somebody", 404)])
def test_a_refusal_is_told_with_its_status_and_ends_the_watch(visitor: Visitor, caller: str, status: int) -> None:
    page = aside(visitor)
    if caller == "nobody":
        page.context.clear_cookies()
    watch(page, "no such job")
    until(page, lambda: ["state", "closed"] in told(page))
    assert ["error", status] in told(page)


def test_a_bearer_token_is_sent_over_fetch(visitor: Visitor) -> None:
    visitor.write(scenes_total=2, scenes_completed=1)
    page = aside(visitor)
    page.context.clear_cookies()
    requests = watch(page, token=bearer(visitor.user)["Authorization"].removeprefix("Bearer "))
    until(page, lambda: ["update", 50] in told(page))
    visitor.write(status="completed")
    until(page, lambda: ["done", 100] in told(page))
    assert {request.resource_type for request in requests} == {"fetch"}
