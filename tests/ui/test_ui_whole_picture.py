"""A pattern over the whole picture on the page: planted, found in one picture and in a set, shown, rectified."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect
from support import browsing
from support.browsing import JUDGED_MS, LOADED_MS, LONG_MS, choose, is_no_wider_than_the_window, needs_a_browser, slide
from support.taught import LABELS, write_blended

browser, context, page = browsing.browser, browsing.context, browsing.page  # fixtures
pytestmark = needs_a_browser
NOISE = "faint noise (whole picture)"


def _ended(page: Page, step: str) -> Locator:
    """The banner of a step once its work has ended."""
    page.locator(f"#{step}").click()
    expect(page.locator(f"#{step}-banner [data-status=running]")).to_be_visible()
    done = page.locator(f"#{step}-banner [data-status]:not([data-status=running])")
    expect(done).to_be_visible(timeout=LONG_MS)
    expect(page.locator(f"#{step}")).to_be_enabled()
    return done


@pytest.mark.slow
def test_from_a_planted_pattern_to_a_mended_checkpoint(page: Page, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = write_blended(tmp_path_factory.mktemp("noise") / "noise")
    page.get_by_label("Upload", exact=True).first.click()
    page.locator(".eft-source:visible input[type=file]").first.set_input_files(sorted(folder.iterdir()))
    page.get_by_role("button", name="Labels, oracle and settings").click()
    page.get_by_label("My own list").click()
    page.get_by_label("One label a line").fill("\n".join(LABELS))
    page.locator("fieldset", has_text="Reference checkpoint").get_by_label("none").click()
    page.get_by_role("button", name="Load", exact=True).click()
    expect(page.locator("#facts")).to_contain_text("VisionTransformer", timeout=LOADED_MS)
    expect(page.locator("#facts")).to_contain_text("sanity", timeout=LOADED_MS)

    choose(page, "Plant a trigger", NOISE)
    expect(page.get_by_text("planted at 96 × 96 pixels")).to_be_visible()
    page.locator("#check").click()
    found = page.locator("#verdict [data-status=found]")
    expect(found).to_be_visible(timeout=JUDGED_MS)
    expect(found).to_contain_text("A pattern over all that the model sees makes it say “banana”.")
    expect(found).to_contain_text("fine patterns over the whole picture (found)")
    expect(found).to_contain_text(re.compile("Not searched: .*warps"))

    slide(page, "Views", 12)
    slide(page, "With a trigger (%)", 50)
    choose(page, "Planted trigger", NOISE)
    expect(_ended(page, "scan")).to_have_attribute("data-status", re.compile("found|inconclusive"))
    banner = page.locator("#scan-banner")
    expect(banner).to_contain_text(
        re.compile("planted in 6 of the 12 views: the scan points at [4-6] of them and at no other")
    )
    expect(page.locator("#families .eft-chip")).to_have_text(["banana"])
    expect(page.locator("#families")).to_contain_text("a pattern over the whole picture, amplified")
    page.locator("#victims-about summary").click()
    expect(page.locator("#victims-about td", has_text=re.compile("^pattern$")).first).to_be_visible()

    page.get_by_role("button", name="Method and settings").click()
    for name, value in (("Steps", 6), ("Batch", 8), ("Look every", 2), ("Pictures to measure on", 40)):
        slide(page, name, value)
    assert _ended(page, "rectify").get_attribute("data-status") in ("mended", "inconclusive")
    expect(page.locator("#measures .eft-whisker")).to_have_count(6)
    expect(page.locator("#weights")).to_contain_text(re.compile("[0-9a-f]{64}"))
    assert is_no_wider_than_the_window(page)
