"""Every listener called with values that the page would never send; all of it, one input after the other, is a script.

Its table is in `examples/results/attack_listeners.json`.
"""

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from support.browsing import needs_a_browser

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [*needs_a_browser, pytest.mark.slow]


def _harmless(found: dict[str, Any]) -> None:
    assert found["must_not_be"] == [], "a leak, a hang, or the end of the server"
    assert not found["read_what_nobody_may"]
    assert found["server"]["alive"]
    assert found["afterwards"] == "found", "whoever comes next is served as ever"


def test_hostile_values_do_no_harm(tmp_path: Path) -> None:
    importlib.import_module("examples.attack.listeners").main(
        ["--quick", "--scenes", "--pages", "--out", str(tmp_path / "a.json")]
    )
    found = json.loads((tmp_path / "a.json").read_text())
    assert found["calls"] > 500
    _harmless(found)


def test_the_whole_of_it_did_no_harm() -> None:
    found = json.loads((ROOT / "examples" / "results" / "attack_listeners.json").read_text())
    assert found["calls"] > 5_000
    _harmless(found)
