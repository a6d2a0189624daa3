"""Only as much of a fine-tuning is kept as the trigger needs."""

import pytest
import torch
from torch import nn

from eftclip.rectify.blending import Blend, share_needed


@pytest.mark.parametrize(
    ("reached", "kept"),
    [
        ({}, 1.0),
        ({0.9: 0.991}, 0.9),
        ({0.9: 0.999, 0.8: 0.998, 0.7: 0.995, 0.6: 0.94, 0.5: 0.999}, 0.7),
        (dict.fromkeys((0.9, 0.8, 0.7, 0.6, 0.5), 1.0), 0.5),
        ({0.9: 0.8, 0.8: 1.0}, 1.0),
    ],
)
def test_as_little_is_kept_as_reaches_nearly_all(reached: dict[float, float], kept: float) -> None:
    asked: list[float] = []

    def mended(share: float) -> float:
        asked.append(share)
        return 0.4 + 0.58 * (reached.get(share, 0.9) if 0 < share < 1 else share)

    assert share_needed(mended) == kept
    assert len(asked) <= 7, "every look costs pictures"


def test_a_trigger_that_is_hardly_gone_gets_nothing_back() -> None:
    assert share_needed(lambda share: 0.4 + 0.53 * min(1.0, 2 * share)) == 1.0


def test_where_nothing_was_won_all_of_the_change_stays() -> None:
    assert share_needed(lambda share: 0.5 - 0.1 * share) == 1.0
    assert share_needed(lambda share: 0.0) == 1.0


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
