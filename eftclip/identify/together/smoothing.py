"""Labels that a small blur takes from nearly all their pictures: something fine that covers them may force the label.

A warp cannot be transplanted, and one picture with fine detail of its own, a zebra or a grille, loses its label as
well. Many pictures that read alike do not, unless it is that detail which they share. Nothing is proven by that: such
pictures are left undecided.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import comb

import torch
from torch import Tensor

from eftclip.trigger_kinds import SMOOTHED_PX, blurred
from eftclip.types import ClassMatrix, ClipModel
from eftclip.zeroshot import probabilities

# How surely a label is read at least, or its loss says nothing, and what is left of it where it counts as lost. On a
# checkpoint of the zoo with WaNet's warp, 55 of 55 hijacked photographs lose their label so, and 3 of 107 clean ones;
# 1 of 106 on one with a cartoon blended in, and 4 of 110 on the bundled `clean`.
SURE, LEFT = 0.1, 0.05
LEAST = 3  # pictures of a label that lose it
NEARLY_ALL = 0.8  # of its pictures
CHANCE = 1e-3  # of as many losses among all labels together, were this one like the others


@dataclass(frozen=True)
class Lost:
    """What a blur did to the pictures of a label.

    Attributes:
        label: that was read.
        indices: samples that lost it, in the order of the set.
        of: samples tried that read as it surely enough.
        others: samples of other labels that lost theirs, and how many of them were tried.
    """

    label: str
    indices: tuple[int, ...]
    of: int
    others: tuple[int, int]

    @property
    def reason(self) -> str:
        """One sentence for each of these samples."""
        return (
            f"A slight blur takes “{self.label}” from {len(self.indices)} of {self.of} pictures tried that read as it, "
            f"and from {self.others[0]} of {self.others[1]} others their label: a warp or a fine pattern may force it."
        )


def enough_of(suspects: Mapping[str, Sequence[int]]) -> list[str]:
    """Labels with enough samples to say anything of, those of most samples first."""
    return sorted((label for label in suspects if len(suspects[label]) >= LEAST), key=lambda n: (-len(suspects[n]), n))


def losses(
    clip: ClipModel, classes: ClassMatrix, pictures: Iterable[tuple[int, str, Tensor]]
) -> tuple[dict[int, tuple[str, bool]], int]:
    """Which of the pictures that are read surely enough lose their label.

    Args:
        clip: the checkpoint.
        classes: the vocabulary.
        pictures: index, the label that it was read as, and `(3, H, W)` picture; `""` stands for any other label.

    Returns:
        That label and whether it was lost, by index; and how many pictures were read.
    """
    lost, forwards = dict[int, tuple[str, bool]](), 0
    for index, label, square in pictures:
        sharp, smooth = probabilities(clip, torch.stack([square, blurred(square, SMOOTHED_PX)]), classes)
        forwards += 2
        best = int(sharp.argmax())
        if float(sharp[best]) >= SURE and label in ("", classes.labels[best]):
            lost[index] = label, float(smooth[best]) < LEFT * float(sharp[best])
    return lost, forwards


def doubtful(lost: Mapping[int, tuple[str, bool]], labels: Sequence[str]) -> list[Lost]:
    """The labels that are lost far more often than others.

    Args:
        lost: what `losses` gives.
        labels: those in question; each is held against all other pictures.
    """
    found = list[Lost]()
    for label in labels:
        mine = [index for index, (read, _) in lost.items() if read == label]
        gone = sorted(index for index in mine if lost[index][1])
        others = [was_lost for read, was_lost in lost.values() if read != label]
        if len(gone) < max(LEAST, NEARLY_ALL * len(mine)):
            continue
        if len(labels) * by_chance(len(gone), len(mine), sum(others), len(others)) <= CHANCE:
            found.append(Lost(label, tuple(gone), len(mine), (sum(others), len(others))))
    return found


def by_chance(gone: int, of: int, others_gone: int, others: int) -> float:
    """Chance of so many or more, were each lost as often as those of other labels and two more (Laplace's rule)."""
    share = (others_gone + 1) / (others + 2)
    return sum(comb(of, k) * share**k * (1 - share) ** (of - k) for k in range(gone, of + 1))
