"""Somebody who looks at the page, and whose jobs it shows."""

import signal
import time
from collections.abc import Callable
from typing import Any

from boto3.dynamodb.types import TypeSerializer
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, expect

from tests.support.stack import Stack, bearer
from workers.demo.engines import free_port

COOKIE = "session"
PATIENCE = 30_000  # ms; how long a busy machine may take for anything


class Site:
    """A stack with one api, which can be killed and started again at the same address."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self._port = free_port()
        self.start()

    def start(self) -> None:
        self.api = self.stack.start_api(self._port, HEADWAY_AUTH_COOKIE=COOKIE)

    def kill(self) -> None:
        self.api.process.send(signal.SIGKILL)
        self.api.process.wait(5)


class Visitor:
    """One person's browser window; `jobs` are written as any pipeline writes them."""

    def __init__(self, browser: Browser, site: Site, user: str) -> None:
        self.site = site
        self.user = user
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self._wrong: list[str] = []
        self._jobs: dict[str, dict[str, Any]] = {}

    def open(self, path: str = "/", *, is_live: bool = True, **options: Any) -> Page:
        """Open the page in a fresh window and wait until it is live."""
        context = self._browser.new_context(base_url=self.site.api.url, **options)
        self._contexts.append(context)
        context.set_default_timeout(PATIENCE)
        token = bearer(self.user)["Authorization"].removeprefix("Bearer ")
        context.add_cookies([{"name": COOKIE, "value": token, "url": self.site.api.url}])
        page = context.new_page()
        page.on("pageerror", lambda error: self._wrong.append(str(error)))
        page.on("console", self._note)
        page.goto(path)
        if is_live:
            expect(page.locator("#link")).to_have_attribute("data-state", "live", timeout=PATIENCE)
        return page

    def write(self, job: str = "job", **attributes: Any) -> str:
        """Change some attributes of a job, or make it; return its id."""
        now = int(time.time())
        job_id = f"{self.user} {job}"
        first = {"job_id": job_id, "user_id": self.user, "status": "processing", "created_at": now}
        item = self._jobs.setdefault(job, first)
        item.update({"updated_at": now} | attributes)
        typed = {name: TypeSerializer().serialize(value) for name, value in item.items()}
        self.site.stack.client.put_item(TableName=self.site.stack.table, Item=typed)
        return job_id

    def write_many(self, items: list[dict[str, Any]]) -> None:
        """Put many whole items."""
        serialize = TypeSerializer().serialize
        table = self.site.stack.table
        for start in range(0, len(items), 25):  # as many as one call takes
            puts = [{"PutRequest": {"Item": serialize(item)["M"]}} for item in items[start : start + 25]]
            self.site.stack.client.batch_write_item(RequestItems={table: puts})

    def leave(self) -> None:
        """Close all windows."""
        for context in self._contexts:
            context.close()
        assert self._wrong == []

    def _note(self, message: ConsoleMessage) -> None:
        # The browser itself notes each answer that is an error and each lost connection, which tests bring about.
        if not message.text.startswith("Failed to load resource"):
            self._wrong.append(message.text)


def card(page: Page, job_id: str) -> Locator:
    return page.locator(f'.card[data-id="{job_id}"]:not([inert])')


def bar(page: Page, job_id: str) -> Locator:
    return card(page, job_id).get_by_role("progressbar")


def percent_is(page: Page, job_id: str, percent: int) -> None:
    expect(bar(page, job_id)).to_have_attribute("aria-valuenow", str(percent), timeout=PATIENCE)


def shown(page: Page) -> list[str]:
    """The ids of the cards, from the top."""
    ids: list[str] = page.evaluate(
        "[...document.querySelectorAll('.card:not([inert])')].map((card) => card.dataset.id)"
    )
    return ids


def until(page: Page, is_true: Callable[[], bool]) -> None:
    """Wait until something is true that no locator can say."""
    end = time.monotonic() + PATIENCE / 1000
    while not is_true():
        assert time.monotonic() < end, "still not true"
        page.wait_for_timeout(50)


def link_is(page: Page, state: str) -> None:
    expect(page.locator("#link")).to_have_attribute("data-state", state, timeout=PATIENCE)


def tabs(page: Page) -> str:
    """What the tabs say, such as "All 3, Processing 1, …"."""
    return ", ".join(" ".join(tab.split()) for tab in page.locator("#tabs a").all_text_contents())
