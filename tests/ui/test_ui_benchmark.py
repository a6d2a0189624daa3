"""The benchmark page in a real browser: from the app and back, sorted, narrowed, light, dark and on a phone."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from support import browsing
from support.browsing import LOADED_MS, PHONE, is_no_wider_than_the_window, needs_a_browser, open_page

browser, context = browsing.browser, browsing.context  # fixtures
pytestmark = needs_a_browser
MISSING = "–"


class Watched:
    """A page of the browser and what it asked for."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.asked: list[tuple[str, str]] = []
        self.broken: list[str] = []
        page.on("request", lambda request: self.asked.append((request.method, urlsplit(request.url).path)))
        page.on("pageerror", lambda error: self.broken.append(str(error)))
        page.on("console", lambda message: self.broken.append(message.text) if message.type == "error" else None)

    def asked_of_the_server(self) -> list[tuple[str, str]]:
        """Charts are part of the page and no questions."""
        return [(method, path) for method, path in self.asked if not path.startswith("image/svg")]


@pytest.fixture
def watched(context: BrowserContext, served: str) -> Iterator[Watched]:
    """The open benchmark page; afterwards nothing may have broken."""
    watched = Watched(context.new_page())
    watched.page.goto(f"{served}benchmark", timeout=LOADED_MS)
    yield watched
    assert not watched.broken


def _board(page: Page, name: str) -> Locator:
    return page.locator(f"section#{name}")


def _rows(board: Locator) -> Locator:
    """Those of the leaderboard that are to be seen."""
    return board.locator(".eft-leaders tbody tr:visible")


def _cells(board: Locator, key: str) -> list[str]:
    """The first lines of a column, of the rows that are to be seen."""
    head = board.locator("thead th").evaluate_all(f"heads => heads.findIndex(head => head.dataset.key === '{key}')")
    rows = _rows(board)
    return [text.split("\n")[0] for text in rows.evaluate_all(f"rows => rows.map(row => row.cells[{head}].innerText)")]


def _sort(board: Locator, key: str) -> list[str]:
    board.locator(f"thead th[data-key={key}] button").click()
    return _cells(board, key)


def _share(text: str) -> float:
    hits, total = text.replace(",", "").split(" / ")
    return int(hits) / int(total)


def test_columns_sort_as_numbers_and_what_is_missing_stays_last(watched: Watched) -> None:
    board = _board(watched.page, "rectify")
    for key, value in (("asr", _share), ("image_steps", lambda text: float(text.replace(",", "")))):
        for way in ("descending", "ascending"):
            shown = _sort(board, key)
            expect(board.locator(f"thead th[data-key={key}]")).to_have_attribute("aria-sort", way)
            known = [text for text in shown if text != MISSING]
            assert shown[: len(known)] == known, "what is missing comes last"
            numbers = list(map(value, known))
            assert len(set(numbers)) > 1
            assert numbers == sorted(numbers, reverse=way == "descending")
    expect(board.locator("thead th[aria-sort]")).to_have_count(1)
    assert MISSING in _cells(board, "image_steps"), "what was before has no steps"
    detectors = _board(watched.page, "detect-pictures")
    words = _sort(detectors, "checkpoint")
    assert words == sorted(words) and len(set(words)) > 1, "words from the first on"
    assert watched.asked_of_the_server() == [("GET", "/benchmark")], "nothing is computed anywhere"


def test_rows_are_chosen_by_checkpoint_attack_and_tower(watched: Watched) -> None:
    board = _board(watched.page, "zoo")
    every = _rows(board).count()
    expect(board.locator("output")).to_have_text(f"{every} of {every} rows")
    towers = _cells(board, "tower")
    board.get_by_label("tower").select_option("resnet")
    assert _cells(board, "tower") == ["resnet"] * towers.count("resnet")
    expect(board.locator("output")).to_have_text(f"{towers.count('resnet')} of {every} rows")
    attack = _cells(board, "attack")[0]
    board.get_by_label("attack").select_option(attack)
    assert set(zip(_cells(board, "tower"), _cells(board, "attack"), strict=True)) == {("resnet", attack)}
    board.get_by_label("tower").select_option("all")
    board.get_by_label("attack").select_option("all")
    expect(_rows(board)).to_have_count(every)
    others = _board(watched.page, "detect-pictures").locator(".eft-leaders tbody tr")
    assert others.evaluate_all("rows => rows.every(row => !row.hidden)"), "each table is chosen from alone"


def test_models_and_commands_are_at_hand(watched: Watched) -> None:
    board = _board(watched.page, "detect-pictures")
    board.get_by_text("Measured on these models").click()
    expect(board.get_by_role("row", name=re.compile("^badnets sha256 [0-9a-f]{12}…"))).to_be_visible()
    command = board.locator(".eft-again pre").first
    expect(command).to_contain_text("python -m examples.bench.rivals_detect IMAGES_DIR")
    watched.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    board.get_by_role("button", name="Copy").first.click()
    expect(board.get_by_role("button", name="Copied").first).to_be_visible()
    assert watched.page.evaluate("navigator.clipboard.readText()") == command.inner_text()
    expect(board.locator("td.eft-best").first).to_have_css("font-weight", "700")


def _background(page: Page) -> str:
    return str(page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))


def _chart_is_light(page: Page) -> bool:
    """Whether its title, drawn on nothing, is dark: looked at as it is shown."""
    page.locator("#rectify .eft-chart").scroll_into_view_if_needed()
    return bool(
        page.locator("#rectify .eft-chart").evaluate(
            """chart => {
                const canvas = document.createElement("canvas");
                [canvas.width, canvas.height] = [chart.naturalWidth, 30];
                const context = canvas.getContext("2d");
                context.drawImage(chart, 0, 0);
                const pixels = context.getImageData(0, 0, canvas.width, 30).data;
                let [light, all] = [0, 0];
                for (let k = 0; k < pixels.length; k += 4) {
                    light += pixels[k] * pixels[k + 3];
                    all += pixels[k + 3];
                }
                return light / all < 128;
            }"""
        )
    )


def test_it_is_light_or_dark_as_the_visitor_or_the_app_wants_it(browser: Browser, served: str) -> None:
    light, dark = "rgb(250, 249, 247)", "rgb(22, 20, 18)"
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto(f"{served}benchmark")
    assert _background(page) == dark
    assert not _chart_is_light(page)
    page.emulate_media(color_scheme="light")
    expect(page.locator("html")).to_have_css("background-color", light)
    assert _chart_is_light(page)
    page.goto(f"{served}benchmark?__theme=dark")
    assert _background(page) == dark, "a Space tells it so"
    assert not _chart_is_light(page)
    page.emulate_media(color_scheme="dark")
    page.goto(f"{served}benchmark?__theme=light")
    assert _background(page) == light
    context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_on_a_phone_only_the_tables_slide(browser: Browser, served: str, theme: str) -> None:
    context = browser.new_context(viewport=PHONE)
    watched = Watched(context.new_page())
    page = watched.page
    page.goto(f"{served}benchmark?__theme={theme}")
    assert is_no_wider_than_the_window(page)
    board = _board(page, "detect-pictures")
    table = board.locator(".eft-wide")
    assert table.evaluate("box => box.scrollWidth > box.clientWidth")
    table.evaluate("box => box.scrollTo(400, 0)")
    method = board.locator("tbody th").first
    expect(method).to_be_visible()
    edges = method.bounding_box()
    assert edges is not None and 0 <= edges["x"] < 60, "who it is stays in sight"
    expect(method.locator(".eft-place")).to_contain_text(re.compile(r"\w"))
    measured = [text for text in _cells(_board(page, "rectify"), "ca") if "/" in text]  # not all could begin
    assert _sort(_board(page, "rectify"), "ca")[0] == max(measured, key=_share)
    for summary in page.locator("summary").all():
        summary.click()
    assert is_no_wider_than_the_window(page)
    assert not watched.broken
    context.close()


def test_from_the_app_and_back_the_look_stays(context: BrowserContext, served: str) -> None:
    page = context.new_page()
    open_page(page, f"{served}?__theme=dark")
    with context.expect_page() as opened:
        page.get_by_role("link", name="The benchmark").click()
    benchmark = Watched(opened.value)
    expect(benchmark.page.get_by_role("heading", level=1)).to_have_text("Who finds backdoors, and mends them?")
    assert _background(benchmark.page) == "rgb(22, 20, 18)"
    expect(page.locator("#facts table")).to_be_attached()  # what was loaded is still there
    benchmark.page.locator("#back").click()
    benchmark.page.wait_for_selector("#picture img", timeout=LOADED_MS)
    assert urlsplit(benchmark.page.url).path == "/"
    assert urlsplit(benchmark.page.url).query == "__theme=dark"
