"""Chromium for tests, and the viewers' page in it."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

# They only keep Chromium itself from calling out.
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Enough for every genre and every movie before what is sought.
TABS = 80


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """Run a browser until the block ends."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=QUIET)
        yield browser
        browser.close()


@contextmanager
def blank_pages(browser: Browser, **common: Any) -> Iterator[Callable[..., Page]]:
    """Yield a function that opens a blank page; all close when the block ends.

    Args:
        browser: Where they open, each in a context of its own.
        common: Settings of all contexts; the function takes those of one.
    """
    with ExitStack() as stack:

        def opened(**settings: Any) -> Page:
            context = browser.new_context(**common, **settings)
            stack.callback(context.close)
            return context.new_page()

        yield opened


def arrive(page: Page) -> Page:
    """Open the viewers' page in a blank one; return it once its list is there."""
    page.goto("/")
    expect(page.locator("#shelf .card[data-movie]")).to_have_count(5)
    return page


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the focus is on what the selector means."""
    for _ in range(TABS):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{TABS} tabs never reached {selector}")


def assert_fits(page: Page) -> None:
    """Require that nothing is wider than the page, and that what can be pressed is large enough."""
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    small = page.locator("button:visible, .chip, .stars-face").evaluate_all(
        """all => all.map(one => one.getBoundingClientRect())
            .filter(box => box.width < 24 || box.height < 24).length"""
    )
    assert small == 0
