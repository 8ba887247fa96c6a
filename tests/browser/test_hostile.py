"""Prompts, titles and addresses are written by strangers: they are shown, and nothing in them runs."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.visitor import Visitor, card, shown, until

pytestmark = pytest.mark.parametrize("aws", ["ministack"], indirect=True)

SCRIPTS = "<img src=x onerror='window.ran = 1'><script>window.ran = 1</script><svg onload='window.ran = 1'>"
ADDRESSES = (
    "javascript:window.ran=1",
    " JaVaScRiPt:window.ran=1",
    "data:text/html,<script>parent.ran=1</script>",
    "\tjava\nscript:window.ran=1",
    "vbscript:ran",
    "blob:null/1",
)


def nothing_ran(page: Page) -> None:
    assert page.evaluate("window.ran") is None
    inside = page.locator("#jobs script, #jobs svg, dialog script, dialog [onerror], #jobs [onerror], [href^='java' i]")
    expect(inside).to_have_count(0)
    addresses = page.evaluate(
        "[...document.querySelectorAll('[src], [href], [poster]')].map((e) => e.src || e.href || '')"
    )
    assert {address.partition(":")[0] for address in addresses if isinstance(address, str)} <= {"http", "https", ""}


@pytest.mark.parametrize("field", ["prompt", "title", "stage", "error_message", "status"])
def test_markup_stays_text(visitor: Visitor, field: str) -> None:
    job = visitor.write(**{"status": "failed" if field == "error_message" else "processing", field: SCRIPTS})
    page = visitor.open()
    expect(card(page, job)).to_be_visible()
    if field in {"prompt", "title", "stage", "error_message"}:
        expect(card(page, job)).to_contain_text("<img src=x onerror=")
    card(page, job).get_by_role("link").click()
    expect(page.get_by_role("dialog")).to_contain_text("<img src=x onerror=", ignore_case=True)
    nothing_ran(page)


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_that_is_not_http_is_never_followed(visitor: Visitor, address: str) -> None:
    job = visitor.write(
        status="completed", thumbnail_url=address, video_url=address, audio_url=address, scene_video_urls=[address]
    )
    page = visitor.open(f"/?job={job}")
    expect(page.get_by_role("dialog")).to_contain_text("neither http nor https")
    nothing_ran(page)


def test_a_prompt_of_100_kb_and_an_odd_id_break_nothing(visitor: Visitor) -> None:
    huge = visitor.write("huge", prompt="W" * 100_000, created_at=1)
    odd = visitor.write("\"'><b>&#x;{}", created_at=2)
    page = visitor.open()
    until(page, lambda: shown(page) == [odd, huge])
    assert len(card(page, huge).inner_text()) < 500
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator(".card a").first.click()
    expect(page.get_by_role("dialog")).to_contain_text(odd)


def test_a_picture_that_cannot_be_loaded_leaves_no_broken_frame(visitor: Visitor) -> None:
    job = visitor.write(thumbnail_url="/no/such/picture.png")
    page = visitor.open()
    expect(card(page, job).locator("img")).to_be_hidden()
