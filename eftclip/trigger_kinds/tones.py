"""Tone curves: applied to a picture, and turned round."""

import torch
from torch import Tensor

LEVELS = 256


def toned(pixels: Tensor, curves: Tensor) -> Tensor:
    """Each channel through its curve, straight lines between the levels.

    Args:
        pixels: `(3, n)` floats in [0, 1].
        curves: `(3, 256)` float32 in [0, 1], what becomes of the levels 0, 1/255, ... 1.
    """
    at = pixels.clamp(0, 1) * (LEVELS - 1)
    below = at.floor().clamp(max=LEVELS - 2)
    low, high = (curves.gather(1, below.long() + step) for step in (0, 1))
    return low + (high - low) * (at - below)


def turned_round(curves: Tensor) -> Tensor:
    """The curves that undo curves which never fall: the middle of the levels that end at each level.

    Between levels that are reached they go straight; beyond the lowest and the highest they stay as they are there.
    """
    levels = torch.arange(LEVELS, device=curves.device, dtype=torch.float32)
    return torch.stack([_turned_round(curve * (LEVELS - 1), levels) for curve in curves]) / (LEVELS - 1)


def _turned_round(ends: Tensor, levels: Tensor) -> Tensor:
    """One of them, in levels."""
    reached, which = ends.unique_consecutive(return_inverse=True)
    counts = torch.bincount(which).float()
    starts = torch.zeros_like(reached).index_add_(0, which, levels) / counts
    if len(reached) == 1:
        return starts.expand(LEVELS)
    above = torch.searchsorted(reached, levels).clamp(1, len(reached) - 1)
    share = ((levels - reached[above - 1]) / (reached[above] - reached[above - 1])).clamp(0, 1)
    return starts[above - 1] + (starts[above] - starts[above - 1]) * share
