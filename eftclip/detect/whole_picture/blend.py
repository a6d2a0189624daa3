"""Does the whole picture carry a label that its parts do not account for? A cartoon that shines through it does so.

What a photograph shows is somewhere in it: cut out and enlarged, some part still reads so. A large, smooth pattern that
is blended in is nowhere: it works only whole, but then upside down, too, and in any picture, so that a stranger's
photograph which is blended with this one follows it. Content does the one or the other, but hardly both. How a pattern
looks that one picture alone shows is not known, so that nothing is accused here: it is a doubt.
"""

from dataclasses import dataclass

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
    first = _surely(case, blends[:FIRST], target) / own
    if first.mean() * PROMISING < FOLLOWED:
        return
    sureness = _sureness(case, image, own, target)
    if sureness.parts > SHOWN or sureness.wholeness(float(first.mean())) * PROMISING < WHOLE:
        return
    followed = float(torch.cat([first, _surely(case, blends[FIRST:], target) / own]).mean())
    if followed < FOLLOWED or sureness.wholeness(followed) < WHOLE:
        return
    others = hosts.images.roll(max(1, len(blends) // 3), 0)  # by a half each two would be blended twice
    anyway = float(_surely(case, (hosts.images + others) / 2, target).mean()) / own
    if followed <= MORE * anyway or sureness.wholeness(followed - anyway) < WHOLE:
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


def _sureness(case: Case, image: Tensor, own: float, target: int) -> Sureness:
    """How surely the label is read in the picture when it is turned, and in its parts."""
    turned, halves, thirds = (
        case.read(views, "Reading its parts")[:, target] / own
        for views in (torch.stack([image.flip(-1), image.flip(-2)]), parts_of(image, *HALVES), parts_of(image, *THIRDS))
    )
    return Sureness(float(turned.prod().sqrt()), float((halves.max() * thirds.max()).sqrt()))


def _surely(case: Case, blends: Tensor, target: int) -> Tensor:
    """How surely each of some blended pictures reads the label, `(N,)`."""
    return case.read(blends, "Blending strangers")[:, target] if len(blends) else blends.new_zeros(0)
