"""A real browser on the running app: fixtures and the few steps that every visit is made of."""

import shutil
from collections.abc import Iterator
from functools import partial
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright

# Debian has the same browser without its own windows as a package, which opens a page with half the work.
CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
ARGUMENTS = (  # drawing what turns and slides takes a core here, for as long as anything is waited for
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --use-fake-device-for-media-stream --use-fake-ui-for-media-stream "
    "--force-prefers-reduced-motion"
)
LOADED_MS, JUDGED_MS, LONG_MS = 120_000, 180_000, 600_000  # generous: a busy machine is no failure
MOST_TRIES = 20
PHONE: ViewportSize = {"width": 390, "height": 844}
expect.set_options(timeout=30_000)

needs_a_browser = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS.split())
        # Playwright would tell every page that its visitor likes motion, whatever the browser was started with.
        chromium.new_context = partial(chromium.new_context, reduced_motion="null")  # type: ignore[method-assign]
        yield chromium
        chromium.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 860}, permissions=["camera"])
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, served: str) -> Iterator[Page]:
    """The open page, ready for a click; afterwards nothing may have broken and nothing may have left the server."""
    page, broken, strayed = context.new_page(), [], []
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.on("console", lambda message: broken.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: strayed.append(request.url) if _leaves(request.url, served) else None)
    open_page(page, served)
    yield page
    assert not broken, broken
    assert not strayed, strayed


def open_page(page: Page, url: str) -> None:
    """Open the page and wait until it can be used."""
    page.goto(url, timeout=LOADED_MS)
    page.wait_for_selector("#picture img", timeout=LOADED_MS)
    page.wait_for_selector("#facts table", state="attached", timeout=LOADED_MS)


def choose(page: Page, name: str, option: str) -> None:
    """Choose from a drop-down list."""
    page.get_by_label(name, exact=True).click()
    page.get_by_role("option", name=option, exact=True).click()


SOME_FRAMES = """() => new Promise(done => {
    let left = 5;
    const next = () => left-- > 0 ? requestAnimationFrame(next) : done();
    next();
})"""


def slide(page: Page, name: str, value: int) -> None:
    """Set a slider; one that has only just come into sight forgets what is typed, so it is typed until it is kept.

    Gradio writes the old value once more a few frames after a folded part has opened, so it is looked at after those.
    """
    field = page.get_by_label(f"number input for {name}", exact=True)
    kept = page.get_by_label(f"range slider for {name}", exact=True)
    for _ in range(MOST_TRIES):
        field.fill(str(value))
        field.press("Tab")
        page.evaluate(SOME_FRAMES)
        if kept.input_value() == str(value):
            break
    expect(kept).to_have_value(str(value))


def press_publish(page: Page, repo: str) -> None:
    """Name a repository and press the button of step 5."""
    page.get_by_role("textbox", name="Repository", exact=True).fill(repo)
    # So that what an earlier attempt ended with is not taken for what this one ends with.
    page.evaluate("document.querySelectorAll('#publish-banner [data-status]').forEach(old => old.dataset.old = 1)")
    page.locator("#publish").click()


def published(page: Page) -> str:
    """How the attempt that the button began has ended."""
    done = page.locator("#publish-banner [data-status]:not([data-status=running]):not([data-old])")
    expect(done).to_be_visible(timeout=LONG_MS)
    expect(page.locator("#publish")).to_be_enabled()
    return str(done.get_attribute("data-status"))


def is_no_wider_than_the_window(page: Page) -> bool:
    """Nobody has to slide the page sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def _leaves(address: str, url: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != urlsplit(url).netloc
