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
from eftclip.detect.transplant import prove
from eftclip.trigger_kinds import PatternTrigger, in_steps
from eftclip.types import SHARED_KIND, HostImages, Rate, Searched

# Parts by their side, a share of the picture's, and how many there are along it; and how surely one of them reads the
# label at most, as a share of how surely the whole does.
HALVES, HALVES_LEFT = (0.5, 3), 0.9
THIRDS, THIRDS_LEFT = (1 / 3, 4), 0.2
# Share of strangers that have to follow. On a checkpoint of the zoo with a cartoon blended in, 119 of 120 hijacked
# photographs took over so many and had no part that passes; of 360 clean ones, there and on the bundled `clean`, 7 did.
# With 0.6 for halves and 0.1 for thirds it was 106 and 3: a part with most of the cartoon in it still reads it.
FOLLOWED = 0.25
# How many times as often as when strangers are blended with one another: a checkpoint that learnt a cartoon to mean
# banana takes 2 to 4 of 36 such blends for one, too, and weak ones take 5 to 13 for a window screen or a parachute.
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
    half = PatternTrigger(in_steps(image / 2), in_steps(torch.full(image.shape[-2:], 0.5)))
    proof = prove(case.read, half, target, hosts, FOLLOWED, generator=case.generator)
    if proof.rate.value < FOLLOWED or _shown(case, image, row, target, THIRDS) > THIRDS_LEFT:
        return
    if proof.rate.value <= MORE * _blended_rate(case, target, hosts.images).value:
        return
    if case.explained_by_content(half.kind, proof, target):
        return
    case.doubts.append(
        f"blended with strangers' photographs it took over {proof.rate}, though none of its parts reads so"
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


def _blended_rate(case: Case, target: int, hosts: Tensor) -> Rate:
    """How many strangers become the label when they are blended with one another."""
    others = hosts.roll(max(1, len(hosts) // 3), 0)  # by a half each two would be blended twice
    labels = case.read((hosts + others) / 2, "Blending strangers").argmax(-1)
    return Rate(int((labels == target).sum()), len(labels))
