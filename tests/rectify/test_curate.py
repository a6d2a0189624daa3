import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from eftclip.config import CurateConfig
from eftclip.curate import Candidate, curate
from eftclip.errors import ConfigError, DataError
from eftclip.runtime import seeded
from eftclip.types import CuratedItem, CuratedSet

pytestmark = pytest.mark.quick

DIMENSIONS = 8


def _candidate(index: int, role: str, feature: torch.Tensor | None = None) -> Candidate:
    if feature is None:
        feature = F.normalize(torch.randn(DIMENSIONS, generator=seeded(index)), dim=0)
    image = torch.full((3, 4, 4), index / 1000)
    victim = (image, "banana") if role == "victim" else (None, "")
    return Candidate(f"{index}.png", index, role, "cat", image, feature, *victim)


def _candidates(victims: int, affected: int, control: int) -> list[Candidate]:
    roles = ["victim"] * victims + ["affected"] * affected + ["control"] * control
    return [_candidate(k, role) for k, role in enumerate(roles)]


def test_the_budget_is_shared_among_the_roles() -> None:
    curated = curate(_candidates(100, 100, 100), CurateConfig(), source="here")
    assert curated.counts == {"victim": 24, "affected": 8, "control": 32}
    assert [item.role for item in curated.items] == ["victim"] * 24 + ["affected"] * 8 + ["control"] * 32
    assert curated.source == "here"


def test_what_is_not_there_leaves_room_for_the_control_set() -> None:
    assert curate(_candidates(3, 0, 100), CurateConfig(), source="").counts == {
        "victim": 3,
        "affected": 0,
        "control": 61,
    }


def test_few_pictures_make_a_small_set_and_none_is_an_error() -> None:
    assert len(curate(_candidates(0, 0, 5), CurateConfig(), source="").items) == 5
    with pytest.raises(DataError, match="no picture to curate"):
        curate([], CurateConfig(), source="")


def test_what_is_most_different_is_chosen() -> None:
    """Nine look alike and two do not: those two are among the first three."""
    alike, other, third = torch.eye(DIMENSIONS)[:3]
    pool = [_candidate(k, "control", alike) for k in range(9)]
    pool += [_candidate(9, "control", other), _candidate(10, "control", third)]
    chosen = curate(pool, CurateConfig(budget=8), source="").items
    assert {item.index for item in chosen[:3]} == {0, 9, 10}
    assert chosen[0].reason == "The most typical of the clean pictures."
    assert "cosine of 0.00" in chosen[1].reason


def test_every_picture_has_a_reason_that_fits_its_role() -> None:
    curated = curate(_candidates(2, 2, 2), CurateConfig(), source="")
    victim, _, affected, _, *_ = curated.items
    assert victim.reason == "It showed “banana”; without the trigger it reads as “cat”."
    assert victim.poisoned is not None
    assert "affected label “cat”" in affected.reason
    assert all(item.reason.endswith(".") for item in curated.items)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 60), st.integers(8, 64))
def test_a_set_holds_its_budget_and_no_picture_twice(victims: int, affected: int, control: int, budget: int) -> None:
    candidates = _candidates(victims, affected, control)
    if not candidates:
        return
    config = CurateConfig(budget=budget)
    curated = curate(candidates, config, source="")
    indices = [item.index for item in curated.items]
    assert len(indices) == len(set(indices)) <= budget
    assert curated.counts["victim"] <= round(config.victim_share * budget)
    assert curated.counts["affected"] <= round(config.affected_share * budget)
    assert curated.counts["control"] == min(control, budget - curated.counts["victim"] - curated.counts["affected"])
    again = curate(candidates, config, source="")
    assert [item.index for item in again.items] == indices


def test_values_that_cannot_be_are_refused() -> None:
    image = torch.zeros(3, 4, 4)
    with pytest.raises(ValueError, match="roles"):
        CuratedItem("a", 0, "guest", "Why not.", "cat", image)
    with pytest.raises(ValueError, match="poisoned picture"):
        CuratedItem("a", 0, "victim", "Why not.", "cat", image)
    with pytest.raises(ValueError, match="poisoned picture"):
        CuratedItem("a", 0, "control", "Why not.", "cat", image, image)
    with pytest.raises(ValueError, match="1 to 8"):
        CuratedSet((), 8, "")
    for wrong in ({"budget": 4}, {"victim_share": 1.0}, {"victim_share": 0.6, "affected_share": 0.6}):
        with pytest.raises(ConfigError):
            CurateConfig.from_dict(wrong)
