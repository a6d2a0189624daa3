"""What the pictures of one label share: averaged, their contents cancel out, and a fixed pattern adds up.

A smooth pattern, such as a sine or a cartoon that shines through, cannot be told from content in any single picture.
But of n pictures that have nothing in common the average lies close to the average of all pictures, and of n pictures
that carry one pattern it lies that pattern away from it. Planted in strangers' photographs, what photographs of one
thing share takes nobody over; a trigger does.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from eftclip.trigger_kinds import PatternTrigger, Trigger, in_steps
from eftclip.types import TriggerProof

Prove = Callable[[Trigger, Sequence[Trigger], str], tuple[TriggerProof, int]]  # and the pictures that were read for it

LEAST, MOST = 6, 32  # pictures of a label that are averaged
WITHIN = 8192  # the first samples of the set, among which they are chosen: a stream is read once more
LABELS = 16  # at most, those with most pictures first: of a poisoned set the target is one of them
INNOCENT = 4  # averages of pictures of other labels, which a pattern is held against
CARRIERS = 3  # pictures whose label has to go with the pattern, or what they share is something that they show
# How it is planted for the proof, contrast of the strangers and strength: stronger than it is in the pictures, as those
# that show the label without any trigger make the average paler, in strangers of little contrast. On a checkpoint with
# a cartoon blended at 0.2 the average of 13 pictures took over 9 of 24 strangers as it was, and 24 of 24 in the first
# way; what photographs of one thing share (5 labels of 6 to 9 pictures, bundled `clean`) none in any.
WAYS = ((0.6, 1.5), (1.0, 1.0), (0.6, 3.0))


@dataclass(frozen=True, eq=False)
class Shared:
    """What the pictures of a label share, and what pictures of all kinds share by chance.

    Attributes:
        label: that they read as.
        pattern: `(3, H, W)` in [-1, 1], their average less that of the others.
        innocent: `(INNOCENT, 3, H, W)`, the same of groups of the others, as strong as the pattern.
    """

    label: str
    pattern: Tensor
    innocent: Tensor

    @property
    def trigger(self) -> PatternTrigger:
        """The pattern as it is in the pictures."""
        return _added(self.pattern, 1.0)

    def for_proof(self, kept: float, strength: float) -> tuple[PatternTrigger, list[PatternTrigger]]:
        """All as triggers, so much stronger than they are in the pictures, in strangers of so much contrast."""
        return _added(strength * self.pattern, kept), [_added(strength * one, kept) for one in self.innocent]


class Averages:
    """Running sums of pictures by label, so that memory does not grow with the set."""

    def __init__(self) -> None:
        """Begin with no picture."""
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}
        self._others: list[tuple[Tensor, int]] = [(torch.zeros(()), 0)] * INNOCENT

    def add(self, label: str, square: Tensor) -> None:
        """A `(3, H, W)` picture that reads as one of the labels; `""` for one of all others."""
        if label:
            self._sums[label] = self._sums.get(label, torch.zeros(())) + square
            self._counts[label] = self._counts.get(label, 0) + 1
        else:  # in turns
            total, count = self._others.pop(0)
            self._others.append((total + square, count + 1))

    def shared(self) -> list[Shared]:
        """What the pictures of each label share, wherever enough of them came; there have to be `INNOCENT` others."""
        means = torch.stack([total / count for total, count in self._others])
        others, count = sum(total for total, _ in self._others), sum(count for _, count in self._others)
        innocent = means - others / count
        whole, number = others + sum(self._sums.values()), count + sum(self._counts.values())
        shared = []
        for label, own in self._sums.items():
            if (count := self._counts[label]) >= LEAST:
                pattern = own / count - (whole - own) / (number - count)
                as_strong = float(pattern.std()) / innocent.std((1, 2, 3), keepdim=True).clamp(min=1e-6)
                shared.append(Shared(label, pattern, innocent * as_strong))
        return shared


def most_read(suspects: Mapping[str, Sequence[int]]) -> list[str]:
    """The labels that enough samples read as, those of most samples first, at most `LABELS`."""
    enough = [label for label, indices in suspects.items() if len(indices) >= LEAST]
    return sorted(enough, key=lambda label: (-len(suspects[label]), label))[:LABELS]


def to_average(suspects: Mapping[str, Sequence[int]], labels: Sequence[str]) -> dict[int, str]:
    """Which samples are averaged, and for which label; `""` stands for those of all others."""
    others = sorted(index for label in suspects.keys() - set(labels) for index in suspects[label])
    return {index: label for label in labels for index in spread(suspects[label])} | dict.fromkeys(spread(others), "")


def averaged(pictures: Iterable[tuple[str, Tensor]], strangers: Iterable[Tensor]) -> list[Shared]:
    """What the pictures of each label share.

    Args:
        pictures: label and `(3, H, W)` picture, `""` for those of other labels.
        strangers: two pictures at least that are not of the set, which count as others.
    """
    averages = Averages()
    for label, square in pictures:
        averages.add(label, square)
    for stranger in strangers:
        averages.add("", stranger)
    return averages.shared()


def proven(shared: Shared, prove: Prove) -> tuple[TriggerProof, int]:
    """Whether it is a trigger in one of the ways to plant it, and the pictures that were read for it."""
    forwards = 0
    for kept, strength in WAYS:
        proof, read = prove(*shared.for_proof(kept, strength), shared.label)
        forwards += read
        if proof.accepted:
            break
    return proof, forwards


def spread(indices: Sequence[int]) -> list[int]:
    """At most `MOST` of them, from everywhere in the part of the set that is read once more."""
    indices = [index for index in indices if index < WITHIN]
    count = min(MOST, len(indices))
    return [indices[k * len(indices) // count] for k in range(count)]


def _added(pattern: Tensor, kept: float) -> PatternTrigger:
    share = in_steps(torch.full(pattern.shape[-2:], kept))
    return PatternTrigger(in_steps(pattern + (1 - share) / 2).clamp(-1, 1), share)
