"""Every listener called with values that the page would never send; all of it, one input after the other, is a script.

Its table is in `examples/results/attack_listeners.json`.
"""

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from browsing import needs_a_browser

ROOT = Path(__file__).resolve().parents[1]
pytestmark = [*needs_a_browser, pytest.mark.slow]


def _passed(found: dict[str, Any]) -> None:
    assert found["must_not_be"] == []
    assert found["not_as_it_should"] == []
    assert found["broken_inside"] == []
    assert not found["read_what_nobody_may"]
    assert found["server"]["alive"]
    assert found["afterwards"] == "found", "whoever comes next is served as ever"


def test_hostile_values_scenes_and_texts_do_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    importlib.import_module("attack_listeners").main(["--quick", "--out", str(tmp_path / "a.json")])
    found = json.loads((tmp_path / "a.json").read_text())
    assert found["calls"] > 500
    assert len(found["scenes"]) > 3
    assert len(found["pages"]) > 3
    _passed(found)


def test_the_whole_of_it_was_passed() -> None:
    found = json.loads((ROOT / "examples" / "results" / "attack_listeners.json").read_text())
    assert found["calls"] > 5_000
    _passed(found)
