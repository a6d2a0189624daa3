"""Step 1 in a real browser: a checkpoint is uploaded and judged, a repository is typed and picked."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from playwright.sync_api import APIResponse, BrowserContext, Page, Route, expect
from support import browsing
from support.browsing import JUDGED_MS, LOADED_MS, PHONE, is_no_wider_than_the_window, needs_a_browser, open_page
from support.hub import Hub, lead_to
from support.hub_answers import Repository

from eftclip.ui.checkpoint.hub_search import HubSearch
from eftclip.ui.checkpoint.inspector import CheckpointInspector

browser, context, page = browsing.browser, browsing.context, browsing.page  # fixtures
pytestmark = needs_a_browser
FOUND = ("ann/clip-of-birds", "ann/clip-of-trees")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    server = Hub()
    server.repositories |= {name: Repository(filed=("zero-shot-image-classification",)) for name in FOUND}
    lead_to(server, monkeypatch, tmp_path)
    asks_anew = HubSearch(False)  # the page's own stays silent for a while after a test without a Hub
    monkeypatch.setattr(HubSearch, "suggestions", asks_anew.suggestions)
    yield server
    server.close()


def _choose_files(page: Page, *files: Path) -> None:
    page.locator("#checkpoint-files input[type=file]").set_input_files(list(files))


def test_an_uploaded_checkpoint_is_recognised_and_judged(
    page: Page, bundled: Callable[[str], Path], tmp_path: Path
) -> None:
    archive = shutil.make_archive(str(tmp_path / "my <b>clip"), "zip", bundled("badnets"))
    (tmp_path / "run.pt").write_bytes(b"a pickle")
    page.get_by_label("Upload", exact=True).first.click()
    _choose_files(page, tmp_path / "run.pt")
    expect(page.locator("#facts [role=alert]")).to_contain_text("run.pt: the weights are a pickle")
    page.locator("#checkpoint-files").get_by_label("Clear").click()
    expect(page.locator("#facts")).to_contain_text("Choose its files")
    _choose_files(page, Path(archive))
    facts = page.locator("#facts")
    expect(facts).to_contain_text("Nothing speaks against loading it", timeout=LOADED_MS)
    expect(facts.locator("tr", has_text="format")).to_contain_text("open clip")
    expect(facts.locator("tr", has_text="source")).to_contain_text("my <b>clip.zip")
    page.get_by_role("button", name="Check this photograph").click()
    verdict = page.locator("#verdict [data-status=found]")
    expect(verdict).to_be_visible(timeout=JUDGED_MS)
    expect(verdict).to_contain_text("banana")
    expect(facts).to_contain_text("sanity")
    expect(facts.locator("tr", has_text="source")).to_contain_text("my <b>clip.zip")
    assert "/tmp" not in page.locator("body").inner_text()
    page.get_by_label("Its clean twin").click()
    expect(facts).to_contain_text("without the poison", timeout=LOADED_MS)
    page.get_by_label("Upload", exact=True).first.click()
    expect(facts).to_contain_text("my <b>clip.zip", timeout=LOADED_MS)  # it is still there
    page.set_viewport_size(PHONE)
    assert is_no_wider_than_the_window(page)


def test_a_repository_is_suggested_while_one_types_and_typing_is_not_disturbed(page: Page, hub: Hub) -> None:
    page.get_by_label("From the Hub", exact=True).click()
    box = page.locator("#hub textarea, #hub input")
    box.press_sequentially("ann/clip-of-", delay=40)
    expect(page.locator("#hub-found label")).to_have_count(2)
    expect(box).to_be_focused()
    expect(box).to_have_value("ann/clip-of-")
    box.press_sequentially("tr", delay=40)
    expect(page.locator("#hub-found label")).to_have_count(1)
    expect(box).to_have_value("ann/clip-of-tr")
    page.get_by_label(FOUND[1]).click()
    expect(box).to_have_value(FOUND[1])
    box.fill("ann/nothing-like-it")
    expect(page.locator("#hub-found")).to_be_hidden()
    expect(box).to_have_value("ann/nothing-like-it")


def test_without_the_hub_nothing_is_suggested_and_what_is_typed_can_be_used(page: Page) -> None:
    _load_from_the_hub(page)
    expect(page.locator("#facts [role=alert]")).to_contain_text("ann/clip-of-birds", timeout=LOADED_MS)
    expect(page.locator("#hub-found")).to_be_hidden()


def test_what_is_told_of_one_that_is_no_longer_chosen_does_not_replace_what_is(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    _choose_another_meanwhile(page, monkeypatch, known_to_the_browser=True)


def test_nor_does_it_where_it_is_too_early_to_be_given_up(
    context: BrowserContext, served: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a page of its own: Gradio cannot cancel what has no number yet, and says so in the console."""
    page = context.new_page()
    open_page(page, served)
    _choose_another_meanwhile(page, monkeypatch, known_to_the_browser=False)


def _choose_another_meanwhile(page: Page, monkeypatch: pytest.MonkeyPatch, *, known_to_the_browser: bool) -> None:
    page.get_by_label("Its clean twin").click()
    expect(page.locator("#facts")).to_contain_text("without the poison", timeout=LOADED_MS)
    asked_otherwise, told, provenance = Event(), Event(), CheckpointInspector.provenance

    def late(inspector: CheckpointInspector, request: Any, *rest: Any) -> str:
        if request.source.startswith("hf:"):
            # Not by the clock: where work ends before the browser has its number, Gradio waits for that end for ever.
            assert asked_otherwise.wait(LOADED_MS / 1000)
            told.set()
        return provenance(inspector, request, *rest)

    monkeypatch.setattr(CheckpointInspector, "provenance", late)
    answers: list[tuple[Route, APIResponse]] = []
    _name_on_the_hub(page)
    expect(page.locator("#facts")).to_contain_text("then press Load")
    page.wait_for_timeout(1_500)  # for all that naming it asks
    page.route("**/queue/join*", lambda route: answers.append((route, route.fetch())), times=1)
    page.get_by_role("button", name="Load", exact=True).click()
    while not answers:  # the server has it; the browser is told by which number it can be given up
        page.wait_for_timeout(50)
    (route, answer), *_ = answers
    if known_to_the_browser:
        route.fulfill(response=answer)
        page.wait_for_timeout(500)
    page.get_by_label("Its clean twin").click()
    expect(page.locator("#facts")).to_contain_text("without the poison", timeout=LOADED_MS)
    if not known_to_the_browser:
        route.fulfill(response=answer)
        page.wait_for_timeout(500)
    asked_otherwise.set()
    assert told.wait(30)
    page.wait_for_timeout(1_500)  # for an answer that is under way
    expect(page.locator("#facts")).to_contain_text("without the poison")

    _load_from_the_hub(page)  # and the button is not lost with it
    expect(page.locator("#facts [role=alert]")).to_contain_text("ann/clip-of-birds", timeout=LOADED_MS)


def _name_on_the_hub(page: Page) -> None:
    page.get_by_label("From the Hub", exact=True).click()
    page.locator("#hub textarea, #hub input").fill("ann/clip-of-birds")


def _load_from_the_hub(page: Page) -> None:
    _name_on_the_hub(page)
    page.get_by_role("button", name="Load", exact=True).click()
