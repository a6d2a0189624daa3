"""How the learning rate goes over a run: shares of its highest value."""

import math

WARM_UP = 0.1  # share of the steps
SETTLED = 0.1  # what `falling` has come down to half-way


def warm_up(done: int, steps: int) -> float:
    """Up over the first tenth of the steps, then down along a cosine."""
    warm = max(1.0, WARM_UP * steps)
    if done < warm:
        return (done + 1) / (warm + 1)
    return _cosine(done - warm, steps - warm)


def falling(done: int, steps: int) -> float:
    """From the highest value straight down to a tenth of it over the first half, then down along a cosine."""
    half = steps / 2
    if done < half:
        return 1 - (1 - SETTLED) * done / half
    return SETTLED * _cosine(done - half, steps - half)


def _cosine(done: float, steps: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * done / max(1.0, steps)))
