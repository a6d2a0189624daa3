"""Windows over a picture: a cover that holds every region, and the smaller windows inside a window."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from eftclip.types import Box, Region


@dataclass(frozen=True, eq=False)
class Group:
    """A part of the picture that is examined at once: a window and every region that belongs to it.

    Attributes:
        mask: `(H, W)` bool.
        box: the window, XYXY pixels.
        members: indices of the regions that lie wholly inside the mask.
    """

    mask: Tensor
    box: Box
    members: tuple[int, ...]


def cover(regions: Sequence[Region], height: int, width: int, per_side: int, overlap_px: int) -> tuple[Group, ...]:
    """Groups that together hold every pixel, and every region wholly.

    A region belongs to the window whose middle is nearest to the middle of the region's box; the window's mask is
    extended to it, so that no region is examined in pieces only.
    """
    boxes = grid((0, 0, width, height), per_side, overlap_px)
    middles = torch.tensor([_middle(box) for box in boxes])
    members: list[list[int]] = [[] for _ in boxes]
    for index, region in enumerate(regions):
        distance = (middles - torch.tensor(_middle(region.box))).square().sum(1)
        members[int(distance.argmin())].append(index)
    groups = []
    for box, indices in zip(boxes, members, strict=True):
        mask = box_mask(box, height, width)
        for index in indices:
            mask |= regions[index].mask
        groups.append(Group(mask, box, tuple(indices)))
    return tuple(groups)


def grid(box: Box, per_side: int, overlap_px: int) -> tuple[Box, ...]:
    """`per_side` × `per_side` equal windows that cover `box`; neighbours share about `overlap_px` pixels."""
    x0, y0, x1, y1 = box
    columns, rows = _spans(x0, x1, per_side, overlap_px), _spans(y0, y1, per_side, overlap_px)
    return tuple((left, upper, right, lower) for upper, lower in rows for left, right in columns)


def box_mask(box: Box, height: int, width: int) -> Tensor:
    """`(height, width)` bool, true inside the box."""
    mask = torch.zeros(height, width, dtype=torch.bool)
    x0, y0, x1, y1 = box
    mask[y0:y1, x0:x1] = True
    return mask


def grown(box: Box, by_px: int, height: int, width: int) -> Box:
    """The box with a margin, inside the picture."""
    x0, y0, x1, y1 = box
    return max(0, x0 - by_px), max(0, y0 - by_px), min(width, x1 + by_px), min(height, y1 + by_px)


def _spans(start: int, end: int, count: int, overlap_px: int) -> list[tuple[int, int]]:
    """`count` equal intervals from start to end."""
    length = min(end - start, -(-(end - start + (count - 1) * overlap_px) // count))  # rounded up: nothing left out
    step = (end - start - length) / max(1, count - 1)
    return [(start + round(k * step), start + round(k * step) + length) for k in range(count)]


def _middle(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
