"""The description at /docs is read, and tried out. What the browser says of it, visitor.leave() looks at: of our policy, too."""

from playwright.sync_api import Page, expect

from tests.browser.test_own_host import assert_own, loaded
from tests.browser.visitor import PATIENCE, Visitor


def opened(visitor: Visitor) -> Page:
    page = visitor.open("/docs", is_live=False)
    expect(page.locator(".opblock").first).to_be_visible(timeout=PATIENCE)
    return page


def operation(page: Page, summary: str) -> None:
    """Open an operation to be tried out."""
    page.get_by_text(summary, exact=True).click()
    page.get_by_role("button", name="Try it out").click()


def executed(page: Page) -> str:
    """Ask as the page stands, and return what it shows of the answer."""
    page.get_by_role("button", name="Execute").click()
    answer = page.locator(".live-responses-table .response")
    expect(answer).to_be_visible(timeout=PATIENCE)
    return answer.inner_text()


def test_every_operation_is_there(visitor: Visitor) -> None:
    page = opened(visitor)
    paths = page.locator(".opblock-summary-path").all_text_contents()
    described = page.request.get("/openapi.json").json()["paths"]
    assert [path.replace("\u200b", "") for path in paths] == list(described)


def test_the_list_is_tried_out_and_shows_the_callers_jobs(visitor: Visitor) -> None:
    job_id = visitor.write("film", title="The sea")
    page = opened(visitor)
    operation(page, "List jobs")
    answer = executed(page)
    assert answer.startswith("200")
    assert job_id in answer
    assert "The sea" in answer
    assert_own(loaded(page), visitor)


def test_a_parameter_is_sent_as_it_was_filled_in(visitor: Visitor) -> None:
    visitor.write("film", status="processing")
    page = opened(visitor)
    operation(page, "List jobs")
    page.locator("[data-param-name=status] select[multiple]").select_option(["completed", "failed"])
    page.locator("[data-param-name=q] input").fill("sea")
    with page.expect_response("**/api/v1/jobs?*") as asked:
        answer = executed(page)
    assert "status=completed&status=failed&q=sea" in asked.value.url
    assert '"total_count": 0' in answer
