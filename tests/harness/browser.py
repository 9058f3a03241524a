"""Browser: a real Chromium that Playwright drives, in which tests look at pages, and axe with it."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.harness.programs import program
from tests.harness.waiting import PATIENCE_S, until
from tests.harness.wheels import unpacked
from toolchain.requirements import BROWSER_LOCK

# WCAG 2.2 AA with what it is built on, as axe names its rules, and what axe's authors hold for good practice beside it.
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
DESK, PHONE = {"width": 1280, "height": 800}, {"width": 360, "height": 740}
SETTLES_S = 10
_FITS = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"


class Tab:
    """One person's tab: its own cookies, `page` as Playwright has it, and what the page said that it should not."""

    def __init__(self, context: Any) -> None:
        self.context = context
        self.page = context.new_page()
        self.faults: list[str] = []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda said: self.faults.append(said.text) if _is_fault(said) else None)

    def check(self, what: str) -> None:
        """Hold the page against axe, light at a desk and dark on a phone, where nothing is wider than the phone."""
        found = [f"{what}: {each}" for each in _violations(self.page)]
        with self.on_a_phone():
            found += [f"{what}, dark on a phone: {each}" for each in _violations(self.page)]
        assert found == [], "\n".join(found)
        assert self.faults == [], what

    @contextmanager
    def on_a_phone(self) -> Iterator[None]:
        """Be dark and as wide as a phone, from which nothing may stand out sideways."""
        self.page.emulate_media(color_scheme="dark")
        self.page.set_viewport_size(PHONE)
        # Asked again, as a window is resized in steps.
        until(lambda: self.page.evaluate(_FITS), "nothing is wider than a phone", within_s=SETTLES_S)
        yield
        self.page.set_viewport_size(DESK)
        self.page.emulate_media(color_scheme="light")


class Chromium:
    """A running browser."""

    def __init__(self, driven: Any) -> None:
        self._driven = driven
        self.tabs: list[Tab] = []

    def tab(self, address: str) -> Tab:
        """Open a tab of somebody who was never here; pages are named from `address` on."""
        # What moves is at its end at once, so that nothing is looked at on its way.
        context = self._driven.new_context(base_url=address, viewport=DESK, reduced_motion="reduce")
        context.set_default_timeout(PATIENCE_S * 1000)
        self.tabs.append(Tab(context))
        return self.tabs[-1]

    def save(self) -> list[Path]:
        """Write a picture of each tab that is open to a directory of its own, outside the checkout."""
        directory = Path(tempfile.mkdtemp(prefix="runyard-console-"))
        pictures = [directory / f"{number}.png" for number, _ in enumerate(self.tabs, 1)]
        for tab, picture in zip(self.tabs, pictures, strict=True):
            tab.page.screenshot(path=picture, full_page=True)
        return pictures


@contextmanager
def chromium() -> Iterator[Chromium]:
    """Run a browser; where the block fails, pictures of its tabs are written, and the error says where."""
    libraries = str(unpacked("browser", BROWSER_LOCK))
    if libraries not in sys.path:
        # Last: what both have is the environment's.
        sys.path.append(libraries)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        driven = playwright.chromium.launch(executable_path=program("chromium"))
        made = Chromium(driven)
        try:
            yield made
        except BaseException as error:
            error.add_note(f"pictures: {', '.join(map(str, made.save()))}")
            raise
        finally:
            driven.close()


def _violations(page: Any) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": [*RULES]}}).response["violations"]
    return [f"{each['id']}: {node['html'][:160]}: {node['failureSummary']}" for each in found for node in each["nodes"]]


def _is_fault(said: Any) -> bool:
    # A refusal that the page shows is no fault of the page's.
    return said.type == "error" and "Failed to load resource" not in said.text
