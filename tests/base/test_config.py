import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eftclip.config import DetectConfig
from eftclip.errors import ConfigError

pytestmark = pytest.mark.quick

RESULTS = Path(__file__).resolve().parents[2] / "examples" / "results" / "check_quality.json"
RANGES = [
    ("top_labels", 1, 100),
    ("support_confidence", 0.3, 0.9),
    ("windows_per_side", 2, 8),
    ("carry_confidence", 0.01, 0.95),
    ("max_area_fraction", 0.005, 0.5),
    ("transplants", 8, 200),
    ("transplant_threshold", 0.1, 0.95),
    ("max_triggers", 1, 16),
]


def test_every_setting_has_a_range() -> None:
    assert {name for name, _, _ in RANGES} == set(DetectConfig().to_dict()) - {"algorithm"}


@pytest.mark.parametrize(("name", "low", "high"), RANGES)
def test_ends_of_a_range_are_allowed(name: str, low: float, high: float) -> None:
    for value in (low, high):
        assert DetectConfig.from_dict({name: value}).to_dict()[name] == value


@pytest.mark.parametrize(("name", "low", "high"), RANGES)
@pytest.mark.parametrize("wrong", ["below", "above", "nan"])
def test_values_outside_are_refused_by_name(name: str, low: float, high: float, wrong: str) -> None:
    value = {"below": low - 0.01, "above": high + 1, "nan": float("nan")}[wrong]
    with pytest.raises(ConfigError, match=rf"^{name} must lie between {low:g} and {high:g}, got "):
        DetectConfig.from_dict({name: value})


def test_an_unknown_algorithm_is_refused_with_the_known_ones() -> None:
    assert DetectConfig.from_dict({"algorithm": "paper"}).algorithm == "paper"
    with pytest.raises(ConfigError, match=r"^algorithm must be one of eftclip, paper, got 'magic'\.$"):
        DetectConfig(algorithm="magic")


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"^Unknown settings tau, theta; known are .*top_labels"):
        DetectConfig.from_dict({"theta": 0.66, "tau": 10})


def test_settings_survive_json() -> None:
    config = DetectConfig(top_labels=5, transplants=16)
    assert DetectConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(AttributeError):
        DetectConfig().top_labels = 3  # type: ignore[misc]


def test_digest_names_the_combination() -> None:
    base = DetectConfig()
    assert base.digest() == DetectConfig().digest()
    assert len(base.digest()) == 12
    assert set(base.digest()) <= set("0123456789abcdef")
    changed = {DetectConfig.from_dict({name: high}).digest() for name, _, high in RANGES}
    assert len(changed | {base.digest()}) == len(RANGES) + 1


def test_a_digest_from_before_there_was_a_choice_of_algorithms_stays_good() -> None:
    kept = json.loads(RESULTS.read_text(encoding="utf-8"))
    assert "algorithm" not in kept["config"]
    assert DetectConfig.from_dict(kept["config"]).digest() == kept["config_digest"]
    assert DetectConfig(algorithm="paper").digest() != DetectConfig().digest()


@given(st.floats(0.3, 0.9), st.floats(0.3, 0.9))
def test_equal_digests_mean_equal_settings(one: float, other: float) -> None:
    a, b = DetectConfig(support_confidence=one), DetectConfig(support_confidence=other)
    assert (a.digest() == b.digest()) == (a == b)
