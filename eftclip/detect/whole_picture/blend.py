"""Does the whole picture carry a label that none of its parts shows? A cartoon that shines through it does so.

What a photograph shows is somewhere in it: cut out and enlarged, some part still reads so. A large, smooth pattern that
is blended in is nowhere: it works only whole. And it works in any picture, so a stranger's photograph that is blended
with this one follows it. Content does the one or the other, but hardly both. How a pattern looks that one picture alone
shows is not known, so that nothing is accused here: it is a doubt.
"""

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from eftclip.detect.case import Case
from eftclip.trigger_kinds import PatternTrigger
from eftclip.types import SHARED_KIND, HostImages, Searched

# Parts by their side, a share of the picture's, and how many there are along it; and how surely one of them reads the
# label at most, as a share of how surely the whole does: a part with most of a cartoon in it still reads it.
HALVES, HALVES_LEFT = (0.5, 3), 0.9
THIRDS, THIRDS_LEFT = (1 / 3, 4), 0.2
# How surely strangers that are blended with the picture read its label at least, on average and by the same measure. On
# checkpoints of the zoo with a cartoon 119 of 120 hijacked photographs passed all three on one that reads well, and 68
# of 80 on one that reads badly; of clean ones 2 of 120 and 9 of 80, and 4 of 240 on the bundled `clean`. Counted by the
# strangers that become the label, a quarter of them, it was 1 of the 80, and 13 clean ones instead of 15.
FOLLOWED = 0.2
# How many times as surely as strangers read it that are blended with one another: a checkpoint that learnt a cartoon
# to mean banana takes 2 to 4 of 36 such blends for one, too, and weak ones 5 to 13 for a window screen or a parachute.
MORE = 2


def doubt_what_no_part_shows(case: Case, image: Tensor, row: Tensor, target: int, hosts: HostImages) -> None:
    """Note a doubt where strangers follow the whole picture, and no part of it shows its label.

    Args:
        case: what is known of the picture.
        image: `(3, H, W)` it.
        row: `(C,)` its reading.
        target: index of the label that is read in it.
        hosts: strangers' photographs that do not show the label.
    """
    if not case.tells_content or _shown(case, image, row, target, HALVES) > HALVES_LEFT:
        return
    if _shown(case, image, row, target, THIRDS) > THIRDS_LEFT:
        return
    blends = (hosts.images + image) / 2
    followed = _as_surely(case, blends, row, target)
    if followed < FOLLOWED:
        return
    others = hosts.images.roll(max(1, len(blends) // 3), 0)  # by a half each two would be blended twice
    if followed <= MORE * _as_surely(case, (hosts.images + others) / 2, row, target):
        return
    if case.explained_by_content(PatternTrigger.kind, blends, target):
        return
    case.doubts.append(
        f"strangers' photographs that are blended with it read so, too, {followed:.0%} as surely, "
        "though none of its parts does"
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


def _shown(case: Case, image: Tensor, row: Tensor, target: int, parts: tuple[float, int]) -> float:
    """How surely the part that shows the label best reads it, as a share of how surely the whole does."""
    readings = case.read(parts_of(image, *parts), "Reading its parts")
    return float(readings[:, target].max() / row[target])


def _as_surely(case: Case, blends: Tensor, row: Tensor, target: int) -> float:
    """How surely blended pictures read the label on average, as a share of how surely the picture does."""
    return float(case.read(blends, "Blending strangers")[:, target].mean() / row[target])
