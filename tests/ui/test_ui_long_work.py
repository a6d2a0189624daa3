"""Scans and rectifications in a real browser on the bundled checkpoints, as visitors do them, two at a time too."""

import csv
import hashlib
import io
import json
import os
import re
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import open_clip
import pytest
from playwright.sync_api import Browser, FilePayload, Locator, Page, expect
from support import browsing
from support.browsing import (
    LOADED_MS,
    LONG_MS,
    PHONE,
    choose,
    is_no_wider_than_the_window,
    needs_a_browser,
    open_page,
    slide,
)

from eftclip.ui.check.photographs import Planting, bundled_choice, picture_of

browser, context, page = browsing.browser, browsing.context, browsing.page  # fixtures
pytestmark = needs_a_browser
MARKUP = "<img src=x onerror=alert(1)>"
PLANTED, UNTOUCHED = Planting("badnets", "random", 16, 0), Planting("none", "centre", 16, 0)


def _start(page: Page, step: str) -> None:
    page.locator(f"#{step}").click()
    expect(page.locator(f"#{step}-banner [data-status=running]")).to_be_visible()


def _end(page: Page, step: str) -> Locator:
    """The banner of a step once its work has ended."""
    done = page.locator(f"#{step}-banner [data-status]:not([data-status=running])")
    expect(done).to_be_visible(timeout=LONG_MS)
    expect(page.locator(f"#{step}")).to_be_enabled()
    return done


def _practise(page: Page, views: int, trigger: str = "checkerboard") -> None:
    """Begin to scan a small practice set, half of it poisoned."""
    slide(page, "Views", views)
    slide(page, "With a trigger (%)", 50)
    if page.get_by_label("Planted trigger", exact=True).input_value() != trigger:
        choose(page, "Planted trigger", trigger)
    _start(page, "scan")


def _upload(page: Page, *files: FilePayload) -> None:
    page.get_by_label("My pictures").click()
    page.locator(".eft-source:visible input[type=file]").set_input_files(list(files))
    expect(page.locator(".eft-source:visible .file-preview")).to_contain_text(re.compile(r"\d"))


def _download(page: Page, button: str, folder: Path) -> Path:
    with page.expect_download() as waiting:
        page.get_by_role("button", name=button).or_(page.get_by_role("link", name=button)).first.click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def _png(number: int, planting: Planting) -> bytes:
    buffer = io.BytesIO()
    picture_of(bundled_choice(number), planting).save(buffer, "PNG")
    return buffer.getvalue()


def _archive(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, raw in members.items():
            archive.writestr(name, raw)
    return buffer.getvalue()


def _archives() -> list[Path]:
    """Mended checkpoints of all pages, also of programs' and of tests before."""
    return list(Path(os.environ["GRADIO_TEMP_DIR"]).glob("eftclip-ui-*/*/rectify-*/*.zip"))


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def second(browser: Browser, served: str) -> Iterator[Page]:
    """Somebody else, at the same time."""
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    page = context.new_page()
    open_page(page, served)
    yield page
    context.close()


@pytest.mark.slow
def test_from_a_practice_set_to_a_mended_checkpoint_that_open_clip_loads(
    page: Page, tmp_path: Path, bundled: Callable[[str], Path]
) -> None:
    original = bundled("badnets") / "open_clip_model.safetensors"
    untouched = _sha256(original)
    expect(page.locator("#basis")).to_contain_text("No scan yet")

    page.get_by_role("button", name="Settings of the scan").click()
    slide(page, "Pictures to tune on", 16)
    _practise(page, 12)
    expect(_end(page, "scan")).to_have_attribute("data-status", "found")
    banner = page.locator("#scan-banner").inner_text()
    assert "planted in 6 of the 12 views: the scan points at 6 of them and at no other" in banner
    expect(page.locator("#families .eft-family")).to_have_count(1)
    expect(page.locator("#families")).to_contain_text("forces “banana”")
    expect(page.locator("#families .eft-chip")).to_have_text(["banana"])
    assert page.locator("#families .eft-pixels").first.get_attribute("src", timeout=1000)
    expect(page.locator("#victims .caption-label").first).to_have_text(re.compile(r"^banana → \w"))
    expect(page.locator("#coverage")).to_contain_text("The whole set was reached: 12 searched.")
    document = json.loads(_download(page, "Download this scan as JSON", tmp_path).read_text())
    assert document["affected_labels"] == ["banana"]
    assert document["families"][0]["exemplars"][0].startswith("data:image/png;base64,")
    page.locator("#curated button").first.click()
    expect(page.locator("#items .caption-label").first).to_have_text(re.compile(r"^victim: \w"))
    with zipfile.ZipFile(_download(page, "Download this set", tmp_path)) as archive:
        table = archive.read("eftclip-fine-tuning-set/metadata.csv").decode()
        rows = list(csv.DictReader(io.StringIO(table)))
        pictures = [name for name in archive.namelist() if name.endswith(".png")]
    assert {row["role"] for row in rows} >= {"victim", "control"}
    assert all(row["reason"] for row in rows)
    assert len(rows) == len(pictures) == page.locator("#items .gallery-item").count()

    expect(page.locator("#basis")).to_contain_text("Uses the triggers that the scan found: “banana”")
    page.get_by_role("button", name="Method and settings").click()
    for name, value in (("Steps", 6), ("Batch", 8), ("Look every", 2), ("Pictures to measure on", 40)):
        slide(page, name, value)
    _start(page, "rectify")
    expect(page.locator("#scan")).to_be_disabled()
    expect(page.locator("#curve .eft-dot").first).to_be_attached(timeout=LONG_MS)
    assert _end(page, "rectify").get_attribute("data-status") in ("mended", "inconclusive")
    expect(page.locator("#curve polyline")).to_have_count(2)
    expect(page.locator("#measures .eft-whisker")).to_have_count(6)
    expect(page.locator("#witnesses .caption-label").first).to_have_text(re.compile(r"^banana → \w"))
    with zipfile.ZipFile(_download(page, "Download the mended checkpoint", tmp_path)) as archive:
        archive.extractall(tmp_path)
    home = tmp_path / "badnets-rectified"
    sha256 = _sha256(home / "open_clip_model.safetensors")
    expect(page.locator("#weights")).to_contain_text(sha256)
    assert sha256 != untouched
    assert {"README.md", "report.md", "open_clip_config.json", "tokenizer.json"} <= {p.name for p in home.iterdir()}
    assert "rectified" in (home / "README.md").read_text()
    model, _ = open_clip.create_model_from_pretrained(f"local-dir:{home}")
    assert sum(parameter.numel() for parameter in model.parameters()) > 1e6
    run = json.loads(_download(page, "Download this run as JSON", tmp_path).read_text())
    assert run["rectified"]["sha256"] == sha256
    assert run["after"]["attack"]["hits"] < run["before"]["attack"]["hits"]
    assert _sha256(original) == untouched

    page.locator("#check").click()
    expect(page.locator("#verdict [data-status=found]")).to_be_visible(timeout=LONG_MS)


def test_an_archive_with_strangers_in_it_is_scanned_and_names_are_text(page: Page) -> None:
    members = {f"{MARKUP}{k}.png": _png(k, PLANTED) for k in range(3)}
    members |= {f"clear {k}.png": _png(k, UNTOUCHED) for k in range(3, 6)}
    members |= {"notes.txt": b"no picture", "../../evil.png": _png(6, UNTOUCHED), "torn.png": b"\x89PNG torn"}
    _upload(page, {"name": "my holiday.zip", "mimeType": "application/zip", "buffer": _archive(members)})
    expect(page.locator("#recognised")).to_contain_text("Recognised 8 samples: pictures without labels.")
    expect(page.locator("#recognised")).to_contain_text("notes.txt")
    _start(page, "scan")
    expect(_end(page, "scan")).to_have_attribute("data-status", "found")
    expect(page.locator("#families")).to_contain_text("carried by 3 pictures")
    expect(page.locator("#coverage")).to_contain_text("1 corrupt")
    expect(page.locator("#coverage")).to_contain_text("notes.txt")
    page.locator("#victims-about summary").click()
    assert MARKUP in page.locator("#victims-about").inner_text()
    assert page.locator("#victims-about img, #coverage img").count() == 0
    page.locator("#curated button").first.click()
    expect(page.locator("#curated-about")).to_contain_text("my holiday.zip")


def test_files_that_cannot_be_scanned_get_one_sentence_without_a_path(page: Page) -> None:
    text: FilePayload = {"name": "notes.zip", "mimeType": "application/zip", "buffer": b"I am no archive"}
    picture: FilePayload = {"name": "cat.png", "mimeType": "image/png", "buffer": _png(0, UNTOUCHED)}
    page.get_by_label("My pictures").click()
    page.locator("#scan").click()
    expect(_end(page, "scan")).to_contain_text("No file is chosen")
    for files, says in (((text,), "notes.zip is no zip archive"), ((text, picture), "notes.zip came with other files")):
        _upload(page, *files)
        page.locator("#scan").click()
        alert = page.locator("#scan-banner [data-status=error]")
        expect(alert).to_contain_text(says)
        assert "gradio" not in alert.inner_text()
        page.get_by_role("button", name="Clear").last.click()
    expect(page.locator("#scan-results")).to_have_count(0)


def test_a_text_sent_as_a_picture_is_a_fault_of_the_set_and_never_a_nothing_found(page: Page) -> None:
    _upload(page, {"name": f"{MARKUP}.png", "mimeType": "image/png", "buffer": b"I am no picture"})
    page.locator("#scan").click()  # so quick that nobody may see it run
    expect(_end(page, "scan")).to_have_attribute("data-status", "inconclusive")
    expect(page.locator("#scan-banner")).to_contain_text("No picture of the set could be read")
    expect(page.locator("#coverage")).to_contain_text("1 corrupt")
    expect(page.locator("#coverage")).to_contain_text("onerror=alert(1)")
    assert page.locator("#coverage img").count() == 0


def test_a_data_set_that_cannot_be_had_is_an_error(page: Page) -> None:
    page.get_by_label("A Hub data set").click()
    page.get_by_label("Data set", exact=True).fill("nobody/no-such-pictures")
    page.locator("#scan").click()
    expect(_end(page, "scan")).to_have_attribute("data-status", "error")
    expect(page.locator("#scan-banner [role=alert]")).to_contain_text("nobody/no-such-pictures")


def test_a_scan_that_was_stopped_says_so_and_can_begin_again(page: Page) -> None:
    _practise(page, 200)
    expect(page.locator("#scan-banner")).to_contain_text("Scanning: ", timeout=LONG_MS)
    page.locator("#stop-scan").click()
    expect(_end(page, "scan")).to_have_attribute("data-status", "inconclusive")
    expect(page.locator("#scan-banner")).to_contain_text("Stopped after")
    expect(page.locator("#stop-scan")).to_be_hidden()


@pytest.mark.slow
def test_a_rectification_that_was_stopped_leaves_everything_as_it_was(
    page: Page, bundled: Callable[[str], Path]
) -> None:
    original = bundled("badnets") / "open_clip_model.safetensors"
    untouched, others = _sha256(original), set(_archives())
    _practise(page, 6)
    expect(_end(page, "scan")).to_have_attribute("data-status", "found")
    page.get_by_role("button", name="Method and settings").click()
    for name, value in (("Steps", 500), ("Batch", 4), ("Look every", 1), ("Pictures to measure on", 40)):
        slide(page, name, value)
    _start(page, "rectify")
    expect(page.locator("#curve .eft-dot").first).to_be_attached(timeout=LONG_MS)
    page.locator("#stop-rectify").click()
    expect(_end(page, "rectify")).to_have_attribute("data-status", "inconclusive")
    expect(page.locator("#rectify-banner")).to_contain_text("The checkpoint was not changed")
    expect(page.locator("#rectify-results")).to_have_count(0)
    expect(page.locator("#curve .eft-dot").first).to_be_attached()
    assert _sha256(original) == untouched
    assert not set(_archives()) - others


def test_without_a_scan_the_page_says_what_will_be_done_and_can_be_stopped_there_too(page: Page) -> None:
    expect(page.locator("#basis")).to_contain_text("bundled photographs are scanned, then the weights are audited")
    _start(page, "rectify")
    expect(page.locator("#rectify-banner")).to_contain_text("Scanning: ", timeout=LONG_MS)
    page.locator("#stop-rectify").click()
    expect(_end(page, "rectify")).to_contain_text("Stopped")
    expect(page.locator("#rectify-banner")).to_contain_text("nothing was written")


def test_two_visitors_wait_for_each_other_and_keep_what_is_their_own(page: Page, second: Page) -> None:
    _practise(page, 200)
    expect(page.locator("#scan-banner")).to_contain_text("Scanning: ", timeout=LONG_MS)
    _practise(second, 8, trigger="no trigger")
    expect(second.locator("#scan-banner")).to_contain_text("Waiting for another visitor's work to end (1 before you)")
    second.locator("#check").click()
    expect(second.locator("#verdict [data-status=found]")).to_be_visible(timeout=LONG_MS)
    expect(page.locator("#scan-banner [data-status=running]")).to_be_visible()
    page.locator("#stop-scan").click()
    expect(_end(page, "scan")).to_contain_text("Stopped after")
    expect(_end(second, "scan")).to_have_attribute("data-status", "not_found")
    assert "clean" not in second.locator("#scan-banner").inner_text().lower()
    expect(second.locator("#basis")).to_contain_text("The last scan found no trigger")
    expect(second.locator("#victims")).to_have_count(0)


def test_stop_while_waiting_ends_the_waiting_and_nothing_else(page: Page, second: Page) -> None:
    _practise(page, 200)
    expect(page.locator("#scan-banner")).to_contain_text("Scanning: ", timeout=LONG_MS)
    _start(second, "rectify")
    expect(second.locator("#rectify-banner")).to_contain_text("1 before you")
    second.locator("#stop-rectify").click()
    expect(_end(second, "rectify")).to_contain_text("Stopped")
    expect(page.locator("#scan-banner [data-status=running]")).to_be_visible()
    page.locator("#stop-scan").click()
    _end(page, "scan")


def test_a_page_that_is_closed_stops_its_work_and_takes_its_files_away(browser: Browser, served: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    open_page(page, served)
    before = set(_folders())
    _practise(page, 200)
    expect(page.locator("#scan-banner")).to_contain_text("Scanning: ", timeout=LONG_MS)
    mine = set(_folders()) - before
    assert mine
    context.close()
    assert _becomes_true(lambda: not any(folder.exists() for folder in mine))


def test_the_checkpoint_with_three_triggers_is_practised_on_with_all_three(page: Page) -> None:
    page.get_by_label("Three triggers at once").click()
    expect(page.get_by_label("Planted trigger", exact=True)).to_have_value("three in turns")
    page.get_by_label("Its clean twin").click()
    expect(page.get_by_label("Planted trigger", exact=True)).to_have_value("checkerboard")
    expect(page.locator("#facts")).to_contain_text("without the poison", timeout=2 * LOADED_MS)  # nothing loads on


def test_a_phone_shows_a_scan_without_sliding_sideways(browser: Browser, served: str) -> None:
    context = browser.new_context(viewport=PHONE, has_touch=True)
    page = context.new_page()
    open_page(page, served)
    page.get_by_role("button", name="Settings of the scan").click()
    page.get_by_role("button", name="Method and settings").click()
    assert is_no_wider_than_the_window(page)
    _practise(page, 6)
    expect(_end(page, "scan")).to_have_attribute("data-status", "found")
    page.locator("#curated button").first.click()
    page.locator("#curated summary").click()
    expect(page.locator("#victims img").first).to_be_visible()
    assert is_no_wider_than_the_window(page)
    context.close()


def _folders() -> list[Path]:
    """One for each page that has written something."""
    return list(Path(os.environ["GRADIO_TEMP_DIR"]).glob("eftclip-ui-*/*"))


def _becomes_true(holds: Callable[[], bool]) -> bool:
    """Whether something happens within a time that is long for any machine."""
    never = threading.Event()
    return any(holds() or never.wait(0.2) for _ in range(600))
