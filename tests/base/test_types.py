import math
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from eftclip.types import ClassMatrix, Detection, FoundTrigger, Prediction, Rate, Region, Status

pytestmark = pytest.mark.quick

MASK = torch.zeros(4, 4, dtype=torch.bool).index_fill(0, torch.tensor([1]), True)
TRIGGER = FoundTrigger("banana", MASK, (0, 1, 4, 2), Rate(23, 24))
READ = (Prediction("banana", 0.9),)

rates = st.integers(0, 5000).flatmap(lambda total: st.builds(Rate, st.integers(0, total), st.just(total)))


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [  # Newcombe (1998), table I, method 3: 81/263, 15/148, 0/20, 1/29; and full success
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (24, 24, 0.8620, 1.0),
    ],
)
def test_wilson_interval_equals_published_values(hits: int, total: int, low: float, high: float) -> None:
    assert Rate(hits, total).interval() == pytest.approx((low, high), abs=5e-5)


@given(rates)
def test_interval_holds_the_value_and_stays_within_0_and_1(rate: Rate) -> None:
    low, high = rate.interval()
    assert 0 <= low < high <= 1
    assert math.isnan(rate.value) if rate.total == 0 else low - 1e-12 <= rate.value <= high + 1e-12


@given(rates)
def test_interval_of_the_misses_is_the_mirror(rate: Rate) -> None:
    low, high = rate.interval()
    mirrored = Rate(rate.total - rate.hits, rate.total).interval()
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-12)


@given(rates.filter(lambda rate: rate.total > 0), st.integers(2, 9))
def test_more_of_the_same_narrows_the_interval(rate: Rate, times: int) -> None:
    def width(r: Rate) -> float:
        low, high = r.interval()
        return high - low

    assert width(Rate(rate.hits * times, rate.total * times)) < width(rate)


@given(rates, rates)
def test_pooling_adds_counts(one: Rate, other: Rate) -> None:
    pooled = one + other
    assert (pooled.hits, pooled.total) == (one.hits + other.hits, one.total + other.total)


def test_nothing_counted_claims_nothing() -> None:
    assert math.isnan(Rate(0, 0).value)
    assert Rate(0, 0).interval() == (0.0, 1.0)


@pytest.mark.parametrize(("hits", "total"), [(-1, 3), (4, 3), (0, -1), (1, 0)])
def test_impossible_counts_are_refused(hits: int, total: int) -> None:
    with pytest.raises(ValueError, match=f"expected 0 <= hits <= total, got {hits} of {total}"):
        Rate(hits, total)


def test_rate_reads_as_people_say_it() -> None:
    assert str(Rate(23, 24)) == "23 of 24"


HONEST: list[dict[str, Any]] = [
    {"status": Status.FOUND, "trigger": TRIGGER, "predictions": READ, "examined": 3, "regions": 9},
    {"status": Status.NOT_FOUND, "predictions": READ, "examined": 9, "regions": 9},
    {"status": Status.INCONCLUSIVE, "predictions": READ, "examined": 3, "regions": 9},
    {"status": Status.INCONCLUSIVE},
    {"status": Status.ERROR},
]
LIES: dict[str, dict[str, Any]] = {
    "found without a trigger": {"status": Status.FOUND, "predictions": READ, "examined": 9, "regions": 9},
    "not found, with a trigger": {
        **{"status": Status.NOT_FOUND, "predictions": READ, "examined": 9, "regions": 9},
        "trigger": TRIGGER,
    },
    "inconclusive, with a trigger": {"status": Status.INCONCLUSIVE, "predictions": READ, "trigger": TRIGGER},
    "error, with a trigger": {"status": Status.ERROR, "trigger": TRIGGER},
    "not found after half a search": {"status": Status.NOT_FOUND, "predictions": READ, "examined": 8, "regions": 9},
    "not found after no search": {"status": Status.NOT_FOUND, "predictions": READ, "examined": 0, "regions": 9},
    "not found where nothing was read": {"status": Status.NOT_FOUND, "examined": 9, "regions": 9},
    "not found where there was nothing to examine": {"status": Status.NOT_FOUND, "predictions": READ},
    "more examined than there is": {"status": Status.INCONCLUSIVE, "examined": 9, "regions": 8},
    "purified of nothing": {"status": Status.INCONCLUSIVE, "purified": torch.zeros(3, 8, 8)},
}


@pytest.mark.parametrize("values", HONEST, ids=lambda values: values["status"].value)
def test_honest_verdicts_can_be_made(values: dict[str, Any]) -> None:
    assert Detection(reason="because", **values).status is values["status"]


@pytest.mark.parametrize("values", LIES.values(), ids=LIES.keys())
def test_a_verdict_cannot_lie(values: dict[str, Any]) -> None:
    with pytest.raises(
        ValueError, match=r"trigger belongs to|complete search|belongs to a trigger|examined <= regions"
    ):
        Detection(reason="because", **values)


@pytest.mark.parametrize("values", HONEST, ids=lambda values: values["status"].value)
def test_a_verdict_needs_a_reason(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="needs a reason"):
        Detection(reason="", **values)


@given(st.integers(1, 500), st.integers(0, 499))
def test_not_found_needs_every_region(regions: int, missing: int) -> None:
    examined = max(0, regions - missing)
    values: dict[str, Any] = {"predictions": READ, "examined": examined, "regions": regions}
    if examined == regions:
        assert Detection(Status.NOT_FOUND, "because", **values).status is Status.NOT_FOUND
    else:
        with pytest.raises(ValueError, match=f"{examined} of {regions} parts"):
            Detection(Status.NOT_FOUND, "because", **values)


def test_a_verdict_cannot_be_changed_afterwards() -> None:
    verdict = Detection(Status.ERROR, "because")
    with pytest.raises(FrozenInstanceError):
        verdict.status = Status.NOT_FOUND  # type: ignore[misc]


def test_class_matrix_fits_its_labels() -> None:
    assert ClassMatrix(("a", "b"), torch.eye(3)[:, :2]).matrix.shape == (3, 2)
    for matrix in (torch.zeros(3, 3), torch.zeros(2), torch.zeros(1, 3, 2)):
        with pytest.raises(ValueError, match=r"expected a \(D, 2\) matrix, got"):
            ClassMatrix(("a", "b"), matrix)


def test_areas_count_pixels() -> None:
    assert Region(MASK, (0, 1, 4, 2), 1.0).area_px == 4
    assert TRIGGER.area_fraction == 0.25
