"""A part of a picture that is suspected, tried on strangers: at random places, and at its own place."""

from torch import Tensor

from eftclip.detect.case import Carrier, Case
from eftclip.detect.innocent import held_against, innocent_parts
from eftclip.detect.transplant import Proof
from eftclip.trigger_kinds import Trigger, cut
from eftclip.types import HostImages, Rate

MIN_HOSTS = 8


def proven_part(case: Case, image: Tensor, mask: Tensor, target: int, usable: HostImages) -> Carrier | None:
    """Transplant at random places, then at the part's own place for triggers that work only there.

    Args:
        case: learns of doubts and explanations.
        image: `(3, H, W)` the picture.
        mask: `(H, W)` bool, the part.
        target: index of the label that it may force.
        usable: strangers' photographs that do not show the label.
    """
    for in_place in (False, True):
        trigger, proof, innocent = tried_part(case, image, mask, target, usable, in_place=in_place)
        if proof.accepted:
            return case.accept(Carrier(mask, trigger, proof, None), innocent, target)
        if proof.accepted is None:
            threshold = case.config.transplant_threshold
            case.doubts.append(f"a part took over {proof.rate} strangers' photographs, too close to {threshold:.0%}")
    return None


def tried_part(
    case: Case, image: Tensor, mask: Tensor, target: int, usable: HostImages, *, in_place: bool
) -> tuple[Trigger, Proof, Rate]:
    """A part as a trigger, its proof, and what an innocent part of the same picture and size does."""
    trigger = cut(image, mask, in_place=in_place)
    innocent = innocent_parts(image, mask, in_place=in_place, generator=case.generator)
    threshold = case.config.transplant_threshold
    return trigger, *held_against(case, trigger, target, usable, threshold, innocent)
