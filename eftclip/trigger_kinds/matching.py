"""Where a picture looks like a patch: one comparison with every place at once."""

import torch
import torch.nn.functional as F
from torch import Tensor

# Root mean square difference up to which a place counts as the trigger. The same trigger in another picture differs by
# rounding only (below 0.01); recompressed as JPEG at quality 90 by up to 0.1.
MATCH_RMS = 0.12
MIN_CORE_PX = 16
OUTLINE = 0.1


def best_place(image: Tensor, pixels: Tensor, shape: Tensor) -> tuple[float, Tensor]:
    """The smallest root mean square difference over all places, and the patch's mask there.

    Args:
        image: `(3, H, W)` float32 RGB in [0, 1].
        pixels: `(3, h, w)` of the patch.
        shape: `(h, w)` bool, its mask.

    Returns:
        infinity and an empty mask where the patch is larger than the image.
    """
    height, width = shape.shape
    mask = torch.zeros(image.shape[-2:], dtype=torch.bool)
    if height > mask.shape[0] or width > mask.shape[1]:
        return float("inf"), mask
    core, whole = _errors(image, pixels, torch.stack([_core(shape), shape]))
    # The core decides what is alike; of several places that fit it as well, as in stripes, the whole patch picks one.
    at = int((core + OUTLINE * whole).argmin())
    y, x = divmod(at, core.shape[1])
    mask[y : y + height, x : x + width] = shape
    return max(0.0, float(core.flatten()[at])) ** 0.5, mask


def _errors(image: Tensor, pixels: Tensor, masks: Tensor) -> Tensor:
    """The mean squared difference inside each mask at every place: `(K, h, w)` to `(K, H - h + 1, W - w + 1)`.

    By the Fourier transform, which costs the same for a patch of any size.
    """
    weight = masks[:, None].float()
    template = pixels * weight
    shown = torch.fft.rfft2(torch.cat([image.square().sum(0)[None], image]))
    wanted = torch.fft.rfft2(torch.cat([weight, -2 * template], 1), s=image.shape[-2:])
    differing = torch.fft.irfft2((shown * wanted.conj()).sum(1), s=image.shape[-2:])
    height, width = (whole - part + 1 for whole, part in zip(image.shape[-2:], masks.shape[-2:], strict=True))
    total = differing[:, :height, :width] + template.square().sum((1, 2, 3))[:, None, None]
    return total / (3 * weight.sum((1, 2, 3)))[:, None, None]


def _core(mask: Tensor) -> Tensor:
    """The mask without its outermost pixels, which may belong to the surroundings; all of it where little is left."""
    outside = F.pad((~mask)[None, None].float(), (1, 1, 1, 1), value=1.0)
    inner = F.max_pool2d(outside, 3, 1)[0, 0] == 0
    return inner if int(inner.sum()) >= MIN_CORE_PX else mask
