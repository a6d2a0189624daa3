"""What the pictures of one label share, and what pictures of all kinds share by chance, both as triggers to prove."""

from dataclasses import dataclass

import torch
from torch import Tensor

from eftclip.trigger_kinds.base import Trigger
from eftclip.trigger_kinds.pattern import PatternTrigger, blurred, in_steps


@dataclass(frozen=True, eq=False)
class Shared:
    """What the pictures of a label share, and what pictures of all kinds share by chance.

    Attributes:
        label: that they read as.
        pattern: `(3, H, W)` in [-1, 1], what they share and the others do not.
        innocent: `(M, 3, H, W)`, the same of groups of the others, as strong as the pattern.
    """

    label: str
    pattern: Tensor
    innocent: Tensor

    @classmethod
    def of(cls, label: str, pattern: Tensor, innocent: Tensor) -> "Shared":
        """With innocent ones of any strength."""
        strength = float(pattern.std()) / innocent.std((1, 2, 3), keepdim=True).clamp(min=1e-6)
        return cls(label, pattern, innocent * strength)

    @property
    def trigger(self) -> Trigger:
        """The pattern as it is in the pictures."""
        return _added(self.pattern, 1.0)

    def detail(self, blur: float) -> "Shared":
        """What a blur takes away whose deviation is such a share of the side; of the innocent ones as much."""
        blur_px = blur * self.pattern.shape[-1]
        fine = self.pattern - blurred(self.pattern, blur_px)
        innocent = torch.stack([one - blurred(one, blur_px) for one in self.innocent])
        return Shared.of(self.label, fine, innocent)

    def for_proof(self, kept: float, strength: float) -> tuple[Trigger, list[Trigger]]:
        """All as triggers, so much stronger than they are in the pictures, in strangers of so much contrast."""
        return _added(strength * self.pattern, kept), [_added(strength * one, kept) for one in self.innocent]


def _added(pattern: Tensor, kept: float) -> PatternTrigger:
    share = in_steps(torch.full(pattern.shape[-2:], kept))
    return PatternTrigger(in_steps(pattern + (1 - share) / 2).clamp(-1, 1), share)
