"""A whole visit in a real browser on the bundled checkpoints: what a visitor does, sees and can take home."""

import itertools
import json
import shutil
import time
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from support import browsing
from support.browsing import (
    JUDGED_MS,
    LOADED_MS,
    PHONE,
    choose,
    is_no_wider_than_the_window,
    needs_a_browser,
    open_page,
)

from eftclip.config import ALGORITHM_NAMES, DetectConfig
from eftclip.ui.check import photographs
from eftclip.ui.checkpoint.texts import CHOICES, SETTINGS

browser, context, page = browsing.browser, browsing.context, browsing.page  # fixtures
pytestmark = needs_a_browser
LATE_S = 1.5


def _check(page: Page, status: str) -> None:
    page.get_by_role("button", name="Check this photograph").click()
    if status != "error":  # which may come so quickly that nobody sees it run
        expect(page.locator("#verdict [data-status=running]")).to_be_visible()
    _wait_for(page, status)


def _wait_for(page: Page, status: str) -> None:
    done = page.locator("#verdict [data-status]:not([data-status=running]):not([data-status=idle])")
    expect(done).to_be_visible(timeout=JUDGED_MS)
    expect(done).to_have_attribute("data-status", status)
    expect(page.get_by_role("button", name="Check this photograph")).to_be_enabled()


@pytest.mark.quick
def test_one_click_from_opening_the_page_to_a_verdict_that_can_be_taken_home(page: Page, tmp_path: Path) -> None:
    expect(page.locator("#facts")).to_contain_text("examples/checkpoints/badnets")
    expect(page.locator("#note")).to_contain_text("checkerboard planted")
    _check(page, "found")
    expect(page.locator("#verdict")).to_contain_text("A trigger is steering this model")
    expect(page.locator("#verdict")).to_contain_text("banana")
    expect(page.locator("#outlined img")).to_be_visible()
    expect(page.locator("#pair img").first).to_be_visible()
    expect(page.locator("#readings .eft-bars")).to_have_count(2)
    assert page.locator("#strangers .gallery-item").count() >= 4
    expect(page.locator("#strangers .caption-label").first).to_contain_text("→ banana")
    expect(page.locator("#numbers")).to_contain_text("strangers taken over")
    with page.expect_download() as waiting:
        page.locator("#download").click()
    waiting.value.save_as(tmp_path / "check.json")
    document = json.loads((tmp_path / "check.json").read_text(encoding="utf-8"))
    assert document["results"][0]["status"] == "found"
    assert document["results"][0]["trigger"]["target_label"] == "banana"
    assert document["results"][0]["trigger"]["mask_png"].startswith("data:image/png;base64,")


def test_an_untouched_photograph_says_what_was_looked_for_and_calls_nothing_clean(page: Page) -> None:
    choose(page, "Plant a trigger", "no trigger")
    expect(page.locator("#note")).to_contain_text("nothing planted")
    _check(page, "not_found")
    words = page.locator("#verdict").inner_text()
    assert "Searched: patches (none)" in words
    assert "Not searched: smooth patterns" in words
    assert "clean" not in words.lower()
    expect(page.locator("#pair")).to_have_count(0)
    expect(page.locator("#strangers")).to_have_count(0)
    expect(page.locator("#beside .eft-bars")).to_be_visible()


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> Event:
    """The first picture that is planted from now on comes a good second late; set once it has come."""
    come, planted = Event(), photographs.picture_of
    calls = itertools.count()

    def slow(*values: Any) -> Image.Image:
        first = next(calls) == 0
        picture = planted(*values)
        if first:
            time.sleep(LATE_S)
            come.set()
        return picture

    monkeypatch.setattr(photographs, "picture_of", slow)
    return come


def test_a_picture_that_comes_late_is_not_shown_over_a_later_one(page: Page, late: Event) -> None:
    page.get_by_label("Seed", exact=True).first.fill("1")
    choose(page, "Plant a trigger", "faint noise (whole picture)")
    expect(page.locator("#note")).to_contain_text("faint noise")
    assert late.wait(10 * LATE_S)
    page.wait_for_timeout(500)  # for an answer that is under way
    expect(page.locator("#note")).to_contain_text("faint noise")


def test_what_was_chosen_before_the_button_is_judged_however_late_it_comes(page: Page, late: Event) -> None:
    choose(page, "Plant a trigger", "no trigger")
    _check(page, "not_found")
    assert late.is_set()
    expect(page.locator("#note")).to_contain_text("nothing planted")


def test_the_papers_algorithm_can_be_chosen(page: Page, tmp_path: Path) -> None:
    page.get_by_role("button", name="Labels, oracle and settings").click()
    page.get_by_role("button", name="Settings of the search").click()
    page.get_by_label("the paper's, as published").click()
    _check(page, "found")
    expect(page.locator("#verdict")).to_contain_text("The paper's algorithm named it")
    with page.expect_download() as waiting:
        page.locator("#download").click()
    waiting.value.save_as(tmp_path / "check.json")
    document = json.loads((tmp_path / "check.json").read_text(encoding="utf-8"))
    assert (document["config"]["algorithm"], document["results"][0]["named"]["label"]) == ("paper", "banana")


def test_the_clean_twin_ignores_the_same_trigger(page: Page) -> None:
    page.get_by_label("Its clean twin").click()
    expect(page.locator("#facts")).to_contain_text("without the poison", timeout=LOADED_MS)
    _check(page, "not_found")


def test_a_click_on_a_photograph_chooses_it_and_keeps_the_trigger(page: Page) -> None:
    before = page.locator("#picture img").get_attribute("src")
    page.locator("#photos .thumbnail-item").nth(1).click()
    expect(page.locator("#note")).to_contain_text("Lion")
    expect(page.locator("#note")).to_contain_text("checkerboard planted")
    assert page.locator("#picture img").get_attribute("src") != before


def test_a_text_sent_as_a_picture_gets_one_sentence_and_loses_nothing(page: Page, tmp_path: Path) -> None:
    (tmp_path / "fake.png").write_text("I am no picture")
    page.locator("#picture input[type=file]").set_input_files(tmp_path / "fake.png")
    alert = page.locator("#note [role=alert]")
    expect(alert).to_contain_text("not a picture")
    expect(alert).to_contain_text("Still chosen: “Cat”")
    assert str(tmp_path) not in alert.inner_text()
    expect(page.locator("#picture img")).to_be_visible()
    expect(page.get_by_label("Plant a trigger", exact=True)).to_have_value("checkerboard")


def test_an_own_photograph_is_checked_as_it_is(page: Page, tmp_path: Path) -> None:
    from eftclip.data import bundled_photographs

    path = tmp_path / "<b>holiday.png"
    shutil.copy(bundled_photographs()[2].path, path)
    page.locator("#picture input[type=file]").set_input_files(path)
    expect(page.locator("#note")).to_contain_text("nothing planted")
    expect(page.locator("#note b")).to_have_count(0)
    expect(page.get_by_label("Plant a trigger", exact=True)).to_have_value("no trigger")
    choose(page, "Plant a trigger", "yellow square")
    expect(page.locator("#note")).to_contain_text("yellow square planted")


def test_a_photograph_from_the_camera_is_chosen(page: Page) -> None:
    page.get_by_role("button", name="Capture from camera").click()
    expect(page.locator("#note")).to_contain_text("No photograph is chosen")
    page.get_by_text("Click to Access Webcam").click()
    page.wait_for_function("document.querySelector('#picture video')?.videoWidth > 0")
    page.get_by_role("button", name="capture photo").click()
    expect(page.locator("#note")).to_contain_text("Your file")
    expect(page.locator("#picture img")).to_be_visible()


def test_without_a_photograph_there_is_nothing_to_judge(page: Page) -> None:
    page.locator("#picture").get_by_role("button", name="Remove").or_(page.get_by_label("Clear")).first.click()
    expect(page.locator("#note")).to_contain_text("No photograph is chosen")
    _check(page, "error")
    expect(page.locator("#verdict")).to_contain_text("No photograph is chosen")


def test_stop_ends_without_a_verdict(page: Page) -> None:
    page.get_by_role("button", name="Check this photograph").click()
    page.get_by_role("button", name="Stop").click()
    _wait_for(page, "inconclusive")
    expect(page.locator("#verdict")).not_to_contain_text("No trigger found")


def test_a_checkpoint_that_cannot_be_had_is_an_error_and_no_verdict(page: Page) -> None:
    page.get_by_label("From the Hub").click()
    page.get_by_label("Hub id").fill("nobody/no-such-checkpoint")
    _check(page, "error")
    expect(page.locator("#verdict [role=alert]")).to_contain_text("nobody/no-such-checkpoint")
    expect(page.locator("#results")).to_have_count(0)


def test_labels_of_a_visitor_are_text_and_never_markup(page: Page) -> None:
    page.get_by_role("button", name="Labels, oracle and settings").click()
    page.get_by_label("My own list").click()
    page.get_by_label("One label a line").fill("cat\n<img src=x onerror=alert(1)>\nbanana\ntower")
    page.get_by_role("button", name="Check this photograph").click()
    expect(page.locator("#results .eft-bars").first).to_be_visible(timeout=JUDGED_MS)
    assert page.locator("#results .eft-bars img").count() == 0
    assert "<img src=x onerror=alert(1)>" in page.locator("#results").inner_text()


def test_a_phone_shows_everything_without_sliding_sideways(browser: Browser, served: str) -> None:
    context = browser.new_context(viewport=PHONE, has_touch=True)
    page = context.new_page()
    open_page(page, served)
    assert is_no_wider_than_the_window(page)
    _check(page, "found")
    expect(page.locator("#strangers img").first).to_be_visible()
    assert is_no_wider_than_the_window(page)
    context.close()


def test_every_setting_of_the_detector_can_be_set_on_the_page() -> None:
    assert {*CHOICES, *SETTINGS} == set(DetectConfig().to_dict())
    assert tuple(CHOICES["algorithm"][1]) == ALGORITHM_NAMES
