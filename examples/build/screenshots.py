"""Drive the page with Chromium and keep what a visitor sees, for the README.

    python -m examples.build.screenshots --out examples/images

Needs `pip install -e '.[test]'` and a Chromium on this machine; everything else is the app itself on its bundled
checkpoints, and for publishing the Hub of the tests. Each scene is one visit: a window, what is done in it, and the
picture that is kept. Those that rectify take some minutes each on a CPU.
"""

import argparse
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, FilePayload, Page, sync_playwright

from eftclip.ui import build_demo
from eftclip.ui.server import launch_options

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests"))

from support.hub import lead_to
from support.hub_writing import WritableHub

ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
DESKTOP, PHONE = (1280, 860), (390, 844)
WAIT_MS = 1_800_000
DONE = "#verdict [data-status]:not([data-status=running]):not([data-status=idle])"
ENDED = "#{}-banner [data-status]:not([data-status=running])"


@dataclass(frozen=True)
class Scene:
    """One picture: its name, the window in pixels, light or dark, what the visitor does, and which part is kept."""

    name: str
    window: tuple[int, int]
    theme: str
    act: Callable[[Page], None]
    part: str = ""  # a CSS selector; the whole page when empty
    home: bool = False  # on the visitor's own machine, whose token may publish


def nothing(page: Page) -> None:
    page.wait_for_selector("#photos img")


def check(page: Page) -> None:
    page.get_by_role("button", name="Check this photograph").click()
    page.wait_for_selector(DONE, timeout=WAIT_MS)
    page.get_by_role("button", name="Check this photograph").wait_for(timeout=WAIT_MS)


def check_untouched(page: Page) -> None:
    page.get_by_label("Plant a trigger", exact=True).click()
    page.get_by_role("option", name="no trigger", exact=True).click()
    page.wait_for_selector("#note >> text=nothing planted")
    check(page)


def stop(page: Page) -> None:
    page.get_by_role("button", name="Check this photograph").click()
    page.get_by_role("button", name="Stop").click()
    page.wait_for_selector(DONE, timeout=WAIT_MS)


def ask_for_what_is_not_there(page: Page) -> None:
    page.get_by_label("From the Hub").click()
    page.get_by_label("Hub id").fill("nobody/no-such-checkpoint")
    check(page)


def bring_a_text(page: Page) -> None:
    upload: FilePayload = {"name": "holiday.png", "mimeType": "image/png", "buffer": b"I am no picture"}
    page.locator("#picture input[type=file]").set_input_files(upload)
    page.wait_for_selector("#note [role=alert]")


def scan(page: Page) -> None:
    page.locator("#scan").click()
    page.wait_for_selector(ENDED.format("scan"), timeout=WAIT_MS)
    page.get_by_role("button", name="Scan", exact=True).wait_for(timeout=WAIT_MS)


def scan_three(page: Page) -> None:
    page.get_by_label("Three triggers at once").click()
    scan(page)


def bring_odd_files(page: Page) -> None:
    page.get_by_label("My pictures").click()
    upload: FilePayload = {"name": "holiday.zip", "mimeType": "application/zip", "buffer": b"I am no archive"}
    page.locator(".eft-source:visible input[type=file]").set_input_files(upload)
    page.wait_for_selector(".eft-source:visible .file-preview")
    scan(page)


def rectify(page: Page) -> None:
    scan(page)
    page.locator("#rectify").click()
    page.wait_for_selector(ENDED.format("rectify"), timeout=WAIT_MS)
    page.get_by_role("button", name="Rectify this checkpoint").wait_for(timeout=WAIT_MS)


def rectify_halfway(page: Page) -> None:
    scan(page)
    page.locator("#rectify").click()
    page.wait_for_selector("#curve polyline", state="attached", timeout=WAIT_MS)


def publish(page: Page) -> None:
    page.get_by_role("textbox", name="Repository", exact=True).fill("friends/badnets-rectified")
    page.locator("#publish").click()
    page.wait_for_selector(ENDED.format("publish"), timeout=WAIT_MS)
    page.get_by_role("button", name="Rectify and publish").wait_for(timeout=WAIT_MS)


def publish_too_early(page: Page) -> None:
    page.get_by_role("button", name="Method and settings").click()
    steps = page.get_by_label("number input for Steps", exact=True)
    steps.fill("1")
    steps.press("Tab")
    publish(page)


SCENES = (
    Scene("start", DESKTOP, "light", nothing),
    Scene("found", DESKTOP, "light", check),
    Scene("found-dark", DESKTOP, "dark", check),
    Scene("found-phone", PHONE, "light", check),
    Scene("not-found", DESKTOP, "light", check_untouched),
    Scene("inconclusive", DESKTOP, "light", stop),
    Scene("error", DESKTOP, "dark", ask_for_what_is_not_there),
    Scene("hostile-upload", DESKTOP, "light", bring_a_text),
    Scene("scan", DESKTOP, "light", scan_three, "#scan-step"),
    Scene("scan-dark", DESKTOP, "dark", scan_three, "#scan-step"),
    Scene("scan-phone", PHONE, "light", scan_three, "#scan-step"),
    Scene("scan-error", DESKTOP, "dark", bring_odd_files, "#scan-step"),
    Scene("rectifying", DESKTOP, "light", rectify_halfway, "#rectify-step"),
    Scene("rectified", DESKTOP, "light", rectify, "#rectify-step"),
    Scene("rectified-dark", DESKTOP, "dark", rectify, "#rectify-step"),
    Scene("rectified-phone", PHONE, "light", rectify, "#rectify-step"),
    Scene("published", DESKTOP, "light", publish, "#publish-step", home=True),
    Scene("doubted", DESKTOP, "light", publish_too_early, "#publish-step", home=True),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("examples/images"), help="folder for the pictures")
    parser.add_argument("--only", nargs="*", default=[scene.name for scene in SCENES], help="names of scenes")
    parser.add_argument("--chromium", default=shutil.which("chromium"), help="path of the browser")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as scratch:
        os.environ["EFTCLIP_RESULTS"] = scratch
        browser = playwright.chromium.launch(executable_path=options.chromium, args=ARGUMENTS)
        for home in (False, True):
            scenes = [scene for scene in SCENES if scene.name in options.only and scene.home == home]
            if scenes:
                with served(home, Path(scratch)) as url:
                    for scene in scenes:
                        print(play(scene, browser, url, options.out))
        browser.close()


@contextmanager
def served(home: bool, scratch: Path) -> Iterator[str]:
    """The app, on a page that others can reach or at home; there its Hub is that of the tests, with a token for it."""
    change = pytest.MonkeyPatch()
    hub = WritableHub()
    if home:
        lead_to(hub, change, scratch)
        change.setenv("HF_TOKEN", "hf_good")
    demo = build_demo(folders=home)
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, **launch_options(private=home))
    yield url
    demo.close()
    hub.close()
    change.undo()


def play(scene: Scene, browser: Browser, url: str, folder: Path) -> Path:
    """Make one visit and keep the page, or its part, as WebP."""
    width, height = scene.window
    context = browser.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    page.goto(f"{url}?__theme={scene.theme}")
    page.wait_for_selector("#picture img", timeout=WAIT_MS)
    page.wait_for_selector("#facts table", state="attached", timeout=WAIT_MS)
    scene.act(page)
    scroll_through(page)
    path = folder / f"page-{scene.name}.webp"
    taken = page.locator(scene.part).screenshot() if scene.part else page.screenshot(full_page=True)
    Image.open(io.BytesIO(taken)).convert("RGB").save(path, quality=88, method=6)
    context.close()
    return path


def scroll_through(page: Page) -> None:
    """Browsers load pictures when they come into view, so bring every one into view and wait for it."""
    for picture in page.locator("img:visible").all():
        picture.scroll_into_view_if_needed()
    page.wait_for_function("[...document.images].every(picture => picture.complete)")
    page.mouse.move(0, 0)
    page.evaluate("window.scrollTo(0, 0)")


if __name__ == "__main__":
    main()
