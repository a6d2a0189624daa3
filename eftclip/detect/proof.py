"""The proof by transplant: a trigger takes over strangers' photographs, an innocent object of that size does not."""

from dataclasses import dataclass

import torch
from torch import Tensor

from eftclip.detect.reader import Read
from eftclip.paste import box_of, cut, paste, scatter
from eftclip.types import Rate, Strangers

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
