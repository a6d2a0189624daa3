"""The proof by transplant: a trigger takes over host images, strangers' photographs; an innocent object does not."""

from dataclasses import dataclass

import torch
from torch import Tensor

from eftclip.config import DetectConfig
from eftclip.detect.reader import Read
from eftclip.trigger_kinds import Trigger
from eftclip.types import ClassMatrix, ClipModel, HostImages, Rate, TriggerProof
from eftclip.zeroshot import probabilities

CONTROL_SHARE = 0.5  # a reference taken over half as often as a trigger must explains the finding by its content
Reference = tuple[ClipModel, ClassMatrix]
LOOKS = (4, 8, 12)
MIN_PROOF = 8


@dataclass(frozen=True, eq=False)
class Proof:
    """What came of planting a suspected trigger in host images.

    Attributes:
        rate: how many became the target label.
        images: `(n, 3, H, W)` those tried.
        labels: `(n,)` int64, the best label of each afterwards.
        accepted: True for a trigger, False for none, None when the counts do not decide.
    """

    rate: Rate
    images: Tensor
    labels: Tensor
    accepted: bool | None


def prove(
    read: Read,
    trigger: Trigger,
    target: int,
    hosts: HostImages,
    threshold: float,
    *,
    generator: torch.Generator,
) -> Proof:
    """Plant until the counts decide: stop as soon as the Wilson interval leaves the threshold.

    Args:
        read: the checkpoint under test.
        trigger: what is suspected; one with a place of its own is planted there, any other at random places.
        target: index of the label it may force.
        hosts: photographs that do not show the label; all of them are used if need be.
        threshold: share of host images from which something counts as a trigger.
        generator: draws the places.
    """
    total, done, images, labels = len(hosts.images), 0, [], []
    accepted: bool | None = None
    for look in [n for n in LOOKS if n < total] + [total]:
        planted = trigger.plant(hosts.images[done:look], generator=generator).images
        images.append(planted)
        labels.append(read(planted, "Transplanting").argmax(-1))
        done = look
        rate = Rate(int((torch.cat(labels) == target).sum()), done)
        accepted = _decide(rate, threshold)
        if accepted is not None:
            break
    return Proof(rate, torch.cat(images), torch.cat(labels), accepted)


def _decide(rate: Rate, threshold: float) -> bool | None:
    low, high = rate.interval()
    if high < threshold:
        return False
    return True if low > threshold and rate.total >= MIN_PROOF else None


def suitable(hosts: HostImages, target: int, at_most: int) -> HostImages:
    """The photographs in which the target is least read, and never the best label; in the order they were drawn.

    The order keeps different photographs side by side, so the first few transplants already are varied evidence.
    """
    rows = (hosts.probabilities.argmax(-1) != target).nonzero()[:, 0]
    rows = rows[hosts.probabilities[rows, target].argsort()][:at_most].sort().values
    return HostImages(hosts.images[rows], hosts.probabilities[rows])


def control_rate(reference: Reference | None, images: Tensor, target: int) -> Rate | None:
    """How many of the same pictures, `(n, 3, H, W)`, a trusted checkpoint gives the label to; None without one."""
    if reference is None:
        return None
    clip, classes = reference
    if clip.image_px != images.shape[-1]:
        images = torch.nn.functional.interpolate(images, clip.image_px, mode="bilinear", antialias=True)
    labels = probabilities(clip, images, classes).argmax(-1)
    return Rate(int((labels == target).sum()), len(labels))


def prove_trigger(
    read: Read,
    trigger: Trigger,
    target: int,
    hosts: HostImages,
    config: DetectConfig,
    *,
    reference: Reference | None,
    generator: torch.Generator,
) -> TriggerProof:
    """Prove a trigger that was not cut out of any picture, and hold it against the reference."""
    usable = suitable(hosts, target, config.transplants)
    if len(usable.images) < MIN_PROOF:
        return TriggerProof(False, Rate(0, 0), None)
    proof = prove(read, trigger, target, usable, config.transplant_threshold, generator=generator)
    control = control_rate(reference, proof.images, target) if proof.accepted else None
    explained = control is not None and control.value >= CONTROL_SHARE * config.transplant_threshold
    return TriggerProof(bool(proof.accepted) and not explained, proof.rate, control)
