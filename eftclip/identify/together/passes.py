"""What samples that read alike show together, once each was judged alone; in every process of a team alike.

A scan that is taken up again does it anew.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from eftclip.identify.judge import Judge
from eftclip.identify.reading import squares_of
from eftclip.identify.samples import SearchOutcome
from eftclip.identify.scan_state import ScanState
from eftclip.identify.together.alike import LEAST_ALIKE, alike
from eftclip.identify.together.averages import (
    CARRIERS,
    FEW_CARRIERS,
    FINER_THAN,
    FINER_WAYS,
    LABELS,
    WAYS,
    averaged,
    most_read,
    proven,
    spread,
    to_average,
)
from eftclip.identify.together.picture_groups import LEAST_SHARING
from eftclip.identify.together.smoothing import CHANCE, by_chance, doubtful, enough_of, losses
from eftclip.trigger_kinds import Shared, Trigger
from eftclip.types import Entry, TriggerProof
from eftclip.zeroshot import probabilities

Chosen = Callable[[Collection[int]], Iterator[Entry]]  # some samples of the set, by their positions
Carriers = Callable[[str, Trigger, Collection[int]], list[SearchOutcome]]


class Together:
    """The passes over some samples of a set that was read to its end."""

    def __init__(
        self, judge: Judge, state: ScanState, ask: Callable[[], None], chosen: Chosen, carriers: Carriers
    ) -> None:
        """Nothing is read yet.

        Args:
            judge: what reads a sample.
            state: what the scan knows; it takes note of what comes out.
            ask: whether to go on; it ends the scan if not.
            chosen: reads samples once more, and asks so between them.
            carriers: which samples of a label carry a trigger, so that the label goes with it.
        """
        self._judge, self._state = judge, state
        self._ask, self._chosen, self._carriers = ask, chosen, carriers

    def average_alike(self) -> None:
        """Average the undecided samples that share a pattern: few are enough, as none of them makes it paler."""
        undecided = self._state.undecided()
        label_of = {i: label for label in most_read(undecided, LEAST_ALIKE) for i in spread(undecided[label])}
        if label_of:
            pictures = self._squares(label_of)
            groups = alike((entry.index, label_of[entry.index], square) for entry, square in pictures)
            self._average(groups, LEAST_ALIKE, few=True)

    def average_all(self) -> None:
        """Average all samples of a label in which nothing was found."""
        self._average(self._state.suspects(), LEAST_SHARING, few=False)

    def smooth(self) -> None:
        """Doubt the labels that a small blur takes from nearly all their pictures.

        Also beside a trigger that was found: it may be a false alarm, or there may be a warp as well.
        """
        known = self._state.families.labels
        suspects = {label: indices for label, indices in self._state.suspects().items() if label not in known}
        labels = enough_of(suspects)[:LABELS]
        if not self._judge.alone or not labels:
            return
        label_of = to_average(suspects, labels, suspects)
        names = dict[int, str]()

        def named() -> Iterator[tuple[int, str, Tensor]]:
            for entry, square in self._squares(label_of):
                names[entry.index] = entry.name
                yield entry.index, label_of[entry.index], square

        lost, forwards = losses(self._judge.clip, self._judge.classes, named())
        self._state.record_doubts(doubtful(lost, labels), names, forwards)

    def _average(self, groups: Mapping[str, Sequence[int]], least: int, *, few: bool) -> None:
        """Prove what the samples of each label share, and find those that carry it.

        Args:
            groups: samples to average, by the label that they read as.
            least: samples of a label that tell something.
            few: they may be as few as that.
        """
        if not (labels := most_read(groups, least)):
            return
        suspects = self._state.suspects()
        label_of = to_average(groups, labels, suspects)
        named = ((label_of[entry.index], square) for entry, square in self._squares(label_of))
        for one in averaged(named, self._judge.strangers, least):
            self._ask()
            proof, forwards = self._proven(one, groups[one.label], few)
            carriers = self._carriers(one.label, one.trigger, suspects[one.label]) if proof.accepted else []
            shown = len(carriers) >= (FEW_CARRIERS if few else CARRIERS)
            self._state.record_shared(one.label, one.trigger if shown else None, proof, carriers, forwards)

    def _proven(self, one: Shared, group: Sequence[int], few: bool) -> tuple[TriggerProof, int]:
        """Whether the finer parts of what the samples share are a trigger, or the whole, if the label goes with it."""
        proof, forwards = proven(one.detail(FINER_THAN), self._judge.prove, FINER_WAYS, len(group))
        if few or proof.accepted:
            return proof, forwards
        proof, more = proven(one, self._judge.prove, WAYS, len(group))
        if not proof.accepted:
            return proof, forwards + more
        goes, most = self._goes_with(one, group)
        return replace(proof, accepted=goes), forwards + more + most

    def _goes_with(self, one: Shared, group: Sequence[int]) -> tuple[bool, int]:
        """Whether the label goes with the pattern more often than with innocent ones that are as strong.

        A checkpoint that reads badly loses it to any of them.
        """
        as_it_is, innocent = one.for_proof(1.0, 1.0)
        target, gone, count = self._judge.classes.labels.index(one.label), [0] * (1 + len(innocent)), 0
        for _, square in self._squares(spread(group)):
            whole = torch.ones(square.shape[-2:], dtype=torch.bool)
            without = torch.stack([trigger.remove(square, whole) for trigger in (as_it_is, *innocent)])
            labels = probabilities(self._judge.clip, without, self._judge.classes).argmax(-1)
            gone = [before + int(label != target) for before, label in zip(gone, labels.tolist(), strict=True)]
            count += 1
        chance = by_chance(gone[0], count, sum(gone[1:]), len(innocent) * count)
        return chance <= CHANCE, len(gone) * count

    def _squares(self, chosen: Collection[int]) -> Iterator[tuple[Entry, Tensor]]:
        return squares_of(self._chosen(chosen), self._judge.decode)
