"""The app under load, in small: visitors at once, and sessions one after the other. The large ones are scripts.

Their numbers are in `examples/results/load_visitors.json` and `load_sessions.json`.
"""

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from support.taught import LABELS

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


def _run(script: str, out: Path, *arguments: str) -> dict[str, Any]:
    options = [*arguments, "--labels", "\n".join(LABELS), "--out", str(out)]
    importlib.import_module(f"examples.attack.{script}").main(options)
    document: dict[str, Any] = json.loads(out.read_text())
    return document


def test_visitors_at_once_all_get_their_verdict_in_fair_order(tmp_path: Path) -> None:
    found = _run("load_visitors", tmp_path / "v.json", "--visitors", "8", "--waves", "2", "--within", "1")
    assert found["answered"] | {"low": 0, "high": 0} == {"hits": 16, "total": 16, "low": 0, "high": 0}
    assert found["memory"]["flat"]
    assert found["left_behind"]["visits"] == 0
    for wave in found["waves"]:
        assert not wave["failures"]
        assert wave["overtaken"]["most"] < 7, "clicks may cross on a busy machine, but nobody waits for the whole crowd"
        assert wave["places_only_fell"]["hits"] == wave["places_only_fell"]["total"]
        assert wave["told_their_place"]["hits"] > 0, "or nobody had to wait, and this showed nothing"


def test_sessions_that_come_and_go_leave_nothing_behind(tmp_path: Path) -> None:
    settings = ["--sessions", "32", "--warm", "16", "--kept-s", "5"]
    found = _run("load_sessions", tmp_path / "s.json", *settings)
    assert found["without_failure"]["hits"] == found["without_failure"]["total"] == 32, found["failures"]
    assert found["flat"] == dict.fromkeys(found["flat"], True), found["grown_since_warm"]


def test_the_large_ones_were_passed() -> None:
    visitors, sessions = (
        json.loads((ROOT / "examples" / "results" / f"{name}.json").read_text())
        for name in ("load_visitors", "load_sessions")
    )
    assert visitors["answered"]["hits"] == visitors["answered"]["total"] >= 150
    assert visitors["wrong"] == 0, "with ImageNet's labels; few labels make the small one's readings odd"
    assert visitors["memory"]["flat"]
    assert sessions["without_failure"]["hits"] == sessions["without_failure"]["total"] >= 300
    assert all(sessions["flat"].values())
