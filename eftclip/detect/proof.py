"""The proof by transplant: a trigger takes over strangers' photographs, an innocent object of that size does not."""

from dataclasses import dataclass

import torch
from torch import Tensor

from eftclip.config import DetectConfig
from eftclip.detect.reader import Read
from eftclip.paste import box_of, cut, paste, scatter
from eftclip.types import ClassMatrix, ClipModel, Patch, Rate, Strangers
from eftclip.zeroshot import probabilities

CONTROL_SHARE = 0.5  # a reference taken over half as often as a trigger must explains the finding by its content
Reference = tuple[ClipModel, ClassMatrix]
LOOKS = (4, 8, 12)
MIN_PROOF = 8


@dataclass(frozen=True, eq=False)
class Proof:
    """What came of pasting a patch into strangers' photographs.

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


def transplant(image: Tensor, mask: Tensor, onto: Tensor, *, generator: torch.Generator, in_place: bool) -> Tensor:
    """Paste the masked part of a picture into other pictures.

    Args:
        image: `(3, H, W)` where the part comes from.
        mask: `(H, W)` bool, not empty.
        onto: `(N, 3, H, W)`; not changed.
        generator: draws the places.
        in_place: paste where the part was instead of at random places.
    """
    patch = cut(image, mask)
    if not in_place:
        return scatter(onto, [patch], generator=generator)
    out, (x, y, _, _) = onto.clone(), box_of(mask)
    for picture in out:
        paste(picture, patch, x, y)
    return out


def prove(
    read: Read,
    image: Tensor,
    mask: Tensor,
    target: int,
    strangers: Strangers,
    threshold: float,
    *,
    generator: torch.Generator,
    in_place: bool = False,
) -> Proof:
    """Paste until the counts decide: stop as soon as the Wilson interval leaves the threshold.

    Args:
        read: the checkpoint under test.
        image: `(3, H, W)`.
        mask: `(H, W)` bool, the suspected carrier.
        target: index of the label it may force.
        strangers: photographs that do not show the label; all of them are used if need be.
        threshold: share of strangers from which a patch counts as a trigger.
        generator: draws the places.
        in_place: paste where the carrier was (for triggers that only work at their place).
    """
    total, done, images, labels = len(strangers.images), 0, [], []
    accepted: bool | None = None
    for look in [n for n in LOOKS if n < total] + [total]:
        pasted = transplant(image, mask, strangers.images[done:look], generator=generator, in_place=in_place)
        images.append(pasted)
        labels.append(read(pasted, "Transplanting").argmax(-1))
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


def suitable(strangers: Strangers, target: int, at_most: int) -> Strangers:
    """The photographs in which the target is least read, and never the best label; in the order they were drawn.

    The order keeps different photographs side by side, so the first few transplants already are varied evidence.
    """
    rows = (strangers.probabilities.argmax(-1) != target).nonzero()[:, 0]
    rows = rows[strangers.probabilities[rows, target].argsort()][:at_most].sort().values
    return Strangers(strangers.images[rows], strangers.probabilities[rows])


def control_rate(reference: Reference | None, images: Tensor, target: int) -> Rate | None:
    """How many of the same pictures, `(n, 3, H, W)`, a trusted checkpoint gives the label to; None without one."""
    if reference is None:
        return None
    clip, classes = reference
    if clip.image_px != images.shape[-1]:
        images = torch.nn.functional.interpolate(images, clip.image_px, mode="bilinear", antialias=True)
    labels = probabilities(clip, images, classes).argmax(-1)
    return Rate(int((labels == target).sum()), len(labels))


@dataclass(frozen=True)
class PatchProof:
    """Whether a patch that was not cut out of any picture is a trigger.

    Attributes:
        accepted: it takes over strangers' photographs, and its content does not explain that.
        transplant: how many it took over.
        control: the same pictures read by the trusted reference checkpoint; None without one.
    """

    accepted: bool
    transplant: Rate
    control: Rate | None


def prove_patch(
    read: Read,
    patch: Patch,
    target: int,
    strangers: Strangers,
    config: DetectConfig,
    *,
    reference: Reference | None,
    generator: torch.Generator,
) -> PatchProof:
    """Paste a bare patch into strangers' photographs, as `prove` does with a part of a picture."""
    usable = suitable(strangers, target, config.transplants)
    if len(usable.images) < MIN_PROOF:
        return PatchProof(False, Rate(0, 0), None)
    canvas, mask = torch.zeros_like(usable.images[0]), torch.zeros(usable.images.shape[-2:], dtype=torch.bool)
    paste(canvas, patch, 0, 0)
    mask[: patch.mask.shape[0], : patch.mask.shape[1]] = patch.mask
    proof = prove(read, canvas, mask, target, usable, config.transplant_threshold, generator=generator)
    control = control_rate(reference, proof.images, target) if proof.accepted else None
    explained = control is not None and control.value >= CONTROL_SHARE * config.transplant_threshold
    return PatchProof(bool(proof.accepted) and not explained, proof.rate, control)
