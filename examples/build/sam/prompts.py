"""What the network is asked: a point or a box for a region, and a second point where the first answer was wrong."""

from dataclasses import dataclass

import torch
from torch import Tensor

from examples.build.sam.cutouts import uniform
from examples.build.sam.scenes import FIRST_THING, SCENE_PX

LEAST_PX = 24  # of a scene's; a region that is seen with fewer is not asked for
THING_WEIGHT = 10.0  # with this one two in five prompts are for pasted things
BOX_NOISE, BOX_NOISE_PX = 0.1, 20.0  # as published: a tenth of the box's side, at most 20 pixels of 1024


@dataclass(frozen=True, eq=False)
class Asked:
    """`n` questions, those of one picture side by side.

    Attributes:
        pictures: `(n,)` int64, the picture of each.
        masks: `(n, h, h)` bool, the region that is wanted.
        also: `(n, 3, h, h)` bool, the regions of all levels that hold the point, which would be right as well.
        points: `(n, 2)` XY pixels inside the region.
    """

    pictures: Tensor
    masks: Tensor
    also: Tensor
    points: Tensor


def asked(parts: Tensor, per_picture: int, generator: torch.Generator, *, thing_weight: float = THING_WEIGHT) -> Asked:
    """Draw regions of random levels, larger ones more often (by the root of their area), and a point in each.

    Args:
        parts: `(b, 3, h, h)`, see `Scenes` and `coarser`.
        per_picture: how many regions of each picture.
        generator: draws, on the device of the parts.
        thing_weight: how much more often a pasted thing is asked for than a region of its size.
    """
    count, device = len(parts), parts.device
    areas = torch.zeros(count, 3, 256, device=device)
    areas.scatter_add_(2, parts.flatten(2), torch.ones_like(parts.flatten(2), dtype=torch.float32))
    weights = torch.where(areas >= LEAST_PX * (parts.shape[2] / SCENE_PX) ** 2, areas.sqrt(), 0.0)
    weights[:, :, FIRST_THING:] *= thing_weight
    weights[:, :, 0] = 0
    empty = weights.sum((1, 2)) == 0  # nothing large enough: ask for whatever there is
    weights[:, :, 0] = torch.where(empty, 1.0, 0.0)[:, None]
    drawn = torch.multinomial(weights.flatten(1), per_picture, replacement=True, generator=generator).flatten()
    pictures = torch.arange(count, device=device).repeat_interleave(per_picture)
    level, number = drawn // 256, drawn % 256
    masks = parts[pictures, level] == number[:, None, None]
    points = point_in(masks, generator)
    x, y = points.long().unbind(1)
    held = parts[pictures, :, y, x]
    also = (parts[pictures] == held[:, :, None, None]) & (held > 0)[:, :, None, None]
    return Asked(pictures, masks, also, points)


def point_in(masks: Tensor, generator: torch.Generator) -> Tensor:
    """`(n, 2)` float32 XY of a random pixel that is True in each of `(n, h, w)`; any pixel where none is."""
    lots = torch.rand(masks.flatten(1).shape, generator=generator, device=masks.device)
    index = torch.where(masks.flatten(1), lots, lots - 1).argmax(1)
    width = masks.shape[2]
    return torch.stack([index % width, index // width], 1).float()


def boxes_of(masks: Tensor, generator: torch.Generator) -> Tensor:
    """`(n, 4)` XYXY pixels, roughly around each of `(n, h, w)`."""
    rows, columns = masks.any(2).float(), masks.any(1).float()
    length = masks.shape[1]
    x0, y0 = columns.argmax(1), rows.argmax(1)
    x1, y1 = length - columns.flip(1).argmax(1), length - rows.flip(1).argmax(1)
    boxes = torch.stack([x0, y0, x1, y1], 1).float()
    sides = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    noise = uniform((len(masks), 4), -1, 1, generator) * (BOX_NOISE * sides).clamp_max(BOX_NOISE_PX * length / 1024)
    return (boxes + noise).clamp(0, length)


def for_encoder(where: Tensor, side_px: int, of_px: int) -> Tensor:
    """Pixels of a picture of `of_px` as pixels of the encoder's input, as `SamPredictor` enlarges it."""
    return (where + 0.5) * (side_px / of_px) - 0.5
