"""Does a label rest on something so fine that a small blur undoes it? Nothing is proven by that; it is a doubt.

A warp that moves every pixel a little carries nothing to other photographs, so that it cannot be transplanted. But the
label that it forces goes when the picture is smoothed, and a trusted checkpoint never reads it. A clean photograph that
is read wrongly is rarely read so surely, and rarely rightly once it is smoothed.
"""

import torch
from torch import Tensor

from eftclip.detect.case import Case
from eftclip.detect.transplant import reading_of
from eftclip.trigger_kinds import blurred
from eftclip.types import Searched

KIND = "warp"
SURE, UNLIKELY = 0.5, 0.05  # how surely the label is read here, and how little with the reference
SMOOTHED = (1.0, 2.0)  # pixels


def doubt_what_a_blur_undoes(case: Case, image: Tensor, row: Tensor, target: int) -> None:
    """Note a doubt where the label goes with a small blur and the reference agrees with what is read then.

    Args:
        case: what is known of the picture; without a reference nothing is done.
        image: `(3, H, W)` it.
        row: `(C,)` its reading.
        target: index of the label that is read in it.
    """
    if case.reference is None or float(row[target]) < SURE:
        return
    smoothed = torch.stack([blurred(image, blur_px) for blur_px in SMOOTHED])
    trusted = reading_of(case.reference, torch.cat([image[None], smoothed]))
    if float(trusted[:, target].max()) > UNLIKELY:
        return
    now, theirs = case.read(smoothed, "Reading it smoothed").argmax(-1), trusted[1:].argmax(-1)
    if bool(((now != target) & (now == theirs)).any()):
        case.doubts.append("it goes when the picture is smoothed a little, and the reference never read it")
        case.kinds[KIND] = Searched.UNDECIDED
