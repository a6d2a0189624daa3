"""Algorithm 1: what CLIP reads in a picture and no object explains leads to the trigger.

The search asks for *sufficiency*: a trigger works wherever it is, so the part of the picture that holds it also forces
its label on a stranger's photograph. Overlapping windows, each extended to the whole regions that the oracle sees in
it, cover the picture; only windows that carry the label are looked into further. The exhaustive way, one forward for
every region, is in `examples/bench_check.py`, where both are measured side by side.
"""

import torch
from torch import Tensor

from eftclip.config import DetectConfig
from eftclip.detect.proof import Proof, prove, suitable
from eftclip.detect.reader import Reader, Stopped
from eftclip.detect.search import OVERLAP, Scene, carriers
from eftclip.detect.windows import Group, box_of, cover
from eftclip.runtime import Cancelled, OnProgress, ignore, never
from eftclip.types import (
    ClassMatrix,
    ClipModel,
    Detection,
    FoundTrigger,
    LabelEvidence,
    Oracle,
    Prediction,
    Rate,
    Status,
    Stranger,
    Strangers,
)
from eftclip.zeroshot import probabilities, top

WINDOWS_PER_SIDE = 3
MIN_STRANGERS = 8


def detect(
    clip: ClipModel,
    image: Tensor,
    classes: ClassMatrix,
    oracle: Oracle,
    config: DetectConfig,
    *,
    strangers: Strangers,
    reference: tuple[ClipModel, ClassMatrix] | None,
    generator: torch.Generator,
    on_progress: OnProgress = ignore,
    cancelled: Cancelled = never,
) -> Detection:
    """Judge one picture."""
    read = Reader(clip, classes, on_progress, cancelled)
    row = read(image[None], "Reading the picture")[0]
    target = int(row.argmax())
    predictions = top(row, classes, config.top_labels)
    small = tuple(r for r in oracle.regions(image) if r.area_px <= config.max_area_fraction * image[0].numel())
    height, width = image.shape[-2:]
    groups = cover(small, height, width, WINDOWS_PER_SIDE, round(OVERLAP * width))
    usable = suitable(strangers, target, config.transplants)
    scene = Scene(image, target, small, usable.images)
    readings = read(scene.alone([g.mask for g in groups]), "Looking everywhere")
    best = None
    for mask in carriers(read, scene, groups, readings):
        proof = prove(read, image, mask, target, usable, config.transplant_threshold, generator=generator)
        if proof.accepted:
            trig = FoundTrigger(classes.labels[target], mask, box_of(mask), proof.rate)
            return Detection(Status.FOUND, "found", predictions, trigger=trig, examined=len(small), regions=len(small), image_forwards=read.forwards)
        best = proof.rate
    return Detection(Status.NOT_FOUND, f"none {best}", predictions, examined=len(small), regions=len(small), image_forwards=read.forwards)
