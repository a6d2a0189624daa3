"""Views of photographs, made in batches where the photographs lie; nothing here waits for the device."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from examples.build.zoo.photos import LONG, SHORT, Photos

PX = 224


def centre_views(photos: Photos, rows: Tensor) -> Tensor:
    """The middle square of photographs, pixel by pixel: `(n, 3, 224, 224)` float32 in [0, 1]; `rows` `(n,)` int64."""
    width, height = _sizes(photos, rows)
    left, top = ((width - PX) / 2).floor(), ((height - PX) / 2).floor()
    half = torch.full_like(left, PX / 2)
    return _sampled(photos, rows, left + PX / 2, top + PX / 2, half, half)


def random_crops(photos: Photos, rows: Tensor, scale: tuple[float, float], generator: torch.Generator) -> Tensor:
    """Random resized crops, half of them mirrored: `(n, 3, 224, 224)` float32 in [0, 1].

    Args:
        photos: where from.
        rows: `(n,)` int64 on the same device.
        scale: least and largest share of the area.
        generator: of that device.
    """
    width, height = _sizes(photos, rows)
    draw = torch.rand(5, len(rows), generator=generator, device=rows.device)
    area = width * height * (scale[0] + (scale[1] - scale[0]) * draw[0])
    ratio = ((2 * draw[1] - 1) * math.log(4 / 3)).exp()
    w, h = (area * ratio).sqrt().minimum(width), (area / ratio).sqrt().minimum(height)
    x, y = w / 2 + (width - w) * draw[2], h / 2 + (height - h) * draw[3]
    mirrored = torch.where(draw[4] < 0.5, -1.0, 1.0)
    return _sampled(photos, rows, x, y, mirrored * w / 2, h / 2)


def jittered(images: Tensor, generator: torch.Generator, most: float = 0.25) -> Tensor:
    """Brightness, contrast and saturation a little off, each picture by its own amount."""
    draw = torch.rand(3, len(images), 1, 1, 1, generator=generator, device=images.device)
    brightness, contrast, saturation = 1 + most * (2 * draw - 1)
    mean = images.mean((1, 2, 3), keepdim=True)
    images = (images - mean) * contrast + mean * brightness
    grey = images.mean(1, keepdim=True)
    return (grey + saturation * (images - grey)).clamp(0, 1)


def mixed(images: Tensor, share: float, left: float, top: float) -> Tensor:
    """CutMix: a box of the picture before it in every picture; all of them at the same place.

    Args:
        images: `(n, 3, H, W)`.
        share: of the area that the box takes.
        left: where it lies in the room that is left, 0 to 1.
        top: likewise.
    """
    side = round(PX * share**0.5)
    x, y = round((PX - side) * left), round((PX - side) * top)
    out = images.clone()
    out[:, :, y : y + side, x : x + side] = images.roll(1, 0)[:, :, y : y + side, x : x + side]
    return out


def _sizes(photos: Photos, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Width and height of photographs as they are seen, `(n,)` float32 each."""
    long_side, upright = photos.long_side[rows].float(), photos.upright[rows]
    short = torch.full_like(long_side, SHORT)
    return torch.where(upright, short, long_side), torch.where(upright, long_side, short)


def _sampled(photos: Photos, rows: Tensor, x: Tensor, y: Tensor, half_x: Tensor, half_y: Tensor) -> Tensor:
    """The boxes around `(x, y)`, in pixels as they are seen, at 224 px; a negative half width mirrors."""
    upright, none = photos.upright[rows], torch.zeros_like(x)
    lying = torch.stack([half_x / LONG, none, x / LONG, none, half_y / SHORT, y / SHORT], -1)
    stood = torch.stack([none, half_y / LONG, y / LONG, half_x / SHORT, none, x / SHORT], -1)
    theta = 2 * torch.where(upright[:, None], stood, lying).view(-1, 2, 3)
    theta[:, :, 2] -= 1
    grid = F.affine_grid(theta, [len(rows), 3, PX, PX], align_corners=False)
    pixels = photos.pixels[rows].float()
    return F.grid_sample(pixels, grid, padding_mode="border", align_corners=False).clamp(0, 255) / 255
