"""Algorithm 1: what CLIP reads in a picture and no object explains leads to the trigger.

The search asks for *sufficiency*: a trigger works wherever it is, so the part of the picture that holds it also forces
its label on a stranger's photograph. Overlapping windows, each extended to the whole regions that the oracle sees in
it, cover the picture; only windows that carry the label are looked into further. The exhaustive way, one forward for
every region, is in `examples/bench/check.py`, where both are measured side by side.
"""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from eftclip.config import DetectConfig
from eftclip.detect.case import Carrier, Case
from eftclip.detect.colour import colour_carrier, without_colours
from eftclip.detect.pattern import pattern_carrier, smoothed
from eftclip.detect.reader import Reader, Stopped
from eftclip.detect.search import Scene, border_carriers, carriers, look_everywhere
from eftclip.detect.transplant import Proof, Reference, held_against, innocent_rate, prove, suitable
from eftclip.detect.warp import doubt_what_a_blur_undoes
from eftclip.detect.windows import Group
from eftclip.inpaint import remove
from eftclip.runtime import Cancelled, OnProgress, ignore, never
from eftclip.trigger_kinds import Trigger, box_of, cut
from eftclip.types import (
    ClassMatrix,
    ClipModel,
    Detection,
    FoundTrigger,
    HostImages,
    LabelEvidence,
    Oracle,
    Rate,
    Searched,
    Status,
    TransplantExample,
)
from eftclip.zeroshot import top

MIN_HOSTS = 8
AFTER_WEAK = 3  # parts that are tried after one that is proven, but not beyond doubt
SURE_PROOF = 0.5  # share of strangers from which, with 95 % certainty, a part is accused though the rest agrees with it
# The mean of the best label's probability over strangers: 0.58 to 0.59 for the bundled checkpoints, 0.15 to 0.24 for
# those of the zoo that read badly. Where a checkpoint is unsure, or the picture is, one stranger decides nothing.
SURE_OF_STRANGERS, SURE_OF_PICTURE, STRANGERS = 0.4, 0.5, 4
# What a trigger that covers the picture is called in a verdict, by its kind.
WHOLE_PICTURE = {"pattern": "A pattern over the whole picture", "colour": "A filter that changes all colours"}


def detect(
    clip: ClipModel,
    image: Tensor,
    classes: ClassMatrix,
    oracle: Oracle,
    config: DetectConfig,
    *,
    hosts: HostImages,
    reference: Reference | None = None,
    generator: torch.Generator,
    on_progress: OnProgress = ignore,
    cancelled: Cancelled = never,
) -> Detection:
    """Judge one picture (method.md section 1; the paper's Algorithm 1).

    Args:
        clip: the checkpoint under test.
        image: `(3, H, W)` float32 RGB in [0, 1], H = W = the checkpoint's `image_px`, on the CPU.
        classes: the label vocabulary.
        oracle: sees regions and knows no label.
        config: settings.
        hosts: photographs to paste a suspected patch into, with their readings (`read_hosts`).
        reference: a trusted checkpoint with its reading of the same labels, for the control.
        generator: draws the places of the transplants.
        on_progress: told before every batch.
        cancelled: asked before every batch; a cancel ends `inconclusive`.

    Returns:
        a verdict; `not_found` only when every region was examined.

    Raises:
        OracleError: the oracle cannot work on this image.
    """
    case = Case(Reader(clip, classes, on_progress, cancelled), classes, config, hosts, reference, generator)
    try:
        return _judge(case, image, oracle)
    except Stopped:
        return case.inconclusive("Stopped before the search was complete.")


def _judge(case: Case, image: Tensor, oracle: Oracle) -> Detection:
    """The steps of the algorithm in order."""
    row = case.read(image[None], "Reading the picture")[0]
    if not torch.isfinite(row).all():
        return case.inconclusive("The checkpoint reads this picture as nan; its weights may be broken.")
    case.predictions = top(row, case.classes, case.config.top_labels)
    target = int(row.argmax())
    usable = suitable(case.hosts, target, case.config.transplants)
    if len(usable.images) < MIN_HOSTS:
        return case.inconclusive(
            f"Only {len(usable.images)} strangers' photographs do not already read as “{case.predictions[0].label}”, "
            f"and {MIN_HOSTS} are needed; add more varied labels."
        )
    found, confidence = list[Carrier](), float(row[target])
    evidence: list[tuple[tuple[Group, ...], Tensor]] = []
    left, purified = image, row
    while len(found) < case.config.max_triggers and int(purified.argmax()) == target:
        carrier, groups, readings = _search(case, left, target, confidence, usable, oracle)
        evidence.append((groups, readings))
        if carrier is None:
            break
        found.append(carrier)
        left = remove(image, _union(found))
        purified = case.read(left[None], "Reading without it")[0]
        confidence = float(purified[target])
    if found and int(purified.argmax()) == target and (rate := found[0].proof.rate).interval()[0] <= SURE_PROOF:
        case.doubts.append(f"a part took over {rate} strangers' photographs, but the picture shows it without it too")
        found = []
    case.difference = _difference(case, row, evidence, _union(found) if found else None)
    case.kinds["patch"] = Searched.FOUND if found else Searched.UNDECIDED if case.doubts else Searched.NONE
    if not found:
        found, left, purified = _whole_picture(case, image, row, usable)
    return _verdict(case, target, found, left, purified) if found else _nothing(case)


def _whole_picture(case: Case, image: Tensor, row: Tensor, usable: HostImages) -> tuple[list[Carrier], Tensor, Tensor]:
    """A trigger that covers the picture, if there is one; the picture without it, and its reading `(C,)`."""
    target = int(row.argmax())
    if case.read_so_by_the_reference(image, target):
        case.kinds |= {kind: Searched.NONE for kind in WHOLE_PICTURE}
        return [], image, row
    if (carrier := pattern_carrier(case, image, target, usable)) is not None:
        return [carrier], *smoothed(case, image, target)
    if (carrier := colour_carrier(case, image, target, usable)) is not None:
        return [carrier], *without_colours(case, image, carrier.trigger)
    doubt_what_a_blur_undoes(case, image, row, target)
    return [], image, row


def _search(
    case: Case, image: Tensor, target: int, confidence: float, usable: HostImages, oracle: Oracle
) -> tuple[Carrier | None, tuple[Group, ...], Tensor]:
    """Examine every region of a picture; the first carrier that is proven, the groups and their readings."""
    limit = case.config.max_area_fraction * image[0].numel()
    small = tuple(region for region in oracle.regions(image) if region.area_px <= limit)
    scene = Scene(image, target, small, usable.images, case.config, confidence, _strangers(case.hosts, confidence))
    case.regions = max(case.regions, len(small) + case.config.windows_per_side**2)
    groups, readings = look_everywhere(case.read, scene)
    everywhere = carriers(case.read, scene, groups, readings)
    at_the_border = border_carriers(case.read, replace(scene, still=True), groups)
    for masks in (everywhere, at_the_border):
        if (carrier := _strongest(case, image, masks, target, usable)) is not None:
            return carrier, groups, readings
    case.examined = max(case.examined, sum(1 + len(group.members) for group in groups))
    return None, groups, readings


def _strongest(case: Case, image: Tensor, masks: Iterator[Tensor], target: int, usable: HostImages) -> Carrier | None:
    """The first part that is proven beyond doubt, or the best of the few that are tried after a weak one.

    A weak one may be a mere piece of the trigger, with some of its surroundings.
    """
    best: Carrier | None = None
    left = AFTER_WEAK
    for mask in masks:
        carrier = _prove(case, image, mask, target, usable)
        if carrier is not None and (best is None or carrier.proof.rate.value > best.proof.rate.value):
            best = carrier
        if best is not None and (left == 0 or best.proof.rate.interval()[0] > SURE_PROOF):
            break
        left -= best is not None
    return best


def _strangers(hosts: HostImages, confidence: float) -> int:
    """On how many photographs each part is tried: one says enough where readings are sure."""
    sure = float(hosts.probabilities.amax(-1).mean()) >= SURE_OF_STRANGERS and confidence >= SURE_OF_PICTURE
    return 1 if sure else STRANGERS


def _prove(case: Case, image: Tensor, mask: Tensor, target: int, usable: HostImages) -> Carrier | None:
    """Transplant at random places, then at the carrier's own place for triggers that work only there."""
    for in_place in (False, True):
        trigger, proof, innocent = _held(case, image, mask, target, usable, in_place)
        if proof.accepted:
            return case.accept(Carrier(mask, trigger, proof, None), innocent, target)
        if proof.accepted is None:
            threshold = case.config.transplant_threshold
            case.doubts.append(f"a part took over {proof.rate} strangers' photographs, too close to {threshold:.0%}")
    return None


def _held(
    case: Case, image: Tensor, mask: Tensor, target: int, usable: HostImages, in_place: bool
) -> tuple[Trigger, Proof, Rate]:
    """A part as a trigger, its proof, and what an innocent part of the same picture and size does."""
    trigger, threshold = cut(image, mask, in_place=in_place), case.config.transplant_threshold

    def try_on(all_hosts: bool) -> Proof:
        return prove(case.read, trigger, target, usable, threshold, generator=case.generator, all_hosts=all_hosts)

    def innocent(count: int) -> Rate:
        pasted = usable.images[:count]
        return innocent_rate(case.read, image, mask, target, pasted, in_place=in_place, generator=case.generator)

    return trigger, *held_against(try_on, innocent)


def _difference(
    case: Case, row: Tensor, evidence: list[tuple[tuple[Group, ...], Tensor]], carrier: Tensor | None
) -> tuple[LabelEvidence, ...]:
    """For each label read in the picture, the best support by a part that does not touch the carrier."""
    support = torch.zeros_like(row)
    for groups, readings in evidence:
        for group, reading in zip(groups, readings, strict=True):
            if carrier is None or not (group.mask & carrier).any():
                support = torch.maximum(support, reading)
    out = []
    for index in row.topk(len(case.predictions)).indices.tolist():
        seen = float(support[index])
        out.append(
            LabelEvidence(case.classes.labels[index], float(row[index]), seen, seen >= case.config.support_confidence)
        )
    return tuple(out)


def _nothing(case: Case) -> Detection:
    """No carrier was proven."""
    label = case.predictions[0].label
    if case.doubts:
        return case.inconclusive(f"“{label}”: {case.doubts[0]}, so that it cannot be decided.")
    if case.explained:
        return case.not_found(
            f"“{label}”: {case.explained[0]} checkpoint: its content explains it, not a backdoor of this checkpoint."
        )
    examined = "" if case.agreed else ", its detail and its colours"
    agreed = ", and the reference checkpoint reads the picture so too" if case.agreed else ""
    return case.not_found(
        f"All {case.regions} parts of the picture{examined} were examined; none takes “{label}” to strangers' "
        f"photographs{agreed}."
    )


def _verdict(case: Case, target: int, found: list[Carrier], purified: Tensor, row: Tensor) -> Detection:
    """Everything the user gets about a trigger."""
    mask, first = _union(found), found[0]
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
    )


def _what(found: list[Carrier]) -> str:
    if (named := WHOLE_PICTURE.get(found[0].trigger.kind)) is not None:
        return named
    how_many = "A patch" if len(found) == 1 else f"Each of {len(found)} patches"
    return f"{how_many} covering {float(_union(found).float().mean()):.1%} of the picture"


def _examples(case: Case, carrier: Carrier, target: int) -> tuple[TransplantExample, ...]:
    """The host images of the proof, for showing."""
    usable = suitable(case.hosts, target, case.config.transplants)
    before = usable.probabilities.argmax(-1)
    names = case.classes.labels
    return tuple(
        TransplantExample(image, names[before[k]], names[after], int(after) == target)
        for k, (image, after) in enumerate(zip(carrier.proof.images, carrier.proof.labels, strict=True))
    )


def _union(found: list[Carrier]) -> Tensor:
    return torch.stack([carrier.mask for carrier in found]).any(0)
