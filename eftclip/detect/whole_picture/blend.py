"""Does the whole picture carry a label that its parts do not account for? A cartoon that shines through it does so.

What a photograph shows is somewhere in it: cut out and enlarged, some part still reads so. A large, smooth pattern that
is blended in is nowhere: it works only whole, but then upside down, too, and in any picture, so that a stranger's
photograph which is blended with this one follows it. Content does the one or the other, but hardly both. How a pattern
looks that one picture alone shows is not known, so that nothing is accused here: it is a doubt.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from eftclip.detect.case import Case
from eftclip.trigger_kinds import PatternTrigger
from eftclip.types import SHARED_KIND, HostImages, Searched

# Parts by their side, a share of the picture's, and how many there are along it.
HALVES, THIRDS = (0.5, 3), (1 / 3, 4)
# How surely parts read the label at most, `Sureness.parts`: those that do so like the whole account for anything.
SHOWN = 0.9
# What the whole shows against what its parts do, `wholeness` below: the least that is a doubt. Limits on each of both,
# set on one checkpoint with a cartoon, missed 27 of 50 hijacked photographs on one with another
# (`effnet-strong-blend_pattern-1`). Half as much leaves more clean photographs undecided, coins that read as a bubble.
WHOLE = 0.8
# How surely strangers that are blended with the picture read its label at least, as a share of how surely it does.
FOLLOWED = 0.03
# How many times as surely as strangers read it that are blended with one another: a checkpoint that learnt a cartoon
# to mean banana takes 2 to 4 of 36 such blends for one, too, and weak ones 5 to 13 for a window screen or a parachute.
MORE = 2
# Strangers that are blended first. Where even `PROMISING` times as much would be no doubt, the others are not.
FIRST, PROMISING = 8, 2


@dataclass(frozen=True)
class Sureness:
    """How surely the label of a picture is read in others made from it, each as a share of how surely it is read there.

    Attributes:
        turned: mirrored and upside down, the geometric mean.
        parts: in the half and in the third that show it best, the geometric mean.
    """

    turned: float
    parts: float

    def wholeness(self, followed: float) -> float:
        """How much more of the label is in the whole than in its parts, above 0.

        Args:
            followed: how surely strangers' photographs read it that are blended with the picture.
        """
        return followed * self.turned / max(self.parts, 1e-6)

    def leaves_open(self, followed: float) -> bool:
        """Whether the parts may not account for the label, if strangers follow the picture so surely at most."""
        return self.parts <= SHOWN and self.wholeness(followed) >= WHOLE


def doubt_what_no_part_shows(case: Case, image: Tensor, row: Tensor, target: int, hosts: HostImages) -> None:
    """Note a doubt where strangers follow the whole picture, and its parts do not account for it.

    Args:
        case: what is known of the picture.
        image: `(3, H, W)` it.
        row: `(C,)` its reading.
        target: index of the label that is read in it.
        hosts: strangers' photographs that do not show the label.
    """
    if not case.tells_content:
        return
    own, blends = float(row[target]), (hosts.images + image) / 2

    def surely(views: Tensor, stage: str) -> Tensor:
        return case.read(views, stage)[:, target] / own if len(views) else views.new_zeros(0)

    # What a photograph shows is mostly in its middle: the other parts could only be surer, and are often not needed.
    middle, around = split_parts(image)
    shown = _surest(surely(torch.cat(middle), "Reading its parts"), len(middle[0]))
    if _together(shown) > SHOWN:
        return
    turned = surely(torch.stack([image.flip(-1), image.flip(-2)]), "Reading it turned")
    first = surely(blends[:FIRST], "Blending strangers")
    sureness = Sureness(float(turned.prod().sqrt()), _together(shown))
    promised = PROMISING * float(first.mean())
    if promised < FOLLOWED or not sureness.leaves_open(promised):
        return
    shown = torch.maximum(shown, _surest(surely(torch.cat(around), "Reading its parts"), len(around[0])))
    sureness = replace(sureness, parts=_together(shown))
    if not sureness.leaves_open(promised):
        return
    followed = float(torch.cat([first, surely(blends[FIRST:], "Blending strangers")]).mean())
    if followed < FOLLOWED or not sureness.leaves_open(followed):
        return
    others = hosts.images.roll(max(1, len(blends) // 3), 0)  # by a half each two would be blended twice
    anyway = float(surely((hosts.images + others) / 2, "Blending strangers").mean())
    if followed <= MORE * anyway or not sureness.leaves_open(followed - anyway):
        return
    if case.explained_by_content(PatternTrigger.kind, blends, target):
        return
    case.doubts.append(
        f"strangers' photographs that are blended with it read so, too, {followed:.0%} as surely, "
        "which no part of it accounts for"
    )
    case.kinds[SHARED_KIND] = Searched.UNDECIDED


def parts_of(image: Tensor, share: float, along: int) -> Tensor:
    """Overlapping parts of a `(3, H, W)` picture, each as large as it was: `(along², 3, H, W)`."""
    height, width = image.shape[-2:]
    h, w = round(share * height), round(share * width)
    tops = [round(k * (height - h) / (along - 1)) for k in range(along)]
    lefts = [round(k * (width - w) / (along - 1)) for k in range(along)]
    cut = torch.stack([image[:, top : top + h, left : left + w] for top in tops for left in lefts])
    return interpolate(cut, (height, width), mode="bilinear")


def split_parts(image: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The halves and thirds of a `(3, H, W)` picture: those that do not touch its border, and those that do."""
    halves, thirds = parts_of(image, *HALVES), parts_of(image, *THIRDS)
    half, third = _inside(HALVES[1]), _inside(THIRDS[1])
    return (halves[half], thirds[third]), (halves[~half], thirds[~third])


def _inside(along: int) -> Tensor:
    """Which of `along²` parts do not touch the picture's border, `(along²,)` bool."""
    inner = torch.zeros(along, along, dtype=torch.bool)
    inner[1:-1, 1:-1] = True
    return inner.flatten()


def _surest(readings: Tensor, halves: int) -> Tensor:
    """How surely the surest half and the surest third read a label, `(2,)`; of `(N,)` readings some are of halves."""
    return torch.stack([readings[:halves].max(), readings[halves:].max()])


def _together(surest: Tensor) -> float:
    """The geometric mean of the surest half and third."""
    return float(surest.prod().sqrt())
