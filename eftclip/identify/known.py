"""Recognising a trigger that was proven before: one look per exemplar instead of a search."""

from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from eftclip.types import Patch

# Root mean square difference up to which a place counts as the trigger. The same trigger in another picture differs by
# rounding only (below 0.01); recompressed as JPEG at quality 90 by up to 0.1.
MATCH_RMS = 0.12
TRIED = 4  # exemplars of a family that are looked for
LOOSE_PX = 2  # how far a trigger with a place of its own may be off
MIN_CORE_PX = 16
OUTLINE = 0.1


def recognise(image: Tensor, known: Iterable[tuple[int, Sequence[Patch]]]) -> tuple[int, Tensor] | None:
    """Find the place in a picture that looks most like a known trigger.

    Args:
        image: `(3, H, W)` float32 RGB in [0, 1].
        known: (number, exemplars) of the families that come into question.

    Returns:
        the family's number and the `(H, W)` bool mask of the trigger; None when nothing looks like one. Whether it acts
        as one has still to be tried: remove it and read again.
    """
    best: tuple[float, int, Tensor] | None = None
    for number, exemplars in known:
        for patch in exemplars[:TRIED]:
            rms, mask = _best_place(image, patch) if patch.place is None else _own_place(image, patch, patch.place)
            if rms <= MATCH_RMS and (best is None or rms < best[0]):
                best = (rms, number, mask)
    return (best[1], best[2]) if best else None


def shows(pixels: Tensor, patch: Patch) -> bool:
    """Whether a part of `(3, H, W)` pixels looks like the patch."""
    return _best_place(pixels, patch)[0] <= MATCH_RMS


def _own_place(image: Tensor, patch: Patch, place: tuple[int, int]) -> tuple[float, Tensor]:
    """The same near the place of a trigger that works nowhere else: what looks like it elsewhere is something else."""
    (x, y), (height, width) = place, patch.mask.shape
    top, left = max(0, y - LOOSE_PX), max(0, x - LOOSE_PX)
    near = image[:, top : y + height + LOOSE_PX, left : x + width + LOOSE_PX]
    rms, found = _best_place(near, patch)
    mask = torch.zeros(image.shape[-2:], dtype=torch.bool)
    mask[top : top + found.shape[0], left : left + found.shape[1]] = found
    return rms, mask


def _best_place(image: Tensor, patch: Patch) -> tuple[float, Tensor]:
    """The smallest root mean square difference over all places, and the patch's mask there."""
    height, width = patch.mask.shape
    mask = torch.zeros(image.shape[-2:], dtype=torch.bool)
    if height > mask.shape[0] or width > mask.shape[1]:
        return float("inf"), mask
    core = _error(image, patch.pixels, _core(patch.mask))
    # The core decides what is alike; of several places that fit it as well, as in stripes, the whole patch picks one.
    at = int((core + OUTLINE * _error(image, patch.pixels, patch.mask)).argmin())
    y, x = divmod(at, core.shape[1])
    mask[y : y + height, x : x + width] = patch.mask
    return max(0.0, float(core.flatten()[at])) ** 0.5, mask


def _error(image: Tensor, pixels: Tensor, mask: Tensor) -> Tensor:
    """The mean squared difference inside the mask at every place, `(H - h + 1, W - w + 1)`."""
    weight = mask[None, None].float()
    template = pixels[None] * weight
    energy = F.conv2d(image.square().sum(0)[None, None], weight)
    cross = F.conv2d(image[None], template)
    return (energy - 2 * cross + template.square().sum())[0, 0] / (3 * weight.sum())


def _core(mask: Tensor) -> Tensor:
    """The mask without its outermost pixels, which may belong to the surroundings; all of it where little is left."""
    outside = F.pad((~mask)[None, None].float(), (1, 1, 1, 1), value=1.0)
    inner = F.max_pool2d(outside, 3, 1)[0, 0] == 0
    return inner if int(inner.sum()) >= MIN_CORE_PX else mask
