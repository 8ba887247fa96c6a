"""`python -m tests.browser.pictures http://127.0.0.1:8000`: the pictures in docs/, taken from a running demo."""

import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from tests.browser.chromium import launch

DOCS = Path(__file__).parents[2] / "docs"
WINDOW = ViewportSize(width=1180, height=800)
PHONE = ViewportSize(width=390, height=780)

# A moment at which there is something of everything to see.
IS_TELLING = """() => {
  const cards = [...document.querySelectorAll(".card")].slice(0, 4);
  const statuses = new Set(cards.map((card) => card.dataset.status));
  const pictures = cards.filter((card) => card.querySelector("img:not([hidden])")?.complete);
  return statuses.has("processing") && (statuses.has("completed") || statuses.has("failed")) && pictures.length > 2;
}"""


def take(browser: Browser, url: str) -> None:
    """Take each main view once."""
    light = browser.new_page(viewport=WINDOW, base_url=url, reduced_motion="reduce")  # nothing half-way
    light.goto("/")
    shoot(light, "list")
    light.goto("/?status=completed")
    light.locator(".card a").first.click()
    light.locator(".final img").wait_for()
    light.wait_for_timeout(800)
    light.screenshot(path=DOCS / "job.png")
    dark = browser.new_page(viewport=WINDOW, base_url=url, reduced_motion="reduce", color_scheme="dark")
    dark.goto("/")
    shoot(dark, "list-dark")
    phone = browser.new_page(viewport=PHONE, base_url=url, reduced_motion="reduce", is_mobile=True, has_touch=True)
    phone.goto("/")
    shoot(phone, "phone")


def shoot(page: Page, name: str) -> None:
    is_telling = False
    while not is_telling:  # jobs may come between the moment and the picture
        page.wait_for_function(IS_TELLING, timeout=120_000)
        page.screenshot(path=DOCS / f"{name}.png")
        is_telling = page.evaluate(IS_TELLING)


if __name__ == "__main__":
    DOCS.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        take(launch(playwright), sys.argv[1])
