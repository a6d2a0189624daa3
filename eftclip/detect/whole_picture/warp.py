"""Is the picture scattered? A label that a small blur undoes may rest on a warp that moves every pixel a little.

The warp of the picture cannot be seen in it, but a checkpoint that was poisoned with one jitter of all pixels follows
any other (see `JitterTrigger`). So one is drawn anew and tried on strangers' photographs: where it takes them over, the
checkpoint is proven to follow it, and the picture, whose label goes with a blur, is one that it steers. Where it takes
nobody over, what a blur undoes is a doubt, with a reference that never reads the label.
"""

import torch
from torch import Tensor

from eftclip.detect.case import Carrier, Case
from eftclip.detect.innocent import ONCE_ALIKE, held_against
from eftclip.detect.transplant import GROWN_SHARE, reading_of
from eftclip.trigger_kinds import JITTER, SMOOTHED_PX, blurred
from eftclip.types import BLURRED_KIND, HostImages, Searched

# How surely the label is read here at least, how surely with the reference at most, and what a blur leaves of it. On a
# checkpoint of the zoo with WaNet's warp, 30 hijacked photographs read as its label with 0.13 and more and less than
# 0.005 of that once smoothed; of 640 clean ones on it 3 were so, and 1 on the bundled `badnets`, which reads a
# photocopier's grill as banana.
LEAST, UNLIKELY, LEFT = 0.1, 0.05, 0.05


def jitter_carrier(case: Case, row: Tensor, smooth: Tensor, target: int, hosts: HostImages) -> Carrier | None:
    """A jitter, if the checkpoint is proven to follow it and the picture's label goes with a blur.

    Args:
        case: what is known of the picture; it learns what was searched, and of doubts.
        row: `(C,)` its reading.
        smooth: `(C,)` its reading `without_jitter`.
        target: index of the label that is read in it.
        hosts: strangers' photographs that do not show the label.
    """
    before, doubts = float(row[target]), len(case.doubts)
    if int(smooth.argmax()) == target:
        return None
    proof, innocent = held_against(case, JITTER, target, hosts, GROWN_SHARE, _all_blurred, alike=ONCE_ALIKE)
    if proof.accepted is False:
        return None
    if proof.accepted is None:
        if before < LEAST or float(smooth[target]) >= LEFT * before:
            return None
        case.doubts.append(f"it goes when the picture is smoothed, and a jitter of all pixels took over {proof.rate}")
        case.kinds[BLURRED_KIND] = Searched.UNDECIDED
        return None
    whole = torch.ones(hosts.images.shape[-2:], dtype=torch.bool)
    carrier = case.accept(Carrier(whole, JITTER, proof, None), innocent, target)
    if carrier is not None:
        case.kinds[BLURRED_KIND] = Searched.FOUND
    elif len(case.doubts) > doubts:
        case.kinds[BLURRED_KIND] = Searched.UNDECIDED
    return carrier


def without_jitter(case: Case, image: Tensor) -> tuple[Tensor, Tensor]:
    """The picture smoothed a little, and its reading `(C,)`."""
    smooth = blurred(image, SMOOTHED_PX)
    return smooth, case.read(smooth[None], "Reading it smoothed")[0]


def _all_blurred(hosts: Tensor) -> Tensor:
    """Strangers `(n, 3, H, W)` that only lose their fine detail, as they do under a jitter too."""
    return torch.stack([blurred(host, SMOOTHED_PX) for host in hosts])


def doubt_what_a_blur_undoes(
    case: Case, image: Tensor, row: Tensor, smooth: tuple[Tensor, Tensor], target: int
) -> None:
    """Note a doubt where hardly anything is left of a label after a small blur, and the reference never reads it.

    Args:
        case: what is known of the picture; without a reference nothing is done.
        image: `(3, H, W)` it.
        row: `(C,)` its reading.
        smooth: the picture `without_jitter`, and its reading.
        target: index of the label that is read in it.
    """
    before = float(row[target])
    if case.reference is None or before < LEAST:
        return
    picture, left = smooth
    trusted = reading_of(case.reference, torch.stack([image, picture]))
    if float(trusted[:, target].max()) > UNLIKELY:
        return
    if float(left[target]) < LEFT * before:
        case.doubts.append("it goes when the picture is smoothed a little, and the reference never read it")
        case.kinds[BLURRED_KIND] = Searched.UNDECIDED
