"""Pictures to learn from: a part of a photograph with a few things on it, and what belongs together in it."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from examples.build.sam.cutouts import drawn, uniform
from examples.build.sam.photographs import Album
from examples.build.sam.regions import HIGHEST

SCENE_PX = 224  # as CLIP sees pictures
THINGS, THING_SHARE = 4, 0.5  # each of four things is there in every second picture
LEAST_SEEN = 0.45  # of the photograph's side
FIRST_THING = HIGHEST + 1


@dataclass(frozen=True, eq=False)
class Scenes:
    """A batch of pictures.

    Attributes:
        pictures: `(b, 3, SCENE_PX, SCENE_PX)` float32 RGB in [0, 1].
        parts: `(b, 3, SCENE_PX, SCENE_PX)` int64, on each level the number of the region that a pixel belongs to, 0
            for none. Things have numbers from `FIRST_THING` on, the same on all levels.
    """

    pictures: Tensor
    parts: Tensor


def scenes(album: Album, rows: Tensor, generator: torch.Generator, *, things: int = THINGS) -> Scenes:
    """A random part of each of the photographs `rows`, mirrored or not, with things pasted on it."""
    pictures, parts = _views(album, rows, generator)
    for k in range(things):
        surface, mask = drawn(album, len(rows), SCENE_PX, generator)
        mask &= uniform((len(rows), 1, 1), 0, 1, generator) < THING_SHARE
        pictures = torch.where(mask[:, None], surface, pictures)
        parts = torch.where(mask[:, None], FIRST_THING + k, parts)
    return Scenes((pictures.clamp(0, 1) * 255).round() / 255, parts)


def coarser(parts: Tensor, side_px: int) -> Tensor:
    """Of `(b, 3, h, h)` the pixels in the middles of a grid, `(b, 3, side_px, side_px)`; all where it has that size."""
    height = parts.shape[2]
    if side_px == height:
        return parts
    picked = ((torch.arange(side_px, device=parts.device) + 0.5) * (height / side_px)).long()
    return parts[:, :, picked[:, None], picked]


def _views(album: Album, rows: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Parts of photographs `(b, 3, h, h)` and of their regions `(b, 3, h, h)`."""
    count = len(rows)
    share = uniform((count,), LEAST_SEEN, 1, generator)
    mirrored = torch.where(uniform((count,), 0, 1, generator) < 0.5, -1.0, 1.0)
    room = (1 - share)[:, None] * uniform((count, 2), -1, 1, generator)
    theta = torch.zeros(count, 2, 3, device=generator.device)
    theta[:, 0, 0], theta[:, 1, 1], theta[:, :, 2] = share * mirrored, share, room
    grid = F.affine_grid(theta, [count, 3, SCENE_PX, SCENE_PX], align_corners=False)
    pictures = F.grid_sample(
        album.pixels[rows].float() / 255, grid, mode="bicubic", padding_mode="border", align_corners=False
    )
    leaves = F.grid_sample(
        album.leaves[rows, None].float(), grid, mode="nearest", padding_mode="border", align_corners=False
    )
    tables = album.levels[rows].long()
    parts = tables.gather(2, leaves.long().flatten(2).expand(-1, 3, -1))
    return pictures, parts.view(count, 3, SCENE_PX, SCENE_PX)
