"""What a listener yields is seen, however soon the next yield follows and however busy the browser is. No model."""

import json
from collections.abc import Iterator
from typing import Any

import gradio as gr
import httpx
import pytest
from playwright.sync_api import BrowserContext, expect
from support import browsing
from support.browsing import LOADED_MS, needs_a_browser

from eftclip.ui import build_demo
from eftclip.ui.blocks import Blocks

browser, context = browsing.browser, browsing.context  # fixtures
NEWS = 3
# As in a tab that nobody looks at: nothing is drawn, and timers come late.
UNSEEN = """() => {
    const later = window.setTimeout;
    window.requestAnimationFrame = () => 0;
    window.setTimeout = (act, ms = 0, ...rest) => later(act, Math.max(ms, 200), ...rest);
}"""


def _work() -> Iterator[list[Any]]:
    """News, a result, and at once what follows from it, which leaves the result as it is: as step 5 does."""
    for number in range(NEWS):
        yield [gr.update(value=f"news {number}", visible=True), gr.skip(), gr.skip(), "running"]
    yield [gr.update(value="ended"), gr.update(visible=True), gr.update(value="measured", visible=True), "running"]
    yield [gr.skip(), gr.skip(), gr.skip(), "published"]


@pytest.fixture
def url() -> Iterator[str]:
    """Address of a small page of the kind that ours is."""
    with Blocks() as demo:
        start, banner = gr.Button("Start", elem_id="start"), gr.HTML(visible=False, elem_id="banner")
        with gr.Column(visible=False) as results:
            measures = gr.HTML(elem_id="measures")
        outcome = gr.HTML(elem_id="outcome")
        start.click(_work, None, [banner, results, measures, outcome], api_name="work")
    _, address, _ = demo.launch(prevent_thread_lock=True, quiet=True, ssr_mode=False)
    yield address
    demo.close()


def test_our_page_is_of_this_kind() -> None:
    assert isinstance(build_demo(), Blocks)


@needs_a_browser[0]
@needs_a_browser[1]
def test_a_browser_that_is_behind_shows_what_the_next_yield_skips(url: str, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(url, timeout=LOADED_MS)
    expect(page.locator("#start")).to_be_visible(timeout=LOADED_MS)
    page.evaluate(UNSEEN)
    page.locator("#start").dispatch_event("click")
    expect(page.locator("#outcome")).to_contain_text("published")
    expect(page.locator("#measures")).to_have_text("measured")
    expect(page.locator("#banner")).to_have_text("ended")


def test_no_edit_reaches_into_a_value_that_was_sent_before(url: str) -> None:
    edits = [edit for values in _told(url)[1:-1] for value in values for edit in value]
    assert {(action, tuple(path)) for action, path, _ in edits} == {("replace", ())}
    assert len(edits) == (NEWS - 1) + 3 + 4, "what stays as it is, is not sent again"


def _told(url: str) -> list[list[Any]]:
    """The values that come over the network, one list for each yield, and at last those of the end."""
    told: list[list[Any]] = []
    with httpx.Client(base_url=url, timeout=60) as client:
        config = client.get("/config").json()
        number = next(each["id"] for each in config["dependencies"] if each["api_name"] == "work")
        body = {"data": [], "fn_index": number, "session_hash": "ann"}
        client.post("/gradio_api/queue/join", json=body).raise_for_status()
        with client.stream("GET", "/gradio_api/queue/data", params={"session_hash": "ann"}) as lines:
            for line in lines.iter_lines():
                message = json.loads(line.removeprefix("data: ")) if line.startswith("data: ") else {}
                if message.get("msg") in ("process_generating", "process_completed"):
                    told.append(message["output"]["data"])
                if message.get("msg") == "process_completed":
                    return told
    pytest.fail("the stream ended before the work")
