import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.chromium import installed, launch
from tests.browser.visitor import Site, Visitor
from tests.support.stack import running


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser per module: while playwright's loop runs, no asynchronous test can."""
    if installed() is None:
        (pytest.fail if "CI" in os.environ else pytest.skip)("NO CHROMIUM HERE: nothing of the page was tested")
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def site(aws: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A whole Headway for the tests of one module."""
    with running(aws, tmp_path_factory.mktemp("site")) as stack:
        stack.start_redis()
        stack.start_relay()
        yield Site(stack)


@pytest.fixture
def visitor(chromium: Browser, site: Site, user: str) -> Iterator[Visitor]:
    """Somebody at a browser of their own; at the end, nothing that the page does must have gone wrong."""
    visitor = Visitor(chromium, site, user)
    yield visitor
    visitor.leave()
