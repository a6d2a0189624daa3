"""Rectify and publish in a real browser, to a Hub of the test's own: who is signed in, what is asked, the link."""

import logging
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import pytest
from gradio import oauth
from playwright.sync_api import Browser, Page, expect
from support import browsing
from support.browsing import LONG_MS, needs_a_browser, open_page, press_publish, published, slide
from support.hub import lead_to
from support.hub_writing import WritableHub
from support.secrecy import holding, offered

from eftclip.errors import PublishError
from eftclip.publish import Account
from eftclip.ui import build_demo
from eftclip.ui.publish import texts as publish_texts
from eftclip.ui.publish.request import publish_request
from eftclip.ui.publish.sign_in import SIGN_IN, can_sign_in
from eftclip.ui.server import launch_options

browser, context, page = browsing.browser, browsing.context, browsing.page  # fixtures
REPO, TOKEN = "friends/mended", "hf_good"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[WritableHub]:
    server = WritableHub()
    lead_to(server, monkeypatch, tmp_path)
    yield server
    server.close()


@pytest.fixture
def mine(hub: WritableHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Address of the app on its user's own machine, who has a token."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    demo = build_demo(folders=True)
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, **launch_options())
    yield url
    demo.close()


@pytest.mark.slow
@needs_a_browser[0]
@needs_a_browser[1]
def test_one_click_rectifies_asks_a_second_time_and_publishes(
    hub: WritableHub, mine: str, browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    page = context.new_page()
    open_page(page, mine)
    expect(page.locator("#who")).to_contain_text("Signed in as friends")
    expect(page.locator("#who")).to_contain_text("friends, lab")

    page.get_by_role("button", name="Settings of the scan").click()
    slide(page, "Pictures to tune on", 16)
    slide(page, "Views", 8)
    slide(page, "With a trigger (%)", 50)
    page.get_by_role("button", name="Method and settings").click()
    slide(page, "Steps", 1)  # far too few: the trigger still works
    slide(page, "Pictures to measure on", 40)
    slide(page, "Batch", 4)
    page.locator("#scan").click()
    expect(page.locator("#scan-banner [data-status=found]")).to_be_visible(timeout=LONG_MS)
    press_publish(page, REPO)
    expect(page.locator("#rectify")).to_be_disabled()
    assert published(page) == "inconclusive"
    expect(page.locator("#publish-banner")).to_contain_text("The trigger still works: ASR is")
    expect(page.locator("#measures .eft-whisker")).to_have_count(6)
    assert REPO not in hub.repositories

    page.get_by_label("Publish it all the same").check()
    press_publish(page, REPO)
    assert published(page) == "mended"
    expect(page.locator("#publish-banner a")).to_have_attribute("href", f"{hub.url}/{REPO}")
    expect(page.locator("#anyway")).to_be_hidden()
    repository = hub.repositories[REPO]
    files = repository.commits[repository.refs["main"]]
    assert {"README.md", "open_clip_model.safetensors", "rectify.json", "triggers.png", "measured.png"} <= set(files)
    assert not {"victims.png", "witnesses.png", "report.md"} & set(files)
    seen = offered(page) | {f"published {name}": body for name, body in files.items()}
    assert {"eftclip-scan.json", "eftclip-rectify.json"} <= set(seen)
    assert not holding([TOKEN], seen | {"the log": caplog.text.encode()})
    context.close()


@needs_a_browser[0]
@needs_a_browser[1]
def test_a_page_that_others_can_reach_says_that_nobody_can_sign_in(page: Page) -> None:
    expect(page.locator("#who")).to_contain_text("Nobody can sign in to this page")
    press_publish(page, REPO)
    assert published(page) == "error"
    expect(page.locator("#publish-banner")).to_contain_text("Nobody can sign in to this page")
    press_publish(page, "<b>no</b>")
    assert published(page) == "error"
    expect(page.locator("#publish-banner")).to_contain_text("'<b>no</b>' cannot be the name of a Hub repository")


def test_one_signs_in_only_where_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sign-in itself is in `test_ui_space`; where a part of it is missing, the page is built and says so."""
    assert not _asks_to_sign_in()
    for name, value in {"SYSTEM": "spaces", **dict.fromkeys(SIGN_IN, "x/y")}.items():
        monkeypatch.setenv(name, value)
        monkeypatch.setattr(oauth, name, value, raising=False)
    assert _asks_to_sign_in()
    for name in ("SYSTEM", *SIGN_IN):
        with monkeypatch.context() as without:
            without.delenv(name)
            assert not can_sign_in(), f"nobody can sign in without {name}"
    monkeypatch.delenv("OAUTH_CLIENT_SECRET")
    assert not _asks_to_sign_in()


def _asks_to_sign_in() -> bool:
    return any(isinstance(block, gr.LoginButton) for block in build_demo().blocks.values())


@pytest.mark.parametrize("name", ["", " ", None, 7, ["a/b"], "x" * 3000, "a/../b", "file:///etc/passwd"])
def test_names_that_no_page_would_send_get_one_sentence(name: object) -> None:
    with pytest.raises(PublishError, match=r"write org/name|Write org/name"):
        publish_request(name, private="yes", anyway=1)
    asked = publish_request(f"hf:{REPO}", private="yes", anyway=1)
    assert not asked.private, "only a real yes is one"
    assert not asked.anyway


def test_who_is_signed_in_and_what_may_be_written_is_said() -> None:
    assert "friends, lab" in publish_texts.signed_in(Account("friends", ("lab",), True))
    assert "nothing can be published" in publish_texts.signed_in(Account("friends", (), False))
    assert "Sign in with Hugging Face" in publish_texts.not_signed_in(private=False, can_sign_in=True)
    assert "HF_TOKEN" in publish_texts.not_signed_in(private=True, can_sign_in=False)
    assert "eftclip publish" in publish_texts.not_signed_in(private=False, can_sign_in=False)
