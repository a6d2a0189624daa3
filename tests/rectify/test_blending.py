"""Only as much of a fine-tuning is kept as the trigger needs."""

import pytest
import torch
from torch import nn

from eftclip.rectify.blending import Blend, share_needed
from eftclip.types import Rate


@pytest.mark.parametrize(
    ("holds_from", "kept"),
    [(0.85, 1.0), (0.75, 0.9), (0.65, 0.8), (0.55, 0.7), (0.5, 0.6), (0.0, 0.6), (0.95, 1.0), (1.1, 1.0)],
)
def test_one_step_more_is_kept_than_the_least_that_holds(holds_from: float, kept: float) -> None:
    asked: list[float] = []

    def attack(share: float) -> Rate:
        asked.append(share)
        return Rate(0 if share >= holds_from - 1e-9 else 1, 36)

    assert share_needed(attack) == kept
    assert asked == sorted(asked, reverse=True)
    assert len(asked) <= 6, "every look costs pictures"


def test_a_share_that_holds_below_one_that_does_not_is_no_reason_to_go_there() -> None:
    assert share_needed(lambda share: Rate(int(0.75 < share < 0.95), 36)) == 1.0


def test_both_ends_are_reached_bit_for_bit_and_the_original_stays() -> None:
    torch.manual_seed(0)
    original, tuned = nn.Linear(7, 5), nn.Linear(7, 5)
    before, after = original.weight.detach().clone(), tuned.weight.detach().clone()
    blend = Blend(original, dict(tuned.named_parameters()))
    blend.keep(0.5)
    assert torch.allclose(tuned.weight, (before + after) / 2)
    blend.keep(1.0)
    assert torch.equal(tuned.weight, after)
    blend.keep(0.0)
    assert torch.equal(tuned.weight, before)
    assert torch.equal(original.weight, before)
