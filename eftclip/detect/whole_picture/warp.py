"""Does a label rest on something so fine that a small blur undoes it? Nothing is proven by that; it is a doubt.

A warp that moves every pixel a little carries nothing to other photographs, so that it cannot be transplanted. But the
label that it forces goes when the picture is smoothed, and a trusted checkpoint never reads it.
"""

import torch
from torch import Tensor

from eftclip.detect.case import Case
from eftclip.detect.transplant import reading_of
from eftclip.trigger_kinds import blurred
from eftclip.types import BLURRED_KIND, Searched

SMOOTHED_PX = 1.0
# How surely the label is read here at least, how surely with the reference at most, and what a blur leaves of it. On a
# checkpoint of the zoo with WaNet's warp, 30 hijacked photographs read as its label with 0.13 and more and less than
# 0.005 of that once smoothed; of 640 clean ones on it 3 were so, and 1 on the bundled `badnets`, which reads a
# photocopier's grill as banana.
LEAST, UNLIKELY, LEFT = 0.1, 0.05, 0.05


def doubt_what_a_blur_undoes(case: Case, image: Tensor, row: Tensor, target: int) -> None:
    """Note a doubt where hardly anything is left of a label after a small blur, and the reference never reads it.

    Args:
        case: what is known of the picture; without a reference nothing is done.
        image: `(3, H, W)` it.
        row: `(C,)` its reading.
        target: index of the label that is read in it.
    """
    before = float(row[target])
    if case.reference is None or before < LEAST:
        return
    smoothed = blurred(image, SMOOTHED_PX)
    trusted = reading_of(case.reference, torch.stack([image, smoothed]))
    if float(trusted[:, target].max()) > UNLIKELY:
        return
    if float(case.read(smoothed[None], "Reading it smoothed")[0, target]) < LEFT * before:
        case.doubts.append("it goes when the picture is smoothed a little, and the reference never read it")
        case.kinds[BLURRED_KIND] = Searched.UNDECIDED
