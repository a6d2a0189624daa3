"""Trigger families: proven triggers that force the same label and look alike."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from eftclip.identify.known import shows
from eftclip.types import Finding, Patch, Rate, TriggerFamily

# On 71 triggers found in unseen photographs on the bundled `multi`, two cuts of one trigger were 0.03 or less apart in
# the middle and up to 0.08 where the masks were good; cuts of two triggers were at least 0.19 apart.
ALIKE = 0.15
FAR = 0.5  # one outlier must not decide which exemplar is typical


def appearance(patch: Patch) -> Tensor:
    """How a patch looks, whatever its exact pixels: `(12,)` float32, in units of intensity.

    Mean and spread of each channel, and how much neighbours differ across and down, all inside the mask. Unlike a
    comparison pixel by pixel it bears a mask that is a little off, and triggers that are drawn anew for every picture.
    """
    pixels, mask = patch.pixels, patch.mask
    inside = pixels[:, mask]
    across = (pixels[:, :, 1:] - pixels[:, :, :-1]).abs()[:, mask[:, 1:] & mask[:, :-1]]
    down = (pixels[:, 1:] - pixels[:, :-1]).abs()[:, mask[1:] & mask[:-1]]
    spread = inside.std(1, unbiased=False)
    return torch.cat([inside.mean(1), spread, _mean(across), _mean(down)])


def _mean(differences: Tensor) -> Tensor:
    """The mean of `(3, n)` over n; 0 where a patch is one pixel wide and has no neighbours."""
    return differences.mean(1) if differences.shape[1] else torch.zeros(3)


def distance(one: Tensor, other: Tensor) -> float:
    """Root mean square difference of two appearances."""
    return float((one - other).square().mean().sqrt())


@dataclass(eq=False)
class _Growing:
    """A family while it is being found."""

    label: str
    exemplars: list[Patch]
    looks: list[Tensor]
    transplant: Rate
    control: Rate | None = None
    members: list[int] = field(default_factory=list)
    matched: int = 0

    @property
    def ranked(self) -> list[Patch]:
        """The exemplars, the most typical first: a mask that is off is unlike the others."""
        strange = [sum(min(distance(look, other), FAR) for other in self.looks) for look in self.looks]
        order = sorted(range(len(self.looks)), key=lambda k: (strange[k], int(self.exemplars[k].mask.sum())))
        return [self.exemplars[k] for k in order]


class Families:
    """Findings in the order of the set, sorted into families; a family's number never changes."""

    def __init__(self, exemplars: int) -> None:
        """Keep at most `exemplars` patches of each family."""
        self._exemplars = exemplars
        self._all: list[_Growing] = []

    def __len__(self) -> int:
        """Number of families."""
        return len(self._all)

    @property
    def labels(self) -> frozenset[str]:
        """The labels they force."""
        return frozenset(family.label for family in self._all)

    def add(self, finding: Finding) -> int:
        """Put a finding into the family it looks like, or into a new one; the family's number."""
        look = appearance(finding.patches[0])
        number = self._home(finding.target_label, finding.patches[0], look)
        if number is None:
            number = len(self._all)
            self._all.append(_Growing(finding.target_label, [], [], Rate(0, 0)))
        family = self._all[number]
        family.members.append(finding.index)
        family.transplant += finding.transplant
        if finding.control is not None:
            family.control = (family.control or Rate(0, 0)) + finding.control
        if len(family.exemplars) < self._exemplars:
            family.exemplars.append(finding.patches[0])
            family.looks.append(look)
        return number

    def count_match(self, number: int) -> None:
        """One more sample carries this trigger, recognised without a search."""
        self._all[number].matched += 1

    def _home(self, label: str, patch: Patch, look: Tensor) -> int | None:
        """The family of that label with the most similar exemplar, or with one of which either shows the other whole.

        The second way is for masks that were drawn too large: they hold the trigger and some of its surroundings.
        """
        same = [(number, family) for number, family in enumerate(self._all) if family.label == label]
        near = [(min(distance(look, other) for other in family.looks), number) for number, family in same]
        if near and min(near)[0] <= ALIKE:
            return min(near)[1]
        for number, family in same:
            if any(shows(patch.pixels, other) or shows(other.pixels, patch) for other in family.exemplars):
                return number
        return None

    def of_label(self, label: str) -> list[tuple[int, Sequence[Patch]]]:
        """(number, exemplars) of every family that forces that label."""
        return [(k, family.ranked) for k, family in enumerate(self._all) if family.label == label]

    def finished(self) -> tuple[tuple[TriggerFamily, ...], list[int]]:
        """The families, largest first, and for each number its place among them."""
        order = sorted(range(len(self._all)), key=lambda k: (-self._size(k), k))
        made = tuple(self._finished(self._all[k]) for k in order)
        places = [0] * len(order)
        for place, number in enumerate(order):
            places[number] = place
        return made, places

    def _size(self, number: int) -> int:
        return len(self._all[number].members) + self._all[number].matched

    @staticmethod
    def _finished(family: _Growing) -> TriggerFamily:
        exemplars, members = tuple(family.ranked), tuple(family.members)
        return TriggerFamily(family.label, exemplars, family.transplant, family.control, members)
