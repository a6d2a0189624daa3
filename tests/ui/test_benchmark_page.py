"""The benchmark page as one document: all numbers, nothing foreign that runs, a sentence for what is missing."""

import base64
import hashlib
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from eftclip.benchmark import read_sections, results_folder
from eftclip.ui.benchmark.page import benchmark_page, policy
from eftclip.ui.benchmark.table import prose

pytestmark = pytest.mark.quick


class _Reader(HTMLParser):
    """Tags with their attributes, and the text outside of styles and scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: list[str] = []
        self.text = ""
        self.scripts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self.inside.append(tag)
            self.scripts += [""] if tag == "script" else []

    def handle_endtag(self, tag: str) -> None:
        if self.inside and self.inside[-1] == tag:
            self.inside.pop()

    def handle_data(self, data: str) -> None:
        if not self.inside:
            self.text += data
        elif self.inside[-1] == "script":
            self.scripts[-1] += data


def _read(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    return reader


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the page is made of, to be spoilt."""
    for pattern in ("rivals_*", "zoo_*.json", "scans.json"):
        for file in results_folder().glob(pattern):
            shutil.copy(file, tmp_path)
    return tmp_path


def test_every_count_is_shown_with_its_share_and_interval() -> None:
    text = _read(benchmark_page(results_folder())).text
    shown = 0
    for section in read_sections(results_folder()):
        for board in section.boards:
            for cell in (cell for row in board.rows for cell in row.cells.values() if cell.rate and cell.interval):
                assert cell.rate is not None and cell.interval is not None
                low, high = (f"{100 * end:.0f}" for end in cell.interval)
                counts = f"{cell.rate.hits:,} / {cell.rate.total:,}"
                assert f"{counts}{100 * cell.rate.value:.0f} % ({low}–{high})" in text
                shown += 1
            assert all(one.command in text and one.commit in text and one.file in text for one in board.sources)
            assert all(about.split(",")[0] in text for _, about in board.models)
    assert shown > 50


def test_nothing_is_fetched_and_only_its_own_script_runs() -> None:
    reader = _read(benchmark_page(results_folder()))
    addresses = {attributes.get(key) or "" for _, attributes in reader.tags for key in ("src", "href")}
    assert {address for address in addresses if not address.startswith("data:")} == {"", "./"}
    assert not any(key.startswith("on") for _, attributes in reader.tags for key in attributes)
    (script,) = reader.scripts
    assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in policy()
    assert "default-src 'none'" in policy()


def test_charts_are_told_in_words() -> None:
    charts = [attributes for tag, attributes in _read(benchmark_page(results_folder())).tags if tag == "img"]
    assert len(charts) == 2
    for chart in charts:
        assert re.search(r"\d+ of \d+", str(chart["alt"]))
        assert base64.b64decode(str(chart["src"]).partition("base64,")[2]).startswith(b"<svg")


def test_an_installation_without_result_files_says_where_they_are(tmp_path: Path) -> None:
    reader = _read(benchmark_page(tmp_path / "nowhere"))
    assert "they lie in the folder examples/results of EftCLIP's repository" in reader.text
    assert not any(tag == "table" for tag, _ in reader.tags)


def test_a_broken_file_and_a_broken_chart_cost_only_themselves(folder: Path) -> None:
    (folder / "rivals_detect.json").write_text("{")
    (folder / "rivals_rectify.svg").write_text("<svg")
    reader = _read(benchmark_page(folder))
    assert "rivals_detect.json is not valid JSON" in reader.text
    boards = [attributes["id"] for tag, attributes in reader.tags if tag == "section"]
    assert boards == ["rectify", "zoo", "scans"]
    assert not any(tag == "img" for tag, _ in reader.tags)


def test_what_a_file_says_is_text(folder: Path) -> None:
    file = folder / "rivals_rectify.json"
    document = json.loads(file.read_text())
    row = next(iter(next(iter(document["checkpoints"].values()))["rows"].values()))
    row["method"] = '"><script>alert(1)</script>'
    row["remark"] = "`<img src=x onerror=alert(1)>` **<b onclick=x>**"
    document["command"] = "<script>alert(1)</script>"
    file.write_text(json.dumps(document))
    reader = _read(benchmark_page(folder))
    assert len(reader.scripts) == 1
    assert not any(key.startswith("on") for _, attributes in reader.tags for key in attributes)
    assert '"><script>alert(1)</script>' in reader.text


def test_emphasis_is_the_only_mark_of_a_sentence() -> None:
    assert prose("`a_b` is *one* and **two** <i>") == "<code>a_b</code> is <i>one</i> and <b>two</b> &lt;i&gt;"
