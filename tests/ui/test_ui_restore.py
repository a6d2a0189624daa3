"""A visitor comes back, after the server was killed and started again: what was found is there, for him alone."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from support import browsing
from support.browsing import LONG_MS, needs_a_browser, open_page, slide
from support.started import free_port, started

browser = browsing.browser  # fixture
pytestmark = [*needs_a_browser, pytest.mark.slow]


def _finish(page: Page, step: str, status: str) -> None:
    page.locator(f"#{step}").click()
    done = page.locator(f"#{step}-banner [data-status]:not([data-status=running])")
    expect(done).to_have_attribute("data-status", status, timeout=LONG_MS)
    expect(page.locator(f"#{step}")).to_be_enabled()


def test_a_killed_server_loses_no_finished_result(browser: Browser, tmp_path: Path) -> None:
    port, context = free_port(), browser.new_context(viewport={"width": 1280, "height": 860})
    page = context.new_page()
    with started(tmp_path, port) as app:
        open_page(page, app.url)
        expect(page.locator("#back")).to_be_hidden()
        page.get_by_role("button", name="Settings of the scan").click()
        slide(page, "Pictures to tune on", 16)
        slide(page, "Views", 8)
        slide(page, "With a trigger (%)", 50)
        _finish(page, "scan", "found")
        app.kill()

    with started(tmp_path, port) as app:
        open_page(page, app.url)
        expect(page.locator("#back")).to_contain_text("Welcome back")
        expect(page.locator("#scan-banner [data-status=found]")).to_be_visible()
        expect(page.locator("#families")).to_contain_text("banana")
        expect(page.locator("#victims img").first).to_be_visible()
        expect(page.locator("#basis")).to_contain_text("Uses the triggers that the scan found: “banana”")
        page.get_by_role("button", name="Method and settings").click()
        slide(page, "Steps", 1)  # far too few: the trigger still works
        slide(page, "Pictures to measure on", 40)
        slide(page, "Batch", 4)
        _finish(page, "rectify", "inconclusive")

    with started(tmp_path, port) as app:
        open_page(page, app.url)
        expect(page.locator("#rectify-banner [data-status=inconclusive]")).to_be_visible()
        expect(page.locator("#measures .eft-whisker")).to_have_count(6)
        with page.expect_download() as waiting:
            name = "Download the mended checkpoint"
            page.get_by_role("button", name=name).or_(page.get_by_role("link", name=name)).first.click()
        waiting.value.save_as(tmp_path / "mended.zip")
        assert (tmp_path / "mended.zip").stat().st_size > 10_000_000

        other = browser.new_context().new_page()
        open_page(other, app.url)
        expect(other.locator("#back")).to_be_hidden()
        expect(other.locator("#scan-banner")).to_be_hidden()
        other.context.close()

        page.locator("#forget").click()
        expect(page.locator("#back")).to_be_hidden()
        expect(page.locator("#scan-banner")).to_be_hidden()
        assert not list((tmp_path / "results").glob("*/*/about.json"))
        page.reload()
        page.wait_for_selector("#facts table", state="attached")
        expect(page.locator("#back")).to_be_hidden()
    context.close()
