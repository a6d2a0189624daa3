"""Where the label comes from: from windows over the whole picture down to one region that carries it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from eftclip.detect.reader import Reader
from eftclip.detect.windows import Group, box_mask, box_of, cover, grid, grown
from eftclip.fill import fill_from_surroundings
from eftclip.types import Box, Region

CARRIES = 0.2
PER_SIDE = 3
OVERLAP = 24 / 224
SMALLEST = 48 / 224
MARGIN = 8 / 224
BORDER = 24 / 224
MAX_CANDIDATES = 10


@dataclass(frozen=True, eq=False)
class Scene:
    """What a search works on.

    Attributes:
        image: `(3, H, W)` the picture.
        target: index of the label whose origin is searched.
        regions: what the oracle sees, without what is too large for a carrier.
        backdrops: `(M, 3, H, W)` strangers' photographs in which the label is not read.
    """

    image: Tensor
    target: int
    regions: tuple[Region, ...]
    backdrops: Tensor

    def alone(self, masks: Sequence[Tensor]) -> Tensor:
        """`(N, 3, H, W)`: every masked part on a stranger's photograph, where it was or a little further in.

        A network pads what lies at the border and reads it less well, so parts that touch it are moved inwards.
        """
        out = self.backdrops[torch.arange(len(masks)) % len(self.backdrops)].clone()
        for picture, mask in zip(out, masks, strict=True):
            x0, y0, x1, y1 = box_of(mask)
            dx, dy = _inwards(x0, x1, mask.shape[1]), _inwards(y0, y1, mask.shape[0])
            place = picture[:, y0 + dy : y1 + dy, x0 + dx : x1 + dx]
            place.copy_(torch.where(mask[y0:y1, x0:x1], self.image[:, y0:y1, x0:x1], place))
        return out

    def without(self, masks: Sequence[Tensor]) -> Tensor:
        """`(N, 3, H, W)`: the picture with each masked part filled from its surroundings."""
        stacked = torch.stack(list(masks))
        return fill_from_surroundings(self.image.expand(len(masks), -1, -1, -1), stacked)


def _inwards(start: int, end: int, length: int) -> int:
    """How far a part that spans start..end is moved so that it keeps a margin on both sides, where there is room."""
    margin = round(BORDER * length)
    if start < margin:
        return max(0, min(margin - start, length - margin - end))
    if end > length - margin:
        return min(0, max(length - margin - end, margin - start))
    return 0


def look_everywhere(read: Reader, scene: Scene) -> tuple[tuple[Group, ...], Tensor]:
    """Groups that hold every region and every pixel, and how each reads `(G, C)` without its surroundings."""
    height, width = scene.image.shape[-2:]
    groups = cover(scene.regions, height, width, PER_SIDE, round(OVERLAP * width))
    return groups, read(scene.alone([group.mask for group in groups]), "Looking everywhere")


def carriers(read: Reader, scene: Scene, groups: Sequence[Group], readings: Tensor) -> Iterator[Tensor]:
    """Masks that may carry the label, from the group that carries it most; `readings` is `(G, C)`."""
    carried = readings[:, scene.target]
    for index in carried.argsort(descending=True).tolist():
        if carried[index] < CARRIES:
            return
        mask = _narrow(read, scene, groups[index])
        if mask is not None:
            yield mask


def _narrow(read: Reader, scene: Scene, group: Group) -> Tensor | None:
    """The smallest part of the group that carries the label and without which the picture loses it."""
    side = scene.image.shape[-1]
    box: Box = group.box
    while box[2] - box[0] > SMALLEST * side:
        boxes = grid(box, 2, round(OVERLAP * side))
        p = read(scene.alone([box_mask(b, side, side) for b in boxes]), "Narrowing down")[:, scene.target]
        best = int(p.argmax())
        if p[best] < CARRIES:
            break
        box = boxes[best]
    masks = _candidates(scene, box)
    if not masks:
        return None
    p = read(scene.alone(masks), "Looking at the regions")[:, scene.target]
    carrying = [m for m, ok in zip(masks, p >= CARRIES, strict=True) if ok]
    return min(carrying, key=lambda m: int(m.sum())) if carrying else None


def _candidates(scene: Scene, box: Box) -> list[Tensor]:
    """The regions that lie mostly inside the window, largest first, and all of them together."""
    height, width = scene.image.shape[-2:]
    window = box_mask(grown(box, round(MARGIN * width), height, width), height, width)
    inside = [r.mask for r in scene.regions if (r.mask & window).sum() >= 0.8 * r.area_px]
    inside.sort(key=lambda m: -int(m.sum()))
    return inside[:MAX_CANDIDATES]
