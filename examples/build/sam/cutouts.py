"""Things that lie on a photograph: patches of many shapes and surfaces, and objects cut out of other photographs.

None of them is a published trigger: no checkers, no stripes, no noise, nothing pure white and nothing yellow.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from examples.build.sam.photographs import Album

SMALLEST_PX, LARGEST_PX = 8, 80
SQUARE_SHARE, UPRIGHT_SHARE, INSIDE_SHARE = 0.5, 0.6, 0.7
RECTANGLE, ELLIPSE, BLOB = 0, 1, 2
PIECE, PLAIN = 0, 1  # else a gradient
SHAPE_SHARES = (0.5, 0.25, 0.25)
SURFACE_SHARES = (0.6, 0.2, 0.2)
OBJECT_SHARE = 0.25
BRIGHT, DARK = 0.85, 0.4  # from here on a channel is bright, or up to here dark, in white and in yellow


@dataclass(frozen=True, eq=False)
class Frame:
    """Where one thing on each of `b` pictures lies.

    Attributes:
        across, down: `(b, h, h)`, from -1 to 1 across and down the thing.
        size_px: `(b,)` the longer side.
    """

    across: Tensor
    down: Tensor
    size_px: Tensor


def uniform(shape: tuple[int, ...], low: float, high: float, generator: torch.Generator) -> Tensor:
    """Numbers from low to high on the generator's device."""
    return low + (high - low) * torch.rand(shape, generator=generator, device=generator.device)


def chosen(shares: tuple[float, ...], count: int, generator: torch.Generator) -> Tensor:
    """`(count,)` indices, each as often as its share says."""
    weights = torch.tensor(shares, device=generator.device)
    return torch.multinomial(weights, count, replacement=True, generator=generator)


def frame(count: int, side_px: int, generator: torch.Generator) -> Frame:
    """Small ones as often as large ones (by factors), half of them square, some beyond the edge of the picture."""
    size = SMALLEST_PX * (LARGEST_PX / SMALLEST_PX) ** uniform((count,), 0, 1, generator)
    narrow = torch.where(uniform((count,), 0, 1, generator) < SQUARE_SHARE, 1.0, uniform((count,), 0.4, 1, generator))
    flat = uniform((count,), 0, 1, generator) < 0.5
    wide, high = torch.where(flat, size, size * narrow), torch.where(flat, size * narrow, size)
    half = torch.stack([wide, high], 1).round().clamp_min(SMALLEST_PX / 2) / 2
    corner = uniform((count, 2), -0.15, 1.15, generator) * side_px - half
    limit = (side_px - 2 * half).clamp_min(0)
    inside = uniform((count, 1), 0, 1, generator) < INSIDE_SHARE
    corner = torch.where(inside, torch.minimum(corner.clamp_min(0), limit), corner).round()
    middle = corner + half
    turn = uniform((count,), -torch.pi, torch.pi, generator)
    turn = torch.where(uniform((count,), 0, 1, generator) < UPRIGHT_SHARE, 0.0, turn)[:, None, None]
    steps = torch.arange(side_px, device=generator.device) + 0.5
    dx = (steps[None, :] - middle[:, :1])[:, None, :]
    dy = (steps[None, :] - middle[:, 1:])[:, :, None]
    across = (dx * turn.cos() + dy * turn.sin()) / half[:, 0, None, None]
    down = (dy * turn.cos() - dx * turn.sin()) / half[:, 1, None, None]
    return Frame(across, down, size)


def shapes(where: Frame, generator: torch.Generator) -> Tensor:
    """`(b, h, h)` bool: rectangles, ellipses and blobs."""
    count = len(where.across)
    kind = chosen(SHAPE_SHARES, count, generator)[:, None, None]
    radius = (where.across**2 + where.down**2).sqrt()
    angle = torch.atan2(where.down, where.across)
    edge = torch.full_like(radius, 0.75)
    for k in range(2, 6):
        size, phase = uniform((count, 1, 1), 0, 0.12, generator), uniform((count, 1, 1), -3.2, 3.2, generator)
        edge = edge + size * (k * angle + phase).cos()
    rectangle = torch.maximum(where.across.abs(), where.down.abs()) < 1
    return torch.where(kind == RECTANGLE, rectangle, torch.where(kind == ELLIPSE, radius < 1, radius < edge))


def colours(count: int, generator: torch.Generator) -> Tensor:
    """`(count, 3)`, any but white and yellow."""
    found = uniform((count, 3), 0, 1, generator)
    bright = (found[:, :2] > BRIGHT).all(1)
    blue = found[:, 2]
    odd = bright & ((blue > BRIGHT) | (blue < DARK))
    return torch.where(odd[:, None], found * 0.7, found)


def surfaces(where: Frame, pixels: Tensor, rows: Tensor, generator: torch.Generator) -> Tensor:
    """`(b, 3, h, h)` in [0, 1]: pieces of the photographs `rows`, small or large, plain colours, and gradients."""
    count = len(rows)
    kind = chosen(SURFACE_SHARES, count, generator)[:, None, None, None]
    zoom = 0.05 * 20 ** uniform((count, 1, 1), 0, 1, generator)  # the share of the photograph that is seen
    move = uniform((count, 2, 1, 1), -1, 1, generator)
    grid = torch.stack([where.across * zoom + move[:, 0], where.down * zoom + move[:, 1]], -1)
    pieces = F.grid_sample(pixels[rows].float() / 255, grid, padding_mode="reflection", align_corners=False)
    one, other = colours(count, generator)[:, :, None, None], colours(count, generator)[:, :, None, None]
    other = torch.where(kind == PLAIN, one, other)
    angle = uniform((count, 1, 1), -3.2, 3.2, generator)
    along = ((where.across * angle.cos() + where.down * angle.sin() + 1) / 2).clamp(0, 1)[:, None]
    return torch.where(kind == PIECE, pieces, one + (other - one) * along)


def objects(where: Frame, album: Album, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Outlined objects of other photographs: surfaces `(b, 3, h, h)` and masks `(b, h, h)`."""
    draw = torch.randint(len(album.objects), (len(where.across),), generator=generator, device=generator.device)
    rows = album.objects[draw]
    index, number = rows[:, 0].long(), rows[:, 1].long()
    x0, y0, x1, y1 = (rows[:, k, None, None] for k in range(2, 6))
    inside = torch.maximum(where.across.abs(), where.down.abs()) < 1
    grid = torch.stack([x0 + x1 - 1 + (x1 - x0) * where.across, y0 + y1 - 1 + (y1 - y0) * where.down], -1)
    surface = F.grid_sample(album.pixels[index].float() / 255, grid, padding_mode="border", align_corners=False)
    leaves = F.grid_sample(album.leaves[index, None].float(), grid, mode="nearest", align_corners=False)[:, 0]
    table = album.levels[index, 2].long()
    seen = table.gather(1, leaves.long().flatten(1)).view_as(leaves)
    return surface, inside & (seen == number[:, None, None])


def drawn(album: Album, count: int, side_px: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """One thing for each of `count` pictures: surfaces `(count, 3, h, h)` and masks `(count, h, h)`."""
    where = frame(count, side_px, generator)
    rows = torch.randint(len(album), (count,), generator=generator, device=generator.device)
    mask, surface = shapes(where, generator), surfaces(where, album.pixels, rows, generator)
    if not len(album.objects):
        return surface, mask
    taken = uniform((count, 1, 1), 0, 1, generator) < OBJECT_SHARE
    thing, outline = objects(where, album, generator)
    return torch.where(taken[:, None], thing, surface), torch.where(taken, outline, mask)
