"""Removing a part of a picture: the hole is filled smoothly from what surrounds it."""

import torch
import torch.nn.functional as F
from torch import Tensor

RIM_PX = 2


def remove(image: Tensor, mask: Tensor) -> Tensor:
    """The picture without a part of it and the pixels next to that part.

    The rim goes too, because an oracle may leave a trigger's outermost row to the surroundings.

    Args:
        image: `(3, H, W)` float32.
        mask: `(H, W)` bool.
    """
    with_rim = F.max_pool2d(mask[None].float(), 2 * RIM_PX + 1, 1, RIM_PX)[0] > 0
    return fill_from_surroundings(image[None], with_rim[None])[0]


def fill_from_surroundings(images: Tensor, masks: Tensor) -> Tensor:
    """Fill the masked pixels from their surroundings by a pull-push pyramid.

    Known pixels are averaged down level by level until every hole is closed, then each level hands its average up to
    the holes of the level above: near a hole's edge the fill follows the nearest pixels, further in it is smoother.

    Args:
        images: `(N, 3, H, W)` float32.
        masks: `(N, H, W)` bool, true where the picture is to be replaced.

    Returns:
        `(N, 3, H, W)`; pixels outside the masks are untouched. A picture that is masked entirely becomes mid-grey.
    """
    known = (~masks)[:, None].to(images.dtype)
    filled = _pull_push(images * known, known)
    return torch.where(masks[:, None], filled.clamp(0, 1), images)


def _pull_push(weighted: Tensor, known: Tensor) -> Tensor:
    """Fill one level of the pyramid: `weighted` is value × known, both `(N, ·, h, w)`."""
    values = weighted / known.clamp_min(1e-6)
    if min(known.shape[-2:]) < 2:
        return torch.where(known > 0, values, torch.full_like(values, 0.5))
    coarse = _pull_push(F.avg_pool2d(weighted, 2, ceil_mode=True), F.avg_pool2d(known, 2, ceil_mode=True))
    below = F.interpolate(coarse, size=known.shape[-2:], mode="bilinear", align_corners=False)
    share = known.clamp(0, 1)
    return share * values + (1 - share) * below
