"""The page behind a forwarder, as in a notebook server, a code space or behind nginx, in a real browser."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect
from support import browsing
from support.browsing import LOADED_MS, needs_a_browser, open_page
from support.forwarding import NAME, forwarding
from support.started import Started, free_port, started

pytestmark = [*needs_a_browser, pytest.mark.slow]  # an app takes a while to start

browser, context = browsing.browser, browsing.context  # fixtures
PREFIX = "/proxy/7860"  # as notebook servers show a port
TRUSTS = f"EFTCLIP_TRUSTED_HOSTS={NAME}"


@contextmanager
def forwarded(folder: Path, prefix: str, **environment: str) -> Iterator[tuple[Started, str]]:
    """The app and the address at which a forwarder shows it; `URL` in the environment is that address."""
    port = free_port()
    with forwarding(f"http://127.0.0.1:{port}", prefix) as url:
        names = {name: value.replace("URL", url) for name, value in environment.items()}
        with started(folder, port, HF_HUB_OFFLINE="1", **names) as app:
            yield app, url


@pytest.mark.situation("machines", "refused")
def test_a_page_at_home_says_why_nothing_loads_and_how_to_trust_the_forwarder(
    context: BrowserContext, tmp_path: Path
) -> None:
    with forwarded(tmp_path, PREFIX) as (app, url):
        page = context.new_page()
        page.goto(f"{url}/", timeout=LOADED_MS)
        alert = page.locator("#refused")
        expect(alert).to_contain_text("This page belongs to whoever sits at this machine", timeout=LOADED_MS)
        expect(alert).to_contain_text(f"start EftCLIP with {TRUSTS}.")
        expect(alert).to_contain_text(f"start EftCLIP with GRADIO_ROOT_PATH={url}.")
        expect(alert).to_be_in_viewport()
        expect(page.locator("#facts")).to_contain_text("the reason is at the top of the page", timeout=LOADED_MS)
        page.reload()
        expect(alert).to_contain_text(TRUSTS, timeout=LOADED_MS)
        assert app.output.count(TRUSTS) == 1, "the log says it once"


@pytest.mark.situation("machines", "read")
def test_a_forwarder_that_is_named_shows_the_page(context: BrowserContext, tmp_path: Path) -> None:
    with forwarded(tmp_path, PREFIX, EFTCLIP_TRUSTED_HOSTS=NAME, GRADIO_ROOT_PATH="URL") as (app, url):
        page = context.new_page()
        open_page(page, f"{url}/")
        expect(page.locator("#refused")).to_have_count(0)
        assert page.evaluate("document.querySelector('#picture img').naturalWidth") > 0
        assert str(page.locator("#picture img").get_attribute("src")).startswith(f"{url}/"), "files come that way, too"
        address = page.get_by_role("link", name="The benchmark").evaluate("link => link.href")
        assert address == f"{url}/benchmark"
        page.goto(address)
        expect(page.locator(".eft-board").first).to_be_visible()
        assert page.locator("#back").evaluate("link => link.href") == f"{url}/"
        assert TRUSTS not in app.output


@pytest.fixture(scope="module")
def trusting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """An app that trusts one name."""
    with started(
        tmp_path_factory.mktemp("trusting"), free_port(), HF_HUB_OFFLINE="1", EFTCLIP_TRUSTED_HOSTS=NAME
    ) as app:
        yield app


@pytest.mark.situation("machines", "read")
def test_a_forwarder_that_tells_the_app_its_name_has_only_to_be_trusted(
    context: BrowserContext, trusting: Started
) -> None:
    """As code spaces do."""
    with forwarding(trusting.url, tells="X-Forwarded-Host") as url:
        page = context.new_page()
        open_page(page, f"{url}/")
        expect(page.locator("#refused")).to_have_count(0)


@pytest.mark.situation("machines", "refused")
def test_a_name_that_is_not_the_one_trusted_stays_refused(context: BrowserContext, trusting: Started) -> None:
    other = "elsewhere.localhost"
    with forwarding(trusting.url, tells="X-Forwarded-Host", name=other) as url:
        page = context.new_page()
        page.goto(f"{url}/", timeout=LOADED_MS)
        expect(page.locator("#refused")).to_contain_text(f"EFTCLIP_TRUSTED_HOSTS={other}", timeout=LOADED_MS)
