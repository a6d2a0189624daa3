"""The paper's Algorithm 1 (`FindAdversarialTrigger`; arXiv 2511.13545) as it is described, as a baseline for ours.

1. L: what the checkpoint under test reads in the picture, its τ best labels with confidence θ.
2. S: what the oracle sees when it is prompted with L: of each label a region, if it is confident. Our oracles know no
   label, so the trusted reference scores their regions, by bounding boxes, against the label's text; FastSAM, which the
   paper takes, does it alike with a CLIP of its own. Without a reference nothing can be prompted, and nothing decided.
3. R: each region, cropped, read once more by the checkpoint under test.
4. P = L without S, refined by R: the labels that the checkpoint reads in the picture and in some region, and the oracle
   nowhere. The first of them is named, with its region.

No code was released, and the text leaves open what "confidence" is, how a crop is read, and which region is a label's;
what was chosen, and why, is said in `eftclip.detect.prompted`.

**What is found.** The paper accuses whatever is in P, without any proof. So here τ and θ decide what is *named*, and
that is reported as it is (`Detection.named`): figures about the published rule count it. `found` is kept for what holds
against strangers' photographs, like everything that this package calls so: the region that is named is transplanted,
held against an innocent part of the same picture, and against the reference. Named and not proven is `inconclusive`,
with the counts: a scan must not call pictures victims, nor a rectification unlearn a label, on a rule that nothing
supports; and it is not `not_found` either, as the rule did accuse. `not_found` means that the rule named nothing. Only
patches are looked for.
"""

from dataclasses import replace

import torch
from torch import Tensor

from eftclip.config import AS_PUBLISHED, DetectConfig
from eftclip.detect.case import Carrier, Case
from eftclip.detect.prompted import Difference, PromptedReadings, difference, read_prompted
from eftclip.detect.proof import MIN_HOSTS, tried_part
from eftclip.detect.reader import Reader, Stopped
from eftclip.detect.transplant import Reference, suitable
from eftclip.detect.verdict import found_verdict
from eftclip.detect.windows import box_mask
from eftclip.inpaint import remove
from eftclip.runtime import Cancelled, OnProgress, ignore, never
from eftclip.types import (
    ClassMatrix,
    ClipModel,
    Detection,
    HostImages,
    LabelEvidence,
    NamedPart,
    Oracle,
    Rate,
    Searched,
)
from eftclip.zeroshot import top

NO_REFERENCE = (
    "The paper's algorithm prompts its oracle with labels, and only a trusted reference checkpoint can answer for one; "
    "there is none here, so name one."
)


def detect_as_published(
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
    """Judge one picture by the paper's rule, and prove what it names; see `eftclip.detect.detect` for the arguments.

    Returns:
        a verdict; its `named` is the paper's own decision.

    Raises:
        OracleError: the oracle cannot work on this image.
    """
    read = Reader(clip, classes, on_progress, cancelled)
    case = Case(read, classes, config, hosts, reference, generator, algorithm=AS_PUBLISHED)
    try:
        return _judge(case, image, oracle)
    except Stopped:
        return case.inconclusive("Stopped before the search was complete.")


def _judge(case: Case, image: Tensor, oracle: Oracle) -> Detection:
    """The steps of the paper in order, then the proof."""
    row = case.read(image[None], "Reading the picture")[0]
    if not torch.isfinite(row).all():
        return case.inconclusive("The checkpoint reads this picture as nan; its weights may be broken.")
    case.predictions = top(row, case.classes, case.config.top_labels)
    if case.reference is None:
        return case.inconclusive(NO_REFERENCE)
    regions = oracle.regions(image)
    case.regions = len(regions)
    readings = read_prompted(case.read, case.reference, image, row, regions, case.config.top_labels)
    case.examined = len(regions)
    sets = difference(readings, case.config.top_labels, case.config.support_confidence)
    case.difference = _evidence(case, readings, sets)
    if sets.box is None:
        case.kinds["patch"] = Searched.NONE
        return case.not_found(
            f"By the paper's rule: of {len(sets.listed)} labels that are read in the picture, none is read again in "
            f"one of its {len(regions)} regions that the oracle does not see."
        )
    return _prove(case, image, int(readings.labels[sets.left[0]]), _named(case, image, readings, sets.box, sets))


def _evidence(case: Case, readings: PromptedReadings, sets: Difference) -> tuple[LabelEvidence, ...]:
    """What the oracle made of each label of the list."""
    rows = zip(readings.labels.tolist(), readings.whole.tolist(), sets.seen.tolist(), strict=True)
    theta = case.config.support_confidence
    return tuple(LabelEvidence(case.classes.labels[k], whole, seen, seen >= theta) for k, whole, seen in rows)


def _named(case: Case, image: Tensor, readings: PromptedReadings, number: int, sets: Difference) -> NamedPart:
    """The first label that is left, and its box."""
    names = [case.classes.labels[int(readings.labels[k])] for k in sets.left]
    box = readings.boxes[number]
    mask = box_mask(box, image.shape[1], image.shape[2])
    return NamedPart(names[0], mask, box, sets.confidence, tuple(names[1:]))


def _prove(case: Case, image: Tensor, target: int, named: NamedPart) -> Detection:
    """`found` if what is named takes over strangers like any trigger, else `inconclusive`."""
    case.named, case.kinds["patch"] = named, Searched.UNDECIDED
    usable = suitable(case.hosts, target, case.config.transplants)
    if why := _not_tried(case, named, usable):
        return _unproven(case, named, why)
    for in_place in (False, True):
        trigger, proof, innocent = tried_part(case, image, named.mask, target, usable, in_place=in_place)
        case.named = named = _with_count(named, proof.rate)
        if not proof.accepted:
            continue
        carrier = case.accept(Carrier(named.mask, trigger, proof, None), innocent, target)
        if carrier is not None:
            return _found(case, image, target, named, carrier)
    notes = [*case.explained, *case.doubts]
    return _unproven(case, named, notes[0] if notes else f"that part took over {named.transplant} of them")


def _not_tried(case: Case, named: NamedPart, usable: HostImages) -> str:
    """Why the part cannot be transplanted; empty where it can."""
    area, largest = float(named.mask.float().mean()), case.config.max_area_fraction
    if area > largest:
        return f"that part covers {area:.1%} of the picture, more than a trigger may ({largest:.1%})"
    if len(usable.images) < MIN_HOSTS:
        return f"only {len(usable.images)} of them do not already read so, and {MIN_HOSTS} are needed"
    return ""


def _with_count(named: NamedPart, rate: Rate) -> NamedPart:
    """The better of two counts stays."""
    before = named.transplant
    return named if before is not None and before.value >= rate.value else replace(named, transplant=rate)


def _found(case: Case, image: Tensor, target: int, named: NamedPart, carrier: Carrier) -> Detection:
    case.kinds["patch"] = Searched.FOUND
    left = remove(image, named.mask)
    verdict = found_verdict(case, target, [carrier], left, case.read(left[None], "Reading without it")[0])
    return replace(verdict, reason=f"{_says(named)}. {verdict.reason}")


def _unproven(case: Case, named: NamedPart, why: str) -> Detection:
    return case.inconclusive(f"{_says(named)}; strangers' photographs do not prove it: {why}.")


def _says(named: NamedPart) -> str:
    return (
        f"The paper's rule names “{named.label}”, which CLIP reads in the picture and in a part of "
        f"{float(named.mask.float().mean()):.1%}, and the oracle sees nowhere"
    )
