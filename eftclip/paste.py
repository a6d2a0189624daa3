"""Cutting a part out of a picture, and pasting it into others."""

from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from eftclip.types import Box, Patch

NUDGE_PX = 8


def box_of(mask: Tensor) -> Box:
    """The tightest box, XYXY pixels, around a `(H, W)` mask that is not empty."""
    ys, xs = mask.any(1).nonzero(), mask.any(0).nonzero()
    return int(xs[0]), int(ys[0]), int(xs[-1]) + 1, int(ys[-1]) + 1


def cut(image: Tensor, mask: Tensor, *, in_place: bool = False) -> Patch:
    """Cut the masked part, `(H, W)` bool and not empty, out of a `(3, H, W)` picture.

    Args:
        image: the picture.
        mask: the part.
        in_place: the part has to stay where it is.
    """
    x0, y0, x1, y1 = box_of(mask)
    return Patch(image[:, y0:y1, x0:x1].clone(), mask[y0:y1, x0:x1].clone(), (x0, y0) if in_place else None)


def paste(image: Tensor, patch: Patch, x: int, y: int, opacity: float = 1.0) -> None:
    """Paste a patch into a `(3, H, W)` picture, in place; `x`, `y` is its top-left pixel and all of it must fit."""
    height, width = patch.mask.shape
    place = image[:, y : y + height, x : x + width]
    pixels = patch.pixels if opacity == 1.0 else opacity * patch.pixels + (1 - opacity) * place
    place.copy_(torch.where(patch.mask, pixels, place))


def scatter(
    images: Tensor,
    patches: Sequence[Patch],
    *,
    generator: torch.Generator,
    scale: tuple[float, float] = (1.0, 1.0),
    opacity: tuple[float, float] = (1.0, 1.0),
) -> Tensor:
    """Paste one patch into a copy of each picture, at a random place unless it has one of its own.

    Args:
        images: `(N, 3, H, W)` float32 RGB in [0, 1]; not changed.
        patches: taken in turns.
        generator: draws places, sizes and opacities.
        scale: range of the factor by which a patch is made larger or smaller. With a range, every second picture gets
            the patch exactly as it is, the others one that was varied.
        opacity: range of the share of a varied patch in the pixels it covers.

    Returns:
        `(N, 3, H, W)`.
    """
    out, vary = images.clone(), scale != (1.0, 1.0) or opacity != (1.0, 1.0)
    for k, image in enumerate(out):
        patch, share = patches[k % len(patches)], 1.0
        if vary and (k // len(patches)) % 2:
            patch = resized(patch, _between(scale, generator))
            patch = patch if patch.place is None else _nudged(patch, patch.place, generator)
            share = _between(opacity, generator)
        patch = _fitting(patch, image)
        x, y = patch.place or _anywhere(patch, image, generator)
        paste(image, patch, x, y, share)
    return out


def _nudged(patch: Patch, place: tuple[int, int], generator: torch.Generator) -> Patch:
    """A varied patch a little beside its own place."""
    dx, dy = (torch.randint(2 * NUDGE_PX + 1, (2,), generator=generator) - NUDGE_PX).tolist()
    return replace(patch, place=(max(0, place[0] + dx), max(0, place[1] + dy)))


def _anywhere(patch: Patch, image: Tensor, generator: torch.Generator) -> tuple[int, int]:
    height, width = patch.mask.shape
    x = int(torch.randint(image.shape[-1] - width + 1, (), generator=generator))
    y = int(torch.randint(image.shape[-2] - height + 1, (), generator=generator))
    return x, y


def resized(patch: Patch, factor: float) -> Patch:
    """The patch made larger or smaller; at least 2 pixels wide and high, and never emptied."""
    height, width = (max(2, round(side * factor)) for side in patch.mask.shape)
    pixels = F.interpolate(patch.pixels[None], (height, width), mode="bilinear", align_corners=False, antialias=True)
    mask = F.interpolate(patch.mask[None, None].float(), (height, width), mode="nearest-exact")[0, 0] > 0
    return Patch(pixels[0].clamp(0, 1), mask if mask.any() else torch.ones_like(mask), patch.place)


def _fitting(patch: Patch, image: Tensor) -> Patch:
    """The patch, made smaller where it is larger than the picture, and moved in where it would stick out."""
    factor = min(1.0, image.shape[-2] / patch.mask.shape[0], image.shape[-1] / patch.mask.shape[1])
    patch = patch if factor == 1.0 else resized(patch, factor)
    if patch.place is None:
        return patch
    (x, y), (height, width) = patch.place, patch.mask.shape
    return replace(patch, place=(min(x, image.shape[-1] - width), min(y, image.shape[-2] - height)))


def _between(bounds: tuple[float, float], generator: torch.Generator) -> float:
    low, high = bounds
    return low + (high - low) * float(torch.rand((), generator=generator))
