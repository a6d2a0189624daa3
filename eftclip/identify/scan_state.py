"""What a scan knows so far, and what it does next: it is fed in the order of the set and knows no model.

Two scans that are fed the same come to the same end, so a scan can be split among processes or taken up again.
"""

import heapq
import zlib
from array import array
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from eftclip.config import ScanConfig
from eftclip.identify.families import Families
from eftclip.identify.reason import verdict_reason
from eftclip.identify.samples import SampleReading, SearchOutcome, SearchTask
from eftclip.identify.screen import Screen
from eftclip.identify.together.smoothing import Lost
from eftclip.trigger_kinds import Trigger
from eftclip.types import (
    SEARCHED_KINDS,
    Box,
    Coverage,
    Fault,
    Identification,
    Status,
    TriggerFamily,
    TriggerProof,
    Victim,
)

NAMED_FAULTS = 200
POOL_OF_LABEL = 32
POOL, POOL_WITHIN = 512, 8192  # samples remembered for curating, among the first of the set: a stream is read once more


class ScanState:
    """All that a scan knows."""

    def __init__(self, config: ScanConfig, seed: int = 0, kinds: tuple[str, ...] = SEARCHED_KINDS) -> None:
        """Start; the seed decides which samples are remembered for curating."""
        self.families = Families(config.exemplars)
        self._config, self._seed, self._kinds = config, seed, kinds
        self._screen = Screen(config.suspicious_share)
        self._counts: defaultdict[str, int] = defaultdict(int)
        self._faults: list[Fault] = []
        self._seen: dict[int, int] = {}  # digest -> index of the first sample with these bytes
        self._screened: dict[str, array[int]] = {}  # label -> samples that were only read
        self._waiting: set[int] = set()  # of these, the ones whose label has become an affected one
        self._victims: list[Victim] = []
        self._clean: list[tuple[int, int]] = []  # a heap of (-priority, index)
        self._cleared: defaultdict[str, list[int]] = defaultdict(list)  # label -> samples that really read as it
        self._unproven: dict[str, dict[int, str]] = defaultdict(dict)  # label -> sample -> `searched` or `undecided`
        self._averaged = set[str]()
        self._doubts: list[Lost] = []
        self._forwards = 0

    # --- fed in the order of the set ---

    def admit(self, readings: Sequence[SampleReading]) -> list[SearchTask]:
        """Take note of the next samples; which of them deserve a closer look."""
        tasks = []
        for reading in sorted(readings, key=lambda g: g.index):
            if not self._usable(reading):
                continue
            self._forwards += 1
            if reading.label in self.families.labels:
                tasks.append(SearchTask(reading.index, reading.label, known=True))
                continue
            if self._screen.suspicious(reading.margin) or self._search_anyway():
                tasks.append(SearchTask(reading.index, reading.label, known=False))
            else:
                self._screened.setdefault(reading.label, array("q")).append(reading.index)
                self._remember(reading.index)
        return tasks

    def record(self, outcomes: Sequence[SearchOutcome]) -> None:
        """Take note of what came of tasks."""
        for outcome in sorted(outcomes, key=lambda o: o.index):
            self._forwards += outcome.forwards
            self._waiting.discard(outcome.index)
            if outcome.match is not None:
                number, box, restored = outcome.match
                self.families.count_match(number)
                self._counts["matched"] += 1
                self._note_victim(outcome, number, restored, box, "match")
            elif outcome.finding is not None:
                number = self.families.add(outcome.finding)
                self._counts["searched"] += 1
                found = outcome.finding
                self._note_victim(outcome, number, found.restored_label, found.box, "search")
            elif outcome.status is Status.NOT_FOUND:
                self._counts["searched"] += 1
                self._unproven[outcome.label][outcome.index] = "searched"
                self._remember(outcome.index)
                if len(self._cleared[outcome.label]) < POOL_OF_LABEL:
                    self._cleared[outcome.label].append(outcome.index)
            else:
                self._unproven[outcome.label][outcome.index] = "undecided"
                self._fault(Fault(outcome.index, outcome.name, "undecided", outcome.reason))
        for label in self.families.labels & self._screened.keys():
            self._waiting.update(self._screened.pop(label))

    @property
    def waiting(self) -> frozenset[int]:
        """Samples that were only read and whose label has since been found to be an affected one: look again."""
        return frozenset(self._waiting)

    # --- what many samples show together ---

    def suspects(self) -> dict[str, list[int]]:
        """Samples in which no trigger was found, by the label that they read as, in the order of the set."""
        read = {label: list(self._unproven.get(label, ())) for label in {*self._unproven, *self._screened}}
        for label, indices in self._screened.items():
            read[label] += indices
        return {label: sorted(indices) for label, indices in sorted(read.items())}

    def undecided(self) -> dict[str, list[int]]:
        """Samples whose own search left a doubt, by the label that they read as, in the order of the set."""
        kept = {
            label: sorted(index for index, outcome in outcomes.items() if outcome == "undecided")
            for label, outcomes in sorted(self._unproven.items())
        }
        return {label: indices for label, indices in kept.items() if indices}

    def record_shared(
        self,
        label: str,
        trigger: Trigger | None,
        proof: TriggerProof,
        carriers: Sequence[SearchOutcome],
        forwards: int,
    ) -> None:
        """Take note of what the pictures of a label were found to share.

        Args:
            label: of them.
            trigger: what they share; None where that is no trigger.
            proof: that it takes over strangers.
            carriers: the pictures whose label goes with it; each was searched in vain, or only read.
            forwards: pictures that went through the checkpoint for the proof.
        """
        self._averaged.add(label)
        self._forwards += forwards + len(carriers)
        if trigger is None:
            return
        number = self.families.add_shared(label, trigger, proof.transplant, proof.control)
        for outcome in carriers:
            self._forget(outcome)
        self.record([replace(one, match=(number, *one.match[1:]), forwards=0) for one in carriers if one.match])

    def record_doubts(self, doubts: Sequence[Lost], names: Mapping[int, str], forwards: int) -> None:
        """Leave undecided the samples, each searched in vain or only read, of labels that a small blur takes away."""
        self._forwards += forwards
        self._doubts += doubts
        for one in doubts:
            for index in one.indices:
                outcome = SearchOutcome(index, names[index], one.label, Status.INCONCLUSIVE, reason=one.reason)
                self._forget(outcome)
                self.record([outcome])

    # --- the end ---

    def conclude(self, *, complete: bool, stopped: str = "") -> Identification:
        """What the scan found.

        Args:
            complete: the whole set was reached and nothing waits.
            stopped: a sentence that says why it was not.
        """
        doubtful = self.families.doubtful(among=len(self._seen))
        self._doubt(doubtful)
        families, places = self.families.finished(without=doubtful)
        coverage = self._coverage(complete and not self._waiting)
        status = _status(bool(families), coverage)
        victims = [Victim(*_placed(victim, places)) for victim in sorted(self._victims, key=lambda v: v.index)]
        poisoned, labels = {victim.index for victim in victims}, {family.target_label for family in families}
        doubted = {index for one in self._doubts for index in one.indices}
        return Identification(
            status=status,
            reason=stopped or self._reason(status, families, len(victims), coverage),
            families=families,
            victims=tuple(victims),
            coverage=coverage,
            faults=self._named_faults(),
            clean_pool=tuple(sorted({index for _, index in self._clean} - poisoned - doubted - self._waiting)),
            affected_pool=tuple(
                sorted({index for label in labels for index in self._cleared.get(label, ())} - poisoned)
            ),
            image_forwards=self._forwards,
            searched_kinds=self._kinds,
        )

    def _doubt(self, doubtful: Mapping[int, str]) -> None:
        """Leave undecided the samples of families that may be chance, each for the reason given."""
        doubted = [victim for victim in self._victims if victim.family in doubtful]
        self._victims = [victim for victim in self._victims if victim.family not in doubtful]
        for victim in doubted:
            self._counts["searched"] -= 1
            self._fault(Fault(victim.index, victim.name, "undecided", doubtful[victim.family]))

    def _coverage(self, complete: bool) -> Coverage:
        screened = sum(map(len, self._screened.values())) + len(self._waiting)
        names = ("searched", "matched", "undecided", "corrupt", "missing", "left_out")
        return Coverage(
            **{name: self._counts[name] for name in names},
            screened=screened,
            duplicates=self._counts["duplicate"],
            complete=complete,
            allowed_unread=self._config.allow_unread,
            averaged=len(self._averaged),
            doubted=sum(len(one.indices) for one in self._doubts),
        )

    def _named_faults(self) -> tuple[Fault, ...]:
        return tuple(sorted(self._faults, key=lambda fault: fault.index))

    def _reason(self, status: Status, families: Sequence[TriggerFamily], victims: int, coverage: Coverage) -> str:
        """One sentence for people."""
        account = coverage.account(tuple((fault.kind, fault.name) for fault in self._named_faults()))
        labels = sorted({family.target_label for family in families})
        told = verdict_reason(status, len(families), labels, victims, coverage, account)
        return " ".join([told, *(one.reason for one in self._doubts)])

    # --- parts ---

    def _usable(self, reading: SampleReading) -> bool:
        """Whether there is a picture to judge that was not judged before."""
        if reading.fault:
            self._fault(Fault(reading.index, reading.name, reading.fault, reading.reason))
            return False
        first = self._seen.setdefault(reading.digest, reading.index)
        if first != reading.index:
            self._fault(Fault(reading.index, reading.name, "duplicate", f"It holds the same bytes as sample {first}."))
            return False
        return True

    def _search_anyway(self) -> bool:
        return self._config.search == "every" or (self._config.search == "until_proven" and not self.families.proven)

    def _forget(self, outcome: SearchOutcome) -> None:
        """What came of a sample before: it was searched in vain, or only read."""
        if before := self._unproven[outcome.label].pop(outcome.index, None):
            self._counts[before] -= 1
            self._faults = [fault for fault in self._faults if fault.index != outcome.index]
        elif outcome.label in self._screened:
            self._screened[outcome.label].remove(outcome.index)

    def _fault(self, fault: Fault) -> None:
        self._counts[fault.kind] += 1
        if len(self._faults) < NAMED_FAULTS:
            self._faults.append(fault)

    def _note_victim(self, outcome: SearchOutcome, number: int, restored: str, box: Box, how: str) -> None:
        self._victims.append(Victim(outcome.index, outcome.name, outcome.label, restored, number, box, how))

    def _remember(self, index: int) -> None:
        """Keep a fair draw of the clean samples: those with the lowest of random priorities."""
        if index < POOL_WITHIN:
            heapq.heappush(self._clean, (-zlib.crc32(f"{self._seed}:{index}".encode()), index))
            if len(self._clean) > POOL:
                heapq.heappop(self._clean)


def _placed(victim: Victim, places: list[int]) -> tuple[int, str, str, str, int, Box, str]:
    """The victim's fields with the place of its family among the finished ones."""
    v = victim
    return v.index, v.name, v.shown_label, v.restored_label, places[v.family], v.box, v.how


def _status(found: bool, coverage: Coverage) -> Status:
    if found and coverage.complete:
        return Status.FOUND
    return Status.NOT_FOUND if not found and coverage.exhaustive else Status.INCONCLUSIVE
