import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.visitor import Site, Visitor
from tests.stack import running

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser per module: while playwright's loop runs, no asynchronous test can."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        (pytest.fail if "CI" in os.environ else pytest.skip)("NO CHROMIUM HERE: nothing of the page was tested")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
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
