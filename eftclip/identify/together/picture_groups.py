"""Some pictures of each label, and what those of one label share that no others do.

A smooth pattern, such as a sine or a cartoon that shines through, cannot be told from content in any single picture.
But the median of the edges of several pictures is the pattern's own (`common_edges`). Planted in strangers'
photographs, what photographs of one thing share takes nobody over; a trigger does.
"""

import torch
from torch import Tensor

from eftclip.identify.together.common_edges import agreed_pattern, common_pattern
from eftclip.trigger_kinds import Shared

LEAST_SHARING = 6  # pictures of a label that tell something, when nothing else is known of them
INNOCENT = 4  # groups of pictures of other labels, whose patterns a pattern is held against


class PictureGroups:
    """Some pictures of each label, and some of others; in bytes, as whoever gives them bounds how many there are."""

    def __init__(self, least: int = LEAST_SHARING) -> None:
        """Begin with no picture; fewer of a label than the least tell nothing."""
        self._least = least
        self._own: dict[str, list[Tensor]] = {}
        self._others: list[Tensor] = []

    def add(self, label: str, square: Tensor) -> None:
        """A `(3, H, W)` picture in [0, 1] that reads as one of the labels; `""` for one of all others."""
        group = self._own.setdefault(label, []) if label else self._others
        group.append((square * 255).round().to(torch.uint8))

    def shared(self) -> list[Shared]:
        """What the pictures of each label share, wherever enough of them came; there have to be `INNOCENT` others."""
        everywhere = agreed_pattern(_stacked(self._others))
        innocent = torch.stack([common_pattern(_stacked(self._others[k::INNOCENT])) for k in range(INNOCENT)])
        patterns = {
            label: common_pattern(_stacked(own)) - everywhere
            for label, own in self._own.items()
            if len(own) >= self._least
        }
        return [Shared.of(label, pattern, innocent - everywhere) for label, pattern in patterns.items()]


def _stacked(pictures: list[Tensor]) -> Tensor:
    return torch.stack(pictures).float() / 255
