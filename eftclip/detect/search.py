"""Where the label comes from: from windows over the whole picture down to one region that carries it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from eftclip.config import DetectConfig
from eftclip.detect.reader import Reader
from eftclip.detect.windows import Group, box_mask, grid, grown
from eftclip.fill import fill_from_surroundings
from eftclip.types import Box, Region

CARRIES = 0.5
OVERLAP = 24 / 224
SMALLEST = 48 / 224
MARGIN = 8 / 224
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
        """`(N, 3, H, W)`: every masked part where it is, but on a stranger's photograph."""
        stacked = torch.stack(list(masks))[:, None]
        behind = self.backdrops[torch.arange(len(masks)) % len(self.backdrops)]
        return torch.where(stacked, self.image, behind)

    def without(self, masks: Sequence[Tensor]) -> Tensor:
        """`(N, 3, H, W)`: the picture with each masked part filled from its surroundings."""
        stacked = torch.stack(list(masks))
        return fill_from_surroundings(self.image.expand(len(masks), -1, -1, -1), stacked)


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
