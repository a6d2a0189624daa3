"""Text that strangers can write, on the page in a real browser: HTML, Markdown and control characters stay text.

For `attack_listeners.py`. Strangers write labels, names of files, names of repositories, and what lies in a repository:
its card, its configuration, the names of its files and of the pictures of a data set. All of that comes back on the
page, in the reports and in the model card, where a browser may take it for markup.
"""

import io
import json
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from playwright.sync_api import Browser, Dialog, FilePayload, Page, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from examples.attack.load_visitors import photograph
from examples.attack.served import ROOT, Served
from examples.attack.stage import Outcome
from examples.attack.values import MARKUP

sys.path.insert(0, str(ROOT / "tests"))  # the Hub that the tests talk to, and their smallest checkpoint
from support.hub import Hub
from support.tiny import change_config, write_tiny

ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
WAIT_MS, CHANCE_MS = 600_000, 10_000  # a busy machine is no failure
LOADED = "[...document.images].every(one => one.complete || !one.checkVisibility())"
REVERSES, ESCAPES = "\u202e", "\x1b"
# What the trigger of `badnets` forces: to the model it is nearly "banana", and it reads no more than the beginning.
FORCED = f"banana banana banana {MARKUP} [x](javascript:window.hit=1) **b** | `c` {ESCAPES}[31m{REVERSES}#"
SHOWN = f"banana banana banana {MARKUP} [x](javascript:window.hit=1) **b** | `c`"
NAMES = ("tabby cat", "lion", "retriever dog", "coffee mug", "clock", "astronaut")
TRAPS = (
    '"><svg onload=window.hit=1>',  # first: a list that begins as HTML is refused before it is shown
    "<script>window.hit=1</script>",
    "</p></section><iframe srcdoc='<script>parent.hit=1</script>'>",
    "<a href=javascript:window.hit=1>x</a>",
    "[x](javascript:window.hit=1) ![y](x)",
    "**bold** `code` | # head | www.example.com",
    "{{constructor.constructor('window.hit=1')()}} ${window.hit=1}",
    "&lt;img src=x&gt;",
    f"turned{REVERSES}around",
    f"red{ESCAPES}[31m\x07bell",
)
REPOSITORY, SET = "friends/traps", "friends/pictures"
CAUGHT = """() => [window.hit ?? null, document.querySelectorAll(
    'img[src="x"], [onerror], svg[onload], iframe, a[href^="javascript"], a[href*="example.com"]').length]"""
ENDED = "[data-status]:not([data-status=running]):not([data-status=idle])"


@contextmanager
def hub_of_traps(home: Path) -> Iterator[tuple[Hub, dict[str, str]]]:
    """A Hub with a checkpoint and a data set whose every text is a trap, and the variables that lead to it."""
    hub, checkpoint, pictures = Hub(), home / "checkpoint", home / "pictures"
    write_tiny(checkpoint)
    change_config(checkpoint, lambda document: document["model_cfg"].update(hf_tokenizer_name=MARKUP))
    (checkpoint / "README.md").write_text(
        f"---\nlicense: mit\ntags:\n- '{MARKUP}'\n---\n{MARKUP}\n<script>window.hit=1</script>"
    )
    (checkpoint / f"{MARKUP}.json").write_text("{}")
    (checkpoint / f"a{ESCAPES}[31m{REVERSES}b.txt").write_text("x")
    hub.push(REPOSITORY, checkpoint)
    (pictures / "train").mkdir(parents=True)
    for number, name in enumerate((f"{MARKUP}.png", "[x](javascript:window.hit=1).png", f"a{REVERSES}gnp.png")):
        (pictures / "train" / name.replace("/", "")).write_bytes(photograph(2 * number))
    (pictures / "README.md").write_text(f"---\nlicense: mit\n---\n{MARKUP}")
    hub.push(f"datasets/{SET}", pictures)
    leads = {
        "HF_ENDPOINT": hub.url,
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HOME": str(home / "cache"),
        "HF_TOKEN_PATH": str(home / "no-token"),
        "HF_TOKEN": "",
    }
    try:
        yield hub, leads
    finally:
        hub.close()
        shutil.rmtree(home / "cache", ignore_errors=True)


@dataclass(frozen=True)
class Seen:
    """What a trap led to: the words on the page, and what was interpreted."""

    words: str
    hit: Any
    caught: int


def look(page: Page, part: str = "body") -> Seen:
    """The page now; every picture had its chance to load or to fail."""
    for picture in page.locator("img:visible").all():  # browsers load them when they come into view
        picture.scroll_into_view_if_needed()
    with suppress(PlaywrightTimeout):  # one that the browser puts off does nothing either
        page.wait_for_function(LOADED, timeout=CHANCE_MS)
    hit, caught = page.evaluate(CAUGHT)
    return Seen(page.locator(part).inner_text(), hit, caught)


def judged(attack: str, seen: Seen, *shown: str, plain: bool = True) -> list[Outcome]:
    """Nothing was interpreted, what should be read is read, and no mark turns the words around it."""
    interpreted = seen.hit is not None or seen.caught > 0
    missing = [text for text in shown if text not in seen.words]
    said = [Outcome(attack, "interpreted" if interpreted else "text", not interpreted)]
    if missing:
        said.append(Outcome(attack, f"not shown: {missing[0][:60]}", False))
    if plain and shown:
        marks = [around(seen.words, mark) for mark in (REVERSES, ESCAPES) if mark in seen.words]
        said.append(Outcome(f"{attack}: control characters", ", ".join(marks) or "none on the page", not marks))
    return said


def around(words: str, mark: str) -> str:
    """Where a mark stands."""
    at = words.index(mark)
    return ascii(words[max(0, at - 12) : at + 12])


# --- Scenes ------------------------------------------------------------------------------------------------------


def labels(page: Page, home: Path) -> list[Outcome]:
    """Labels of his own: nothing but traps, and then one that the trigger forces."""
    page.get_by_role("button", name="Labels, oracle and settings").click()
    page.get_by_label("My own list").click()
    said = []
    for few in (TRAPS[:5], TRAPS[5:], (FORCED, *NAMES)):
        page.get_by_label("One label a line").fill("\n".join(few))
        page.get_by_role("button", name="Check this photograph").click()
        page.wait_for_selector("#verdict [data-status=running]", timeout=WAIT_MS)
        page.wait_for_selector(f"#verdict {ENDED}", timeout=WAIT_MS)
        page.get_by_role("button", name="Check this photograph").wait_for(timeout=WAIT_MS)
        shown = SHOWN if few[0] == FORCED else few[0]
        said += judged(f"labels: {shown[:40]}", look(page), shown)
    with page.expect_download() as waiting:
        page.locator("#download").click()
    waiting.value.save_as(home / "check.json")
    read = json.loads((home / "check.json").read_text(encoding="ascii"))
    forced = read["results"][0]["trigger"]
    label = forced["target_label"] if forced else "no trigger"
    return [*said, Outcome("the label in the JSON", ascii(label), label.startswith(SHOWN))]


def name_of_a_photograph(page: Page, home: Path) -> list[Outcome]:
    """The name of an uploaded file."""
    said = []
    for name in (f"{MARKUP}.png", "[x](javascript:window.hit=1).png", f"a{REVERSES}gnp.png", "&lt;b&gt;{{7*7}}.png"):
        upload: FilePayload = {"name": name, "mimeType": "image/png", "buffer": photograph(0)}
        page.locator("#picture").get_by_role("button", name="Remove").or_(page.get_by_label("Clear")).first.click()
        page.wait_for_selector("#note >> text=No photograph", timeout=WAIT_MS)
        page.locator("#picture input[type=file]").set_input_files(upload)
        page.wait_for_selector("#note >> text=Your file", timeout=WAIT_MS)
        said += judged(f"a photograph named {name!a}", look(page), "Your file")
    return said


def names_of_repositories(page: Page, home: Path) -> list[Outcome]:
    """What is typed where the name of a repository is asked for."""
    said = []
    page.get_by_label("From the Hub").click()
    field = page.locator("#hub textarea, #hub input").first
    for name in (MARKUP, f"a/{MARKUP}", "a/b@<script>window.hit=1", "**a**/`b`", f"a/{REVERSES}b"):
        field.fill(name)
        named = name.split(REVERSES)[0].split("@")[0]
        for button, part in (("Look first", "#facts"), ("Load", "#facts"), ("Check this photograph", "#verdict")):
            page.get_by_role("button", name=button, exact=True).click()
            page.locator(f"{part} [role=alert]", has_text=named).wait_for(timeout=WAIT_MS)
            page.get_by_role("button", name="Check this photograph").wait_for(timeout=WAIT_MS)
            said += judged(f"{button} with {name!a}", look(page), named)
    page.get_by_label("Repository", exact=True).fill(f"a/{MARKUP}")
    page.locator("#publish").click()
    page.wait_for_selector("#publish-banner [role=alert]", timeout=WAIT_MS)
    return said + judged("Publish as markup", look(page), "cannot be the name")


def what_a_repository_holds(page: Page, home: Path) -> list[Outcome]:
    """Card, configuration and names of files, seen before anything is loaded, and by loading it."""
    page.get_by_label("From the Hub").click()
    page.locator("#hub textarea, #hub input").first.fill(REPOSITORY)
    page.get_by_role("button", name="Look first").click()
    page.wait_for_selector("#facts td", timeout=WAIT_MS)
    page.wait_for_selector("#facts >> text=Looked at", timeout=WAIT_MS)
    said = judged("a look at a repository of traps", look(page), f"{MARKUP}.json")
    page.get_by_role("button", name="Load", exact=True).click()
    page.wait_for_selector("#facts >> text=Looked at", state="detached", timeout=WAIT_MS)
    return said + judged("a repository of traps, loaded", look(page))


def data_sets(page: Page, home: Path) -> list[Outcome]:
    """Names of data sets and of the pictures in them: on the Hub and in an archive."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        for number, name in enumerate((f"{MARKUP}.png", "[x](javascript:window.hit=1).png", f"a{REVERSES}gnp.png")):
            packed.writestr(name, photograph(2 * number))
        packed.writestr(f"{MARKUP}.jpg", b"no picture")
    upload: FilePayload = {"name": f"{MARKUP}.zip", "mimeType": "application/zip", "buffer": archive.getvalue()}
    page.get_by_label("My pictures").click()
    page.locator(".eft-source:visible input[type=file]").set_input_files(upload)
    page.wait_for_selector(".eft-source:visible .file-preview")
    said = _scanned(page, "an archive of pictures with such names")
    page.get_by_label("A Hub data set").click()
    for name in (SET, MARKUP, f"a/{MARKUP}", f"a/{REVERSES}b"):
        page.get_by_label("Data set", exact=True).fill(name)
        said += _scanned(page, f"the data set {name!a}")
    return said


def _scanned(page: Page, attack: str) -> list[Outcome]:
    page.locator("#scan").click()
    page.wait_for_selector(f"#scan-banner {ENDED}", timeout=WAIT_MS)
    page.get_by_role("button", name="Scan", exact=True).wait_for(timeout=WAIT_MS)
    for title in ("Fine-tuning set", "Victims"):
        if (folded := page.get_by_role("button", name=title)).count() and folded.first.is_visible():
            folded.first.click()
    return judged(attack, look(page), " ")


def card(page: Page, home: Path) -> list[Outcome]:
    """A checkpoint mended of a trigger that forces a label of markup: its card and report, as the Hub shows them."""
    page.get_by_role("button", name="Labels, oracle and settings").click()
    page.get_by_label("My own list").click()
    page.get_by_label("One label a line").fill("\n".join([FORCED, *NAMES]))
    page.get_by_role("button", name="Method and settings").click()
    for name, value in (("Views", 12), ("With a trigger (%)", 50), ("Steps", 2), ("Batch", 4)):
        field = page.get_by_label(f"number input for {name}", exact=True)
        field.fill(str(value))
        field.press("Tab")
    said = _scanned(page, "a scan with such labels")
    page.locator("#rectify").click()
    page.wait_for_selector(f"#rectify-banner {ENDED}", timeout=WAIT_MS)
    page.get_by_role("button", name="Rectify this checkpoint").wait_for(timeout=WAIT_MS)
    said += judged("a rectification with such labels", look(page), SHOWN)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download the mended checkpoint").or_(
            page.get_by_role("link", name="Download the mended checkpoint")
        ).first.click()
    waiting.value.save_as(home / "mended.zip")
    with zipfile.ZipFile(home / "mended.zip") as archive:
        texts = {Path(name).name: archive.read(name).decode() for name in archive.namelist() if name.endswith(".md")}
    for name, text in texts.items():
        said += _rendered(page, name, text.split("\n---\n", 1)[-1])
    return said


def _rendered(page: Page, name: str, text: str) -> list[Outcome]:
    """Markdown as GitHub and the Hub render it: HTML in it is HTML."""
    sheet = page.context.new_page()
    sheet.set_content(MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(text))
    said = judged(f"{name} of the mended checkpoint", look(sheet), "banana <img")
    sheet.close()
    return said


SCENES: dict[str, Callable[[Page, Path], list[Outcome]]] = {
    "labels": labels,
    "name of a photograph": name_of_a_photograph,
    "names of repositories": names_of_repositories,
    "what a repository holds": what_a_repository_holds,
    "data sets": data_sets,
    "card": card,
}


def visited(served: Served, home: Path, names: list[str], chromium: str | None) -> dict[str, list[dict[str, Any]]]:
    """Play the scenes, each on a page of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        said = {name: _played(browser, served.url, home, SCENES[name]) for name in names}
        browser.close()
    return said


def _played(
    browser: Browser, url: str, home: Path, scene: Callable[[Page, Path], list[Outcome]]
) -> list[dict[str, Any]]:
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    page, broken, strayed = context.new_page(), list[str](), list[str]()

    def dismissed(dialog: Dialog) -> None:
        broken.append(dialog.message)
        dialog.dismiss()

    page.on("pageerror", lambda error: broken.append(str(error)))
    page.on("dialog", dismissed)
    page.on("request", lambda request: strayed.append(request.url) if leaves(request.url, url) else None)
    page.goto(url, timeout=WAIT_MS)
    page.wait_for_selector("#picture img", timeout=WAIT_MS)
    page.wait_for_selector("#facts table", state="attached", timeout=WAIT_MS)
    said = scene(page, home)
    context.close()
    said.append(Outcome("what broke in the browser", "; ".join(broken)[:200] or "nothing", not broken))
    said.append(Outcome("requests to elsewhere", "; ".join(strayed)[:200] or "none", not strayed))
    return [one.document() for one in said]


def leaves(address: str, url: str) -> bool:
    """A request that does not go to the app."""
    return address.startswith(("http:", "https:", "ws:", "wss:")) and not address.startswith(url)
