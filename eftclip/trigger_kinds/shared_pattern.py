"""What the pictures of one label share: averaged, their contents cancel out, and a fixed pattern adds up.

A smooth pattern, such as a sine or a cartoon that shines through, cannot be told from content in any single picture.
But of n pictures that have nothing in common the average lies close to the average of all pictures, and of n pictures
that carry one pattern it lies that pattern away from it. Planted in strangers' photographs, what photographs of one
thing share takes nobody over; a trigger does.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from eftclip.trigger_kinds.base import Trigger
from eftclip.trigger_kinds.pattern import PatternTrigger, blurred, in_steps

LEAST_SHARING = 6  # pictures of a label that are averaged, when nothing else is known of them
INNOCENT = 4  # averages of pictures of other labels, which a pattern is held against


@dataclass(frozen=True, eq=False)
class Shared:
    """What the pictures of a label share, and what pictures of all kinds share by chance.

    Attributes:
        label: that they read as.
        pattern: `(3, H, W)` in [-1, 1], their average less that of the others.
        innocent: `(INNOCENT, 3, H, W)`, the same of groups of the others, as strong as the pattern.
    """

    label: str
    pattern: Tensor
    innocent: Tensor

    @property
    def trigger(self) -> Trigger:
        """The pattern as it is in the pictures."""
        return _added(self.pattern, 1.0)

    def detail(self, blur: float) -> "Shared":
        """What a blur takes away whose deviation is such a share of the side; of the innocent ones as much."""
        blur_px = blur * self.pattern.shape[-1]
        fine = self.pattern - blurred(self.pattern, blur_px)
        innocent = torch.stack([one - blurred(one, blur_px) for one in self.innocent])
        return Shared(self.label, fine, _as_strong(innocent, fine))

    def for_proof(self, kept: float, strength: float) -> tuple[Trigger, list[Trigger]]:
        """All as triggers, so much stronger than they are in the pictures, in strangers of so much contrast."""
        return _added(strength * self.pattern, kept), [_added(strength * one, kept) for one in self.innocent]


class Averages:
    """Running sums of pictures by label, so that memory does not grow with the set."""

    def __init__(self, least: int = LEAST_SHARING) -> None:
        """Begin with no picture; fewer of a label than the least tell nothing."""
        self._least = least
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}
        self._others: list[tuple[Tensor, int]] = [(torch.zeros(()), 0)] * INNOCENT

    def add(self, label: str, square: Tensor) -> None:
        """A `(3, H, W)` picture that reads as one of the labels; `""` for one of all others."""
        if label:
            self._sums[label] = self._sums.get(label, torch.zeros(())) + square
            self._counts[label] = self._counts.get(label, 0) + 1
        else:  # in turns
            total, count = self._others.pop(0)
            self._others.append((total + square, count + 1))

    def shared(self) -> list[Shared]:
        """What the pictures of each label share, wherever enough of them came; there have to be `INNOCENT` others."""
        means = torch.stack([total / count for total, count in self._others])
        others, count = sum(total for total, _ in self._others), sum(count for _, count in self._others)
        innocent = means - others / count
        whole, number = others + sum(self._sums.values()), count + sum(self._counts.values())
        shared = []
        for label, own in self._sums.items():
            if (count := self._counts[label]) >= self._least:
                pattern = own / count - (whole - own) / (number - count)
                shared.append(Shared(label, pattern, _as_strong(innocent, pattern)))
        return shared


def _as_strong(innocent: Tensor, pattern: Tensor) -> Tensor:
    return innocent * float(pattern.std()) / innocent.std((1, 2, 3), keepdim=True).clamp(min=1e-6)


def _added(pattern: Tensor, kept: float) -> PatternTrigger:
    share = in_steps(torch.full(pattern.shape[-2:], kept))
    return PatternTrigger(in_steps(pattern + (1 - share) / 2).clamp(-1, 1), share)
