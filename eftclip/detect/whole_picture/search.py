"""What covers the picture, kind by kind, where the reference does not read the picture so too."""

from torch import Tensor

from eftclip.detect.case import Carrier, Case
from eftclip.detect.whole_picture.blend import doubt_what_no_part_shows
from eftclip.detect.whole_picture.colour import colour_carrier, without_colours
from eftclip.detect.whole_picture.pattern import pattern_carrier, smoothed
from eftclip.detect.whole_picture.warp import doubt_what_a_blur_undoes, jitter_carrier, without_jitter
from eftclip.trigger_kinds import PatchTrigger
from eftclip.types import SEARCHED_KINDS, HostImages, Searched


def whole_picture_carrier(
    case: Case, image: Tensor, row: Tensor, usable: HostImages
) -> tuple[list[Carrier], Tensor, Tensor]:
    """A trigger that covers the picture, if there is one; the case learns what was searched, and of doubts.

    Args:
        case: what is known of the picture.
        image: `(3, H, W)` it.
        row: `(C,)` its reading.
        usable: strangers' photographs that do not show the label.

    Returns:
        the trigger or nothing, the picture without it, and its reading `(C,)`.
    """
    target = int(row.argmax())
    if case.read_so_by_the_reference(image, row):
        case.kinds |= {kind: Searched.NONE for kind in SEARCHED_KINDS if kind != PatchTrigger.kind}
        return [], image, row
    if (carrier := pattern_carrier(case, image, target, usable)) is not None:
        return [carrier], *smoothed(case, image, target)
    if (carrier := colour_carrier(case, image, target, usable)) is not None:
        return [carrier], *without_colours(case, image, carrier.trigger)
    smooth = without_jitter(case, image)
    if (carrier := jitter_carrier(case, row, smooth[1], target, usable)) is not None:
        return [carrier], *smooth
    doubt_what_a_blur_undoes(case, image, row, smooth, target)
    if not case.doubts:
        doubt_what_no_part_shows(case, image, row, target, usable)
    return [], image, row
