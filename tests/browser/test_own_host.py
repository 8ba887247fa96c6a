"""Pages work without internet: all that they load comes from the server that sent them."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.visitor import PATIENCE, Visitor


def loaded(page: Page) -> list[str]:
    names: list[str] = page.evaluate("performance.getEntriesByType('resource').map((entry) => entry.name)")
    return names


def test_the_description_shows_every_operation_and_loads_nothing_from_another_host(visitor: Visitor) -> None:
    page = visitor.open("/docs", is_live=False)
    followed = page.locator(".opblock").filter(has_text="Follow one job")
    expect(followed).to_have_text(re.compile("/events"), timeout=PATIENCE)
    assert_own(loaded(page), visitor)


@pytest.mark.parametrize("path", ["/", "/?status=completed"])
def test_the_dashboard_loads_nothing_from_another_host(visitor: Visitor, path: str) -> None:
    visitor.write("job", status="completed")
    assert_own(loaded(visitor.open(path)), visitor)


def assert_own(names: list[str], visitor: Visitor) -> None:
    assert len(names) > 1
    assert [name for name in names if not name.startswith(f"{visitor.site.api.url}/")] == []
