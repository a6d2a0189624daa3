"""Trigger families: proven triggers that force the same label and look alike."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from eftclip.trigger_kinds import Trigger
from eftclip.types import Finding, Rate, TriggerFamily

# On 71 triggers found in unseen photographs on the bundled `multi`, two cuts of one trigger were 0.03 or less apart in
# the middle and up to 0.08 where the masks were good; cuts of two triggers were at least 0.19 apart.
ALIKE = 0.15
# Three false alarms on the bundled `badnets` and `multi` that stood alone beside the planted trigger of their label
# differed from it by 0.34 to 0.46, or were of another kind; a planted one that was cut out too large, by 0.26.
UNLIKE = 0.3
HALF = 0.5  # `wrench/image_0007.jpg` takes over 10 of 24 strangers, triggers of strong backdoors nearly all of them
MANY = 100  # samples: up to one clean photograph in 200 is accused when it is judged alone
COMPANY = 8  # samples with one trigger: beside so many, a single one with another trigger of the same label is doubted
UNLIKE_THE_OTHERS = (
    "A part of it leads to “{label}”, but looks like nothing that other samples with that label carry: a photograph "
    "may do so by itself."
)
ONE_OF_MANY = (
    "A part of it leads to “{label}” on {rate} strangers' photographs, and no other sample carries it: among so many a "
    "photograph may do so by itself."
)
FAR = 0.5  # one outlier must not decide which exemplar is typical


@dataclass(eq=False)
class _Growing:
    """A family while it is being found."""

    label: str
    exemplars: list[Trigger]
    transplant: Rate
    control: Rate | None = None
    members: list[int] = field(default_factory=list)
    matched: int = 0

    @property
    def size(self) -> int:
        """Samples that carry it."""
        return len(self.members) + self.matched

    @property
    def lone(self) -> bool:
        """Whether one sample alone shows it, which was searched."""
        return (len(self.members), self.matched) == (1, 0)

    @property
    def takes_few(self) -> bool:
        """Whether it may take over less than half of the strangers."""
        return self.transplant.interval()[0] <= HALF

    def unlike(self, other: "_Growing") -> bool:
        """Whether it is another thing than `other`, not the same cut out badly."""
        return min(a.distance(b) for a in self.exemplars for b in other.exemplars) > UNLIKE

    @property
    def ranked(self) -> list[Trigger]:
        """The exemplars, the most typical first: one that was cut out too large or too small is unlike the others."""
        strange = [sum(min(one.distance(other), FAR) for other in self.exemplars) for one in self.exemplars]
        order = sorted(range(len(strange)), key=lambda k: (strange[k], self.exemplars[k].area_px))
        return [self.exemplars[k] for k in order]


class Families:
    """Findings in the order of the set, sorted into families; a family's number never changes."""

    def __init__(self, exemplars: int) -> None:
        """Keep at most `exemplars` triggers of each family."""
        self._exemplars = exemplars
        self._all: list[_Growing] = []

    def __len__(self) -> int:
        """Number of families."""
        return len(self._all)

    @property
    def labels(self) -> frozenset[str]:
        """The labels they force."""
        return frozenset(family.label for family in self._all)

    @property
    def proven(self) -> bool:
        """Whether there is one that is more than a single sample's, or takes over most strangers."""
        return not all(family.lone and family.takes_few for family in self._all)

    def add(self, finding: Finding) -> int:
        """Put a finding into the family it looks like, or into a new one; the family's number.

        Where a picture carries several triggers, one that is known decides: beside the trigger that was planted, a part
        of the photograph itself may act like it.
        """
        homes = ((self._home(finding.target_label, trigger), trigger) for trigger in finding.triggers)
        number, shown = next((found for found in homes if found[0] is not None), (None, finding.triggers[0]))
        if number is None:
            number = len(self._all)
            self._all.append(_Growing(finding.target_label, [], Rate(0, 0)))
        family = self._all[number]
        family.members.append(finding.index)
        family.transplant += finding.transplant
        if finding.control is not None:
            family.control = (family.control or Rate(0, 0)) + finding.control
        if len(family.exemplars) < self._exemplars:
            family.exemplars.append(shown)
        return number

    def add_shared(self, label: str, trigger: Trigger, transplant: Rate, control: Rate | None) -> int:
        """A trigger that many pictures showed together; the number of its family, a new one where it is like none."""
        number = self._home(label, trigger)
        if number is None:
            number = len(self._all)
            self._all.append(_Growing(label, [], Rate(0, 0)))
        family = self._all[number]
        family.exemplars = [trigger, *family.exemplars[: self._exemplars - 1]]
        family.transplant += transplant
        if control is not None:
            family.control = (family.control or Rate(0, 0)) + control
        return number

    def count_match(self, number: int) -> None:
        """One more sample carries this trigger, recognised without a search."""
        self._all[number].matched += 1

    def _home(self, label: str, trigger: Trigger) -> int | None:
        """The family of that label with the most similar exemplar, or with one of which either shows the other whole.

        The second way is for triggers that were cut out too large: they hold some of their surroundings.
        """
        same = [(number, family) for number, family in enumerate(self._all) if family.label == label]
        near = [(min(trigger.distance(other) for other in family.exemplars), number) for number, family in same]
        if near and min(near)[0] <= ALIKE:
            return min(near)[1]
        for number, family in same:
            if any(trigger.shows(other) or other.shows(trigger) for other in family.exemplars):
                return number
        return None

    def of_label(self, label: str) -> list[tuple[int, Sequence[Trigger]]]:
        """(number, exemplars) of every family that forces that label."""
        return [(k, family.ranked) for k, family in enumerate(self._all) if family.label == label]

    def doubtful(self, among: int) -> dict[int, str]:
        """Numbers of the families that one sample alone shows and that may be chance, each with the reason.

        A part of a clean photograph may act on a checkpoint as a trigger does, and the more are searched, the sooner.

        Args:
            among: samples that the set holds.
        """
        return {k: reason for k, one in enumerate(self._all) if one.lone and (reason := self._doubt(one, among))}

    def _doubt(self, lone: _Growing, among: int) -> str:
        """Why a family of one sample is doubted; empty where it is not."""
        common = [one for one in self._all if one.label == lone.label and one.size >= COMPANY]
        if common and all(lone.unlike(one) for one in common):
            return UNLIKE_THE_OTHERS.format(label=lone.label)
        if among >= MANY and lone.takes_few:
            return ONE_OF_MANY.format(label=lone.label, rate=lone.transplant)
        return ""

    def finished(self, without: Collection[int] = ()) -> tuple[tuple[TriggerFamily, ...], list[int]]:
        """The families but some, largest first, and for each number its place among them."""
        order = sorted(range(len(self._all)), key=lambda k: (k in without, -self._all[k].size, k))
        made = tuple(self._finished(self._all[k]) for k in order if k not in without)
        places = [0] * len(order)
        for place, number in enumerate(order):
            places[number] = place
        return made, places

    @staticmethod
    def _finished(family: _Growing) -> TriggerFamily:
        exemplars, members = tuple(family.ranked), tuple(family.members)
        return TriggerFamily(family.label, exemplars, family.transplant, family.control, members)
