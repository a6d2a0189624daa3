"""What scores are worth: AUROC, and rates at a threshold, each with its counts."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor

from examples.measure.photo_sets import rate

Document = dict[str, Any]


def auroc(hijacked: Sequence[float], clean: Sequence[float]) -> float | None:
    """The share of pairs in which the hijacked picture scores higher, ties half: in [0, 1]; None without a pair."""
    if not hijacked or not clean:
        return None
    wins = sum((h > c) + 0.5 * (h == c) for h in hijacked for c in clean)
    return wins / (len(hijacked) * len(clean))


def threshold_at(clean: Sequence[float], false_alarms: float) -> float | None:
    """The lowest threshold above which at most that share of clean scores lies; None without scores.

    With fewer than 1 / `false_alarms` scores that is the highest of them: then a threshold holds for no smaller share
    than that number of pictures can show.
    """
    if not clean:
        return None
    allowed = math.floor(false_alarms * len(clean) + 1e-9)
    return sorted(clean, reverse=True)[allowed]


def accused(scores: Iterable[float], threshold: float | None) -> Document | None:
    """How many lie strictly above a threshold, as a rate; None where there is no threshold."""
    return None if threshold is None else rate(score > threshold for score in scores)


def overlap(found: Tensor, planted: Tensor) -> float:
    """The IoU of two `(H, W)` bool masks; 0 where both are empty."""
    union = int((found | planted).sum())
    return int((found & planted).sum()) / union if union else 0.0
