"""The page of results is what its script makes of the result files, byte for byte."""

import json
import re
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from support.documents import RESULTS_PAGE, ROOT

from eftclip.types import Rate
from examples.build.results_page import headline, paper, values, zoo, zoo_cells
from examples.build.results_page.__main__ import CHARTS, SECTIONS, made
from examples.build.results_page.charts import Bar, bar_chart
from examples.build.results_page.dots import Dot, dot_chart
from examples.measure.measured_at import commit

pytestmark = pytest.mark.quick

FILES = [*sorted(values.RESULTS.glob("*.json")), values.RESULTS / f"{paper.FILE}.json"]
PAGE = RESULTS_PAGE.read_text(encoding="utf-8")


def test_it_is_what_the_script_makes() -> None:
    for path, text in made().items():
        assert path.read_bytes() == text.encode(), (
            f"{path.relative_to(ROOT)}: run python -m examples.build.results_page"
        )


def test_every_chart_is_an_image_and_is_shown() -> None:
    for name in CHARTS:
        assert ElementTree.parse(values.RESULTS / name).getroot().tag == "{http://www.w3.org/2000/svg}svg"
        assert f"]({name})" in PAGE
    assert "prefers-color-scheme: dark" in bar_chart("Hits", ["a"], [("one", [Bar(0.0, "0 of 3")])])


def test_a_chart_of_counts_tells_them_in_words_and_draws_no_dot_for_nothing() -> None:
    svg = dot_chart("Found", ["a <b>", "c"], [("one", [Dot(Rate(3, 4)), Dot(Rate(0, 0))])])
    root = ElementTree.fromstring(svg)
    space = root.tag.removesuffix("svg")
    assert root.findtext(f"{space}desc") == "Found. one: a <b> 3 of 4, c not measured."
    drawn = [circle.get("class") for circle in root.iter(f"{space}circle")]
    assert drawn == ["s0", "s1", "s0"], "two of the key, one of the counts"
    assert "prefers-color-scheme: dark" in svg


def test_the_headline_takes_the_worst_cell_of_the_zoo(monkeypatch: pytest.MonkeyPatch) -> None:
    def cell(found: int, total: int, accused: int) -> dict[str, Any]:
        rates = {
            "found_with_the_right_label": {"hits": found, "total": total},
            "not_found": {"hits": 0, "total": total},
        }
        return {"clean": {"found": {"hits": accused, "total": 40}}, "hijacked": {"banana": rates}}

    first = {"effnet-strong-badnets16-0": cell(1, 2, 3), "vit32-weak-blend_noise-0": cell(0, 9, 0)}
    again = {"effnet-strong-badnets16-0": cell(19, 20, 0), "vit32-weak-none-0": {"clean": cell(0, 0, 4)["clean"]}}
    sets = {"3 % 0": {"victim_recall": {"hits": 2, "total": 3}}, "0 % 0": {"victim_recall": {"hits": 0, "total": 5}}}
    files = {zoo.FILES[0]: first, zoo.FILES[1]: again, zoo.SCANS: {"a": {"sets": sets}}}
    monkeypatch.setattr(zoo_cells, "read", lambda file: {"checkpoints": files.get(file, {})})
    patches, whole = zoo_cells.singly(whole=False), zoo_cells.singly(whole=True)
    assert patches == {"effnet-strong-badnets16-0: banana": {"hits": 19, "total": 20}}, "the one with more photographs"
    assert whole == {"vit32-weak-blend_noise-0: banana": {"hits": 0, "total": 9}}
    assert headline._worst(zoo_cells.accused(), max) == ("4 of 40", "`vit32-weak-none-0`")
    assert headline._worst({**patches, **whole, "b": {"hits": 0, "total": 4}}, min) == (
        "0 of 9",
        "`vit32-weak-blend_noise-0: banana`, and 1 more",
    )
    assert zoo_cells.in_sets("victim_recall") == {"a": {"hits": 2, "total": 3}}, "sets without a trigger do not count"
    assert "vit32, weak: all of it" in zoo_cells.chart()


def test_the_best_rival_is_one_that_can_still_read() -> None:
    def row(method: str, asr: int, clean: int) -> dict[str, Any]:
        after = {"attack_worst": {"hits": asr, "total": 100}, "clean": {"hits": clean, "total": 100}}
        return {"method": method, "after": after}

    before = {"attack_worst": {"hits": 99, "total": 100}, "clean": {"hits": 80, "total": 100}}
    tried = [row("realign", 2, 80), row("par", 0, 30), row("cleanclip", 60, 75), row("finetune", 90, 79)]
    rows = {one["method"]: one for one in tried} | {"contrastive": {"method": "contrastive", "remark": "Nothing."}}
    assert headline._best_rival({"before": before, "rows": rows})["method"] == "cleanclip"
    assert headline._ours({"before": before, "rows": rows})["hits"] == 2
    nothing_found = {"before": before, "rows": rows | {"realign": {"method": "realign", "remark": "Nothing."}}}
    assert headline._ours(nothing_found)["hits"] == 99, "what could not begin has changed nothing"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_file_has_its_table_command_and_commit(file: Path) -> None:
    document = json.loads(file.read_text(encoding="utf-8"))
    sections = [section() for section in SECTIONS]
    told = [section for section in sections if f"({file.relative_to(values.RESULTS).as_posix()})" in section]
    assert told, "no table of the page is made of it"
    assert all("\n| --- |" in section for section in told)
    script = re.search(r"-m (examples(\.\w+)+)", document["command"])
    assert script is not None
    place = ROOT / script[1].replace(".", "/")
    assert place.with_suffix(".py").is_file() or (place / "__main__.py").is_file(), "the command can be run again"
    assert re.search(r"`[0-9a-f]{7,}\+?`", values.commits(document)), "measured at a known commit"


def test_a_file_that_was_measured_in_parts_names_their_commits() -> None:
    parts = {"checkpoints": {"a": {"commit": "1111111"}, "b": {"commit": "2222222"}, "c": {"commit": "1111111"}}}
    assert values.commits(parts) == "`1111111` (`b`: `2222222`)"
    assert values.commits({"commit": "3333333"}) == "`3333333`"


def test_a_new_measurement_names_the_commit_that_is_checked_out() -> None:
    asked = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    head = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    assert commit() in (head, f"{head}+")


def test_numbers_are_written_as_measured() -> None:
    rate = {"hits": 1580, "total": 1600}
    assert values.counts(rate) == "1,580 of 1,600"
    assert values.percent(rate) == "98.8 %"
    assert values.percent(0.129) == "12.9 %"
    assert values.number(1443) == "1,443"
    assert values.number(24.226, 1) == "24.2"
    assert values.names([]) == "none"
    assert values.share({"hits": 0, "total": 0}) == 0.0
    assert values.table(["", "b"], [("1", "2")]) == "| | b |\n| --- | --- |\n| 1 | 2 |"
