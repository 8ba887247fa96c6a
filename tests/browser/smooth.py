"""`python -m tests.browser.smooth`: how smooth a page of 2,000 jobs is while 50 of them move; prints a table.

No test, for what it measures is the machine's too: the CPU time of the page's thread is what can be compared.
"""

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import CDPSession, Page, sync_playwright

from tests.browser.chromium import launch
from tests.browser.visitor import Site, Visitor, until
from tests.support.stack import running
from workers.demo.engines import free_port, local_aws, start_ministack

JOBS, MOVING, SECONDS = 2000, 50, 10
PAUSE = 0.01  # between two writes; the engine takes some 60 a second

WATCH = """() => {
  [window.frames_, window.long] = [[], []];
  new PerformanceObserver((list) => long.push(...list.getEntries().map((e) => e.duration))).observe({ type: "longtask" });
  let last = performance.now();
  const frame = (now) => (frames_.push(now - last), (last = now), requestAnimationFrame(frame));
  requestAnimationFrame(frame);
}"""
SCROLL = """(ms) => new Promise((done) => {
  const end = performance.now() + ms;
  const on = () => (scrollBy(0, 50), performance.now() < end ? requestAnimationFrame(on) : done());
  on();
})"""


def main() -> None:
    """Measure at rest, under two orders, and while scrolling."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stopping:
        visitor = stopping.enter_context(visiting(Path(name)))
        items = [job(visitor.user, number) for number in range(JOBS)]
        visitor.write_many(items)
        page = visitor.open()
        while not all_read(page):
            page.wait_for_timeout(100)
        page.evaluate("scrollTo(0, 0)")
        page.evaluate(WATCH)
        print(
            "| | frames/s | frame p99 | tasks > 50 ms | CPU of the page's thread | load |\n| --- | --- | --- | --- | --- | --- |"
        )
        measure(page, "at rest")
        stopping.enter_context(moving(visitor, items[-MOVING:]))
        measure(page, f"{MOVING} move")
        page.get_by_role("combobox").select_option("-updated_at")
        until(page, lambda: page.locator("#board").get_attribute("aria-busy") == "false")
        measure(page, f"{MOVING} move, last changed first")
        measure(page, "the same, scrolled 3,000 px/s", scroll=True)


@contextmanager
def visiting(directory: Path) -> Iterator[Visitor]:
    """Give somebody at a browser, with a whole Headway behind it."""
    with ExitStack() as stopping:
        port = free_port()
        stopping.callback(start_ministack(port, directory).stop)
        stack = stopping.enter_context(running(local_aws(port), directory))
        stack.start_redis()
        stack.start_relay()
        playwright = stopping.enter_context(sync_playwright())
        visitor = Visitor(launch(playwright), Site(stack), "smooth")
        stopping.callback(visitor.leave)
        yield visitor


def job(user: str, number: int) -> dict[str, Any]:
    """Return an item; one in four is under way, and all that move are."""
    is_going = number % 4 == 0 or number >= JOBS - MOVING
    return {
        "job_id": f"{user} {number}",
        "user_id": user,
        "status": "processing" if is_going else "completed",
        "created_at": 1_700_000_000 + number,
        "updated_at": 1_700_000_000 + number,
        "title": f"Film {number}",
        "prompt": "A film about the sea, " * 10,
        "scenes_total": 40,
        "scenes_completed": 1,
    }


def all_read(page: Page) -> bool:
    """Whether the page has read the whole list; scrolls on."""
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    return page.locator(".card").first.get_attribute("aria-setsize") == str(JOBS)


@contextmanager
def moving(visitor: Visitor, items: list[dict[str, Any]]) -> Iterator[None]:
    """Write one of these after the other meanwhile."""
    stopping = threading.Event()

    def write() -> None:
        done = 0
        while not stopping.wait(PAUSE):
            item = items[done % len(items)]
            done += 1
            item |= {"scenes_completed": item["scenes_completed"] % 39 + 1, "updated_at": int(time.time())}
            visitor.write_many([item])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        stopping.set()
        writer.join()


def measure(page: Page, what: str, *, scroll: bool = False) -> None:
    """Print what some seconds of it were like."""
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(1_000)
    page.evaluate("frames_.length = long.length = 0")
    tools = page.context.new_cdp_session(page)
    tools.send("Performance.enable")
    before, load = cpu(tools), os.getloadavg()[0]
    page.evaluate(SCROLL, SECONDS * 1_000) if scroll else page.wait_for_timeout(SECONDS * 1_000)
    busy = (cpu(tools) - before) / SECONDS
    frames = sorted(page.evaluate("frames_"))
    rate, p99, long = len(frames) / SECONDS, frames[int(len(frames) * 0.99)], len(page.evaluate("long"))
    print(f"| {what} | {rate:.0f} | {p99:.0f} ms | {long} | {busy:.1%} | {load:.0f} |", flush=True)


def cpu(tools: CDPSession) -> float:
    """Return the seconds that the page's main thread has computed."""
    metrics = tools.send("Performance.getMetrics")["metrics"]
    return float(next(metric["value"] for metric in metrics if metric["name"] == "ThreadTime"))


if __name__ == "__main__":
    main()
