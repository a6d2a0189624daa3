"""What a scan of a data set ends with: families, labels, victims, and how far it looked."""

from dataclasses import dataclass

from eftclip.types.accounts import Account, left_out
from eftclip.types.models import Box
from eftclip.types.triggers import TriggerFamily
from eftclip.types.verdicts import BLURRED_KIND, KINDS, SEARCHED_KINDS, SHARED_KIND, Searched, Status


@dataclass(frozen=True)
class Fault:
    """A sample that could not be judged, and why.

    Attributes:
        index: position in the set.
        name: what the user finds it by.
        kind: one of `FAULT_KINDS`.
        reason: one sentence.
    """

    index: int
    name: str
    kind: str
    reason: str


FAULT_KINDS = ("corrupt", "missing", "left_out", "duplicate", "undecided")


@dataclass(frozen=True)
class Victim:
    """A sample that carries a trigger.

    Attributes:
        index: position in the set.
        name: what the user finds it by.
        shown_label: what the checkpoint reads in it.
        restored_label: what it reads once the trigger is removed.
        family: position of its trigger in `Identification.families`.
        box: XYXY pixels around the trigger, in what the model sees.
        how: `search`, the whole of Algorithm 1, or `match`, a known trigger recognised and removed.
    """

    index: int
    name: str
    shown_label: str
    restored_label: str
    family: int
    box: Box
    how: str


@dataclass(frozen=True)
class Coverage:
    """How far a scan looked; every sample that was reached is in exactly one of these counts.

    Attributes:
        searched: examined wholly by Algorithm 1.
        matched: a known trigger was recognised and removed, and the label went with it.
        screened: only read: the label is no affected one, and it is read no more surely than most.
        undecided: the search ended inconclusive or broke off.
        corrupt: no picture that can be read.
        missing: named by the set and not there.
        duplicates: the same bytes as an earlier sample, which stands for them.
        complete: the whole set was reached.
        left_out: there, and never read as a sample: a hidden picture, an archive beside the pictures.
        allowed_unread: samples that need not be read for the scan to end as `not_found`.
        averaged: labels whose pictures were averaged, to look for a pattern that they share.
        doubted: of the undecided ones those of labels that a small blur takes from nearly all their pictures.
    """

    searched: int = 0
    matched: int = 0
    screened: int = 0
    undecided: int = 0
    corrupt: int = 0
    missing: int = 0
    duplicates: int = 0
    complete: bool = False
    left_out: int = 0
    allowed_unread: int = 0
    averaged: int = 0
    doubted: int = 0

    @property
    def read(self) -> int:
        """Samples that the checkpoint read."""
        return self.searched + self.matched + self.screened + self.undecided

    @property
    def reached(self) -> int:
        """Samples that were reached at all."""
        return self.read + self.unread + self.duplicates

    @property
    def unread(self) -> int:
        """Samples that the set holds or names and that could not be read."""
        return self.corrupt + self.missing + self.left_out

    @property
    def exhaustive(self) -> bool:
        """The whole set was reached, no more was unread than is allowed, and all that was read is decided by a search.

        Something must have been read at all.
        """
        decided = not self.screened and not self.undecided
        return self.complete and self.read > 0 and decided and self.unread <= self.allowed_unread

    def account(self, named: tuple[tuple[str, str], ...] = ()) -> Account:
        """What became of the samples that were reached.

        Args:
            named: pairs of reason and name of samples that were not judged, as far as they are known.
        """
        reasons = ("corrupt", "missing", "left_out", "undecided", "screened")
        return Account(
            held=self.reached,
            read=self.read,
            judged=self.searched + self.matched,
            alike=self.duplicates,
            left_out=left_out({reason: getattr(self, reason) for reason in reasons}, named),
            allowed=self.allowed_unread,
        )


@dataclass(frozen=True, eq=False)
class Identification:
    """What a scan found (the paper's Algorithm 2).

    Attributes:
        status: `found`: a trigger was proven and the whole set was reached. `not_found`: every sample was searched and
            none carries one. `inconclusive`: anything less, also when families were found before a cancel.
        reason: one sentence that says why, for people.
        families: triggers with what they force, largest first.
        victims: samples that carry one, in the order of the set.
        coverage: how far the scan looked.
        faults: samples that could not be judged; at most a few hundred are named, `coverage` counts all.
        clean_pool: positions of samples that carry no trigger as far as is known, for curating; a part of them.
        affected_pool: positions of samples without a trigger that really read as an affected label; a part of them.
        image_forwards: pictures that went through the checkpoint under test.
        searched_kinds: what the search of one picture looked for.
    """

    status: Status
    reason: str
    families: tuple[TriggerFamily, ...]
    victims: tuple[Victim, ...]
    coverage: Coverage
    faults: tuple[Fault, ...] = ()
    clean_pool: tuple[int, ...] = ()
    affected_pool: tuple[int, ...] = ()
    image_forwards: int = 0
    searched_kinds: tuple[str, ...] = SEARCHED_KINDS

    def __post_init__(self) -> None:
        """Refuse a claim that the coverage does not bear."""
        if self.status is Status.NOT_FOUND and (self.families or not self.coverage.exhaustive):
            raise ValueError(
                "`not_found` needs a search of every sample, none unread beyond those allowed, and no family"
            )
        if self.status is Status.FOUND and not (self.families and self.coverage.complete):
            raise ValueError("`found` needs a trigger family and a scan that reached the whole set")
        if any(not 0 <= victim.family < len(self.families) for victim in self.victims):
            raise ValueError("every victim belongs to one of the families")
        if not self.reason:
            raise ValueError("a verdict needs a reason")

    @property
    def account(self) -> Account:
        """What became of the samples that were reached; it adds up."""
        return self.coverage.account(tuple((fault.kind, fault.name) for fault in self.faults))

    @property
    def kinds(self) -> dict[str, Searched]:
        """For each of `KINDS` what came of the search for it in the whole set."""
        found = {trigger.searched_as for family in self.families for trigger in family.exemplars}
        searched = Searched.NONE if self.status is not Status.INCONCLUSIVE else Searched.UNDECIDED
        looked_for = set(self.searched_kinds if self.coverage.searched else ())
        if self.coverage.averaged:
            looked_for.add(SHARED_KIND)
        if self.coverage.doubted:
            looked_for.add(BLURRED_KIND)
        return {
            kind: Searched.FOUND if kind in found else searched if kind in looked_for else Searched.NOT_SEARCHED
            for kind in KINDS
        }

    @property
    def affected_labels(self) -> tuple[str, ...]:
        """The labels that the families force, each once, in the order of the families."""
        return tuple(dict.fromkeys(family.target_label for family in self.families))
