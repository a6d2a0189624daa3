"""The verdict on a picture in which triggers were proven, whichever algorithm found them."""

import torch
from torch import Tensor

from eftclip.detect.case import Carrier, Case
from eftclip.detect.transplant import suitable
from eftclip.trigger_kinds import box_of
from eftclip.types import Detection, FoundTrigger, Status, TransplantExample
from eftclip.zeroshot import top

# What a trigger that covers the picture is called in a verdict, by its kind.
WHOLE_PICTURE = {
    "pattern": "A pattern over the whole picture",
    "colour": "A filter that changes all colours",
    "jitter": "A warp that scatters all pixels a little",
}


def found_verdict(case: Case, target: int, found: list[Carrier], purified: Tensor, row: Tensor) -> Detection:
    """Everything the user gets about a trigger."""
    mask, first = union(found), found[0]
    label, after = case.classes.labels[target], top(row, case.classes, case.config.top_labels)
    where = ", at its own place" if first.trigger.in_place else ""
    without = f"without it the picture reads as “{after[0].label}”"
    if after[0].label == label:
        without = "what is left of it still makes the picture read so"
    reason = f"{_what(found)} forces “{label}” on {first.proof.rate} strangers' photographs{where}; {without}."
    if first.control is None:
        reason += " Its content was not checked against a second model."
    else:
        reason += f" The reference checkpoint gives that label to {first.control}."
    trigger = FoundTrigger(
        label,
        mask,
        box_of(mask),
        first.proof.rate,
        _examples(case, first, target),
        first.control,
        parts=tuple(carrier.mask for carrier in found),
        triggers=tuple(carrier.trigger for carrier in found),
    )
    return Detection(
        Status.FOUND,
        reason,
        case.predictions,
        case.difference,
        trigger,
        purified,
        after,
        examined=case.examined,
        regions=case.regions,
        image_forwards=case.read.forwards,
        kinds=case.kinds,
        algorithm=case.algorithm,
        named=case.named,
    )


def _what(found: list[Carrier]) -> str:
    if (named := WHOLE_PICTURE.get(found[0].trigger.kind)) is not None:
        return named
    how_many = "A patch" if len(found) == 1 else f"Each of {len(found)} patches"
    return f"{how_many} covering {float(union(found).float().mean()):.1%} of the picture"


def _examples(case: Case, carrier: Carrier, target: int) -> tuple[TransplantExample, ...]:
    """The host images of the proof, for showing."""
    usable = suitable(case.hosts, target, case.config.transplants)
    before = usable.probabilities.argmax(-1)
    names = case.classes.labels
    return tuple(
        TransplantExample(image, names[before[k]], names[after], int(after) == target)
        for k, (image, after) in enumerate(zip(carrier.proof.images, carrier.proof.labels, strict=True))
    )


def union(found: list[Carrier]) -> Tensor:
    """`(H, W)` bool, where any of them is."""
    return torch.stack([carrier.mask for carrier in found]).any(0)
