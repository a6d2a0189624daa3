"""As much of a fine-tuning as its trigger needs: weights between those of the original and the tuned ones.

On the straight line from a checkpoint to what was tuned from it lie others that read as well (Wortsman et al. 2022,
"Robust fine-tuning of zero-shot models"). A trigger loses its hold on the way long before the end, and with every step
back fewer clean pictures read otherwise than before.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from eftclip.types import Rate

STEP, LEAST = 0.1, 0.5  # shares that are tried: from all of the change down to half of it


class Blend:
    """The way from the original's weights to the tuned ones."""

    def __init__(self, original: nn.Module, learning: Mapping[str, nn.Parameter]) -> None:
        """Remember both ends.

        Args:
            original: the model before; it is left as it is.
            learning: the parameters that were tuned, by the original's names; `keep` changes them in place.
        """
        self._learning = learning
        self._ends: dict[str, tuple[Tensor, Tensor]] = {
            name: (original.get_parameter(name).detach(), parameter.detach().clone())
            for name, parameter in learning.items()
        }

    @torch.no_grad()
    def keep(self, share: float) -> None:
        """Keep a share of the change, in [0, 1]; 1 gives the tuned weights again, bit for bit."""
        for name, parameter in self._learning.items():
            parameter.copy_(torch.lerp(*self._ends[name], share))


def share_needed(attack: Callable[[float], Rate]) -> float:
    """The share of the change to keep.

    Args:
        attack: of held-out pictures with the trigger, those that read as its target when a share of the change is kept.

    Returns:
        One step more than the least share from which on no picture is taken over; 1 where even all of the change is not
        enough. The held-out pictures are few, so the very least would be too little for others.
    """
    shares = [1 - k * STEP for k in range(round((1 - LEAST) / STEP) + 1)]
    held = 1 + STEP
    for share in shares:
        if attack(share).hits:
            break
        held = share
    return min(1.0, round(held + STEP, 2))
