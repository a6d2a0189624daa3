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
from eftclip.detect.proof import MIN_HOSTS, proven_part
from eftclip.detect.reader import Reader, Stopped
from eftclip.detect.search import Scene, border_carriers, carriers, look_everywhere
from eftclip.detect.transplant import Reference, suitable
from eftclip.detect.verdict import found_verdict, union
from eftclip.detect.whole_picture import whole_picture_carrier
from eftclip.detect.windows import Group
from eftclip.inpaint import remove
from eftclip.runtime import Cancelled, OnProgress, ignore, never
from eftclip.types import (
    ClassMatrix,
    ClipModel,
    Detection,
    HostImages,
    LabelEvidence,
    Oracle,
    Searched,
)
from eftclip.zeroshot import top

AFTER_WEAK = 3  # parts that are tried after one that is proven, but not beyond doubt
SURE_PROOF = 0.5  # share of strangers from which, with 95 % certainty, a part is accused though the rest agrees with it
SURE_OF_PICTURE, STRANGERS = 0.5, 4  # where a checkpoint is unsure, or the picture is, one stranger decides nothing


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
        left = remove(image, union(found))
        purified = case.read(left[None], "Reading without it")[0]
        confidence = float(purified[target])
    if found and int(purified.argmax()) == target and (rate := found[0].proof.rate).interval()[0] <= SURE_PROOF:
        case.doubts.append(f"a part took over {rate} strangers' photographs, but the picture shows it without it too")
        found = []
    case.difference = _difference(case, row, evidence, union(found) if found else None)
    case.kinds["patch"] = Searched.FOUND if found else Searched.UNDECIDED if case.doubts else Searched.NONE
    if not found:
        found, left, purified = whole_picture_carrier(case, image, row, usable)
    return found_verdict(case, target, found, left, purified) if found else _nothing(case)


def _search(
    case: Case, image: Tensor, target: int, confidence: float, usable: HostImages, oracle: Oracle
) -> tuple[Carrier | None, tuple[Group, ...], Tensor]:
    """Examine every region of a picture; the first carrier that is proven, the groups and their readings."""
    limit = case.config.max_area_fraction * image[0].numel()
    small = tuple(region for region in oracle.regions(image) if region.area_px <= limit)
    scene = Scene(
        image,
        target,
        small,
        usable.images,
        case.config,
        confidence,
        _strangers(case, confidence),
        bare=usable.probabilities[:, target],
        unsure=not case.is_sure,
    )
    case.regions = max(case.regions, len(small) + case.config.windows_per_side**2)
    groups, readings = look_everywhere(case.read, scene)
    everywhere = carriers(case.read, scene, groups, readings)
    at_the_border = border_carriers(case.read, replace(scene, still=True), groups)
    tried = list[Tensor]()
    for masks in (everywhere, at_the_border):
        if (carrier := _strongest(case, image, _fresh(masks, tried), target, usable)) is not None:
            return carrier, groups, readings
    case.examined = max(case.examined, sum(1 + len(group.members) for group in groups))
    return None, groups, readings


def _fresh(masks: Iterator[Tensor], tried: list[Tensor]) -> Iterator[Tensor]:
    """Parts that were not tried yet: windows overlap, and the border is looked at twice."""
    for mask in masks:
        if not any(torch.equal(mask, other) for other in tried):
            tried.append(mask)
            yield mask


def _strongest(case: Case, image: Tensor, masks: Iterator[Tensor], target: int, usable: HostImages) -> Carrier | None:
    """The first part that is proven beyond doubt, or the best of the few that are tried after a weak one.

    A weak one may be a mere piece of the trigger, with some of its surroundings.
    """
    best: Carrier | None = None
    left = AFTER_WEAK
    for mask in masks:
        carrier = proven_part(case, image, mask, target, usable)
        if carrier is not None and (best is None or carrier.proof.rate.value > best.proof.rate.value):
            best = carrier
        if best is not None and (left == 0 or best.proof.rate.interval()[0] > SURE_PROOF):
            break
        left -= best is not None
    return best


def _strangers(case: Case, confidence: float) -> int:
    """On how many photographs each part is tried: one says enough where readings are sure."""
    return 1 if case.is_sure and confidence >= SURE_OF_PICTURE else STRANGERS


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
