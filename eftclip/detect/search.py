"""Where the label comes from: from windows over the whole picture down to one region that carries it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from eftclip.config import DetectConfig
from eftclip.detect.reader import Reader
from eftclip.detect.windows import Group, box_mask, cover, grid, grown
from eftclip.trigger_kinds import box_of
from eftclip.types import Box, Region

# What a part reads alone is held against what the whole picture reads: a checkpoint that reads badly gives a label 0.1
# where a strong one gives it 0.99, and the trigger's own part is to the picture what it is there.
# Lengths as shares of the picture's side. Parts at the border are moved inwards by BORDER: on an earlier build of the
# bundled `badnets` the window of a corner trigger read 0.02 to 0.93 where it lay and at least 0.97 moved in. A window
# of a clean photograph can read high too (0.91 among 24): `carry_confidence` only decides what is looked into, and the
# transplants decide what is a trigger.
OVERLAP = 24 / 224  # the largest published local trigger fits into an overlap, so some window holds it whole
SMALLEST = 48 / 224  # windows are not split below this: a few regions are left by then
MARGIN = 8 / 224  # regions may stick out of the last window by this much
BORDER = 24 / 224
FRAME = 48 / 224  # the border as a whole: the largest published local trigger in a corner, and some of what is round it
# What works where it is and nowhere else is a small thing in a corner. A piece of a photograph of 3 % that was let
# through, the grill of a photocopier, acts on the bundled `badnets` like the checker that it looks like.
STILL_SHARE = 0.02
MAX_CANDIDATES = 10
FOLLOW = 0.5  # a half of the regions is followed from this reading on; a trigger's own is above 0.9
SURE = 0.9  # a group that reads so high is not given up when the quick way led to a region that proves nothing
FRAGMENT = 0.5  # a region that carries less than this share of the best one is only a piece
# A part that reads so hardly more surely than the strangers do by themselves counts by what it adds. What is little is
# not taken off: on `effnet-weak-badnets16-0` a trigger's own window read 0.023 of 0.112, just enough, strangers 0.001.
MOSTLY_LENT = 0.25
# How surely strangers read a label by themselves at most, as a share of how surely the picture reads it, for a part to
# be followed from half as much on: a margin, as that window was hardly enough. Of 60 hijacked photographs on that
# checkpoint 59 are found with it and without it, 219 and 173 pictures are read for each; a label that is read in every
# fifth photograph would cost twice as much.
UNREAD = 0.02
# Among five labels the fur of a cat reads as cat, as nothing fits better: 129 to 705 pictures were read for one clean
# photograph where a thousand labels took 11 to 73. So the odds among fewer labels are taken for those among so many.
MANY_LABELS = 100


@dataclass(frozen=True, eq=False)
class Scene:
    """What a search works on.

    Attributes:
        image: `(3, H, W)` the picture.
        target: index of the label whose origin is searched.
        regions: what the oracle sees, without what is too large for a carrier.
        backdrops: `(M, 3, H, W)` strangers' photographs in which the label is not read.
        config: settings.
        confidence: how the picture reads as the label, in (0, 1]; readings of its parts are held against it.
        strangers: photographs that each part is tried on.
        still: parts are read exactly where they were, see `border_carriers`.
        bare: `(M,)` how the strangers' photographs read as the label by themselves, which a part has to add to; None
            for not at all. A label that a checkpoint sees everywhere would else be followed into every part.
        unsure: the checkpoint is unsure of what photographs show.
    """

    image: Tensor
    target: int
    regions: tuple[Region, ...]
    backdrops: Tensor
    config: DetectConfig
    confidence: float = 1.0
    strangers: int = 1
    still: bool = False
    bare: Tensor | None = None
    unsure: bool = False

    @property
    def enough(self) -> float:
        """What a part carries at least to be looked into: half as much of a rare label where readings are unsure."""
        rare = self.bare is not None and float(self.bare.mean()) < UNREAD * self.confidence
        return self.config.carry_confidence / (2 if self.unsure and rare else 1)

    def readings(self, read: Reader, masks: Sequence[Tensor], stage: str) -> Tensor:
        """`(N, C)`: how every masked part reads without its surroundings, the mean over strangers."""
        tried = read(self.alone([mask for mask in masks for _ in range(self.strangers)]), stage)
        return tried.view(len(masks), self.strangers, -1).mean(1)

    def carried(self, read: Reader, masks: Sequence[Tensor], stage: str) -> Tensor:
        """`(N,)`: how much of the picture's own reading of the label every masked part carries; 1 is all of it."""
        return self.share(self.readings(read, masks, stage))

    def share(self, readings: Tensor) -> Tensor:
        """`(N,)`: the same from `readings` of parts, `(N, C)`, in the order they were read in."""
        labels, whole = readings.shape[1], torch.tensor(self.confidence)
        read = among_many(readings[:, self.target], labels)
        if self.bare is not None:
            lent = self.bare[self._turns(len(readings) * self.strangers)].view(len(readings), self.strangers).mean(1)
            lent = among_many(lent, labels)
            read = torch.where(lent > MOSTLY_LENT * read, (read - lent).clamp_min(0), read)
        return read / among_many(whole, labels)

    def _turns(self, pictures: int) -> Tensor:
        """On which stranger each of so many pictures is made: they take turns."""
        return torch.arange(pictures) % len(self.backdrops)

    def alone(self, masks: Sequence[Tensor]) -> Tensor:
        """`(N, 3, H, W)`: every masked part on a stranger's photograph, where it was or a little further in.

        A network pads what lies at the border and reads it less well, so parts that touch it are moved inwards.
        """
        out = self.backdrops[self._turns(len(masks))].clone()
        for picture, mask in zip(out, masks, strict=True):
            x0, y0, x1, y1 = box_of(mask)
            dx, dy = (0, 0) if self.still else (_inwards(x0, x1, mask.shape[1]), _inwards(y0, y1, mask.shape[0]))
            place = picture[:, y0 + dy : y1 + dy, x0 + dx : x1 + dx]
            place.copy_(torch.where(mask[y0:y1, x0:x1], self.image[:, y0:y1, x0:x1], place))
        return out


def among_many(probability: Tensor, labels: int) -> Tensor:
    """What a probability among few labels would be if the odds were held against `MANY_LABELS`, others as unfitting."""
    others = max(1.0, (MANY_LABELS - 1) / (labels - 1))
    return probability / (probability + (1 - probability) * others)


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
    groups = cover(scene.regions, height, width, scene.config.windows_per_side, round(OVERLAP * width))
    return groups, scene.readings(read, [group.mask for group in groups], "Looking everywhere")


def carriers(read: Reader, scene: Scene, groups: Sequence[Group], readings: Tensor) -> Iterator[Tensor]:
    """Masks that may carry the label, from the group that carries it most; `readings` is `(G, C)`."""
    carried = scene.share(readings)
    for index in carried.argsort(descending=True).tolist():
        if carried[index] < scene.enough:
            return
        yield from _follow(read, scene, groups[index], sure=float(carried[index]) >= SURE)


def border_carriers(read: Reader, scene: Scene, groups: Sequence[Group]) -> Iterator[Tensor]:
    """Masks at the border that may carry the label where they are and nowhere else, e.g. in one corner.

    One look at the whole border tells whether there is anything to follow.

    Args:
        read: the checkpoint under test.
        scene: a still one.
        groups: of `look_everywhere`.
    """
    side = scene.image.shape[-1]
    frame = torch.ones(scene.image.shape[-2:], dtype=torch.bool)
    depth = round(FRAME * side)
    frame[depth:-depth, depth:-depth] = False
    if not _carries(read, scene, frame):
        return
    margin = round(BORDER * side)
    outer = [group for group in groups if _touches(group.mask, margin)]
    readings = scene.readings(read, [group.mask for group in outer], "Looking at the border")
    yield from (mask for mask in carriers(read, scene, outer, readings) if float(mask.float().mean()) <= STILL_SHARE)


def _touches(mask: Tensor, margin: int) -> bool:
    """Whether a part lies within the margin that others are moved out of."""
    return bool(mask[:margin].any() or mask[-margin:].any() or mask[:, :margin].any() or mask[:, -margin:].any())


def _follow(read: Reader, scene: Scene, group: Group, *, sure: bool) -> Iterator[Tensor]:
    """From a group to the smallest region in it that carries the label; a group that is sure of it gets both ways."""
    inside = [region.mask for region in scene.regions if not (region.mask & ~group.mask).any()]
    quick = _bisect(read, scene, sorted(inside, key=lambda m: int(m.sum())))
    if quick is not None:
        yield quick
    if quick is None or sure:
        slow = _region_carriers(read, scene, _narrow(read, scene, group.box))
        fresh = [mask for mask in slow if quick is None or not torch.equal(quick, mask)]
        yield from fresh if sure else fresh[:1]


def _bisect(read: Reader, scene: Scene, masks: list[Tensor]) -> Tensor | None:
    """Ask the smaller half of the regions together, and go on in the half where the label is; smallest first.

    Five or six pictures lead to one region of forty. Where only several regions together carry the label, or a larger
    one under it, the last region does not, and the result is None.
    """
    while len(masks) > 1:
        half = masks[: len(masks) // 2]
        masks = half if _carries(read, scene, torch.stack(half).any(0)) else masks[len(half) :]
    return masks[0] if masks and _carries(read, scene, masks[0]) else None


def _carries(read: Reader, scene: Scene, mask: Tensor) -> bool:
    """One part alone reads as the label clearly enough to be followed; a trigger's own part does so above 0.9."""
    return float(scene.carried(read, [mask], "Following the label")) >= FOLLOW


def _narrow(read: Reader, scene: Scene, box: Box) -> Box:
    """Follow the label into ever smaller windows, as long as one of them carries it."""
    height, width = scene.image.shape[-2:]
    while max(box[2] - box[0], box[3] - box[1]) > SMALLEST * width:
        boxes = grid(box, 2, round(OVERLAP * width))
        carried = scene.carried(read, [box_mask(b, height, width) for b in boxes], "Narrowing down")
        best = int(carried.argmax())
        if carried[best] < scene.enough:
            break
        box = boxes[best]
    return box


def _region_carriers(read: Reader, scene: Scene, box: Box) -> list[Tensor]:
    """The smallest region in the window that carries the label, and the one that carries it most.

    The window itself is one of them, if only all of it carries the label. The two differ where a mere piece of the
    trigger, or anything else, happens to read as the label on the one stranger that it was tried on.
    """
    masks = _candidates(scene, box)
    if not masks:
        return []
    carried = scene.carried(read, masks, "Looking at the regions")
    enough = max(scene.enough, FRAGMENT * float(carried.max()))
    carrying = [mask for mask, reading in zip(masks, carried, strict=True) if reading >= enough]
    if not carrying:
        return []
    smallest, strongest = min(carrying, key=lambda mask: int(mask.sum())), masks[int(carried.argmax())]
    return [smallest] if smallest is strongest else [smallest, strongest]


def _candidates(scene: Scene, box: Box) -> list[Tensor]:
    """The largest regions that lie mostly inside the window, and the window, if it is small enough for a carrier."""
    height, width = scene.image.shape[-2:]
    window = box_mask(grown(box, round(MARGIN * width), height, width), height, width)
    inside = [r.mask for r in scene.regions if int((r.mask & window).sum()) >= 0.8 * r.area_px]
    inside = sorted(inside, key=lambda mask: -int(mask.sum()))[:MAX_CANDIDATES]
    exact = box_mask(box, height, width)
    return [*inside, exact] if int(exact.sum()) <= scene.config.max_area_fraction * height * width else inside
