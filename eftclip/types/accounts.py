"""What a source holds and what became of it: an account that adds up, or cannot be made."""

from collections.abc import Iterable
from dataclasses import dataclass

from eftclip.errors import DataError, LeftOutError, MissingError

# What a source holds, or names, and nobody read; as many of these as the user allows leave a verdict as it is.
UNREAD = ("corrupt", "missing", "left_out", "unlabelled")
NAMED = 3  # examples of each reason
SAID = {
    "corrupt": "damaged or of no kind that is read",
    "missing": "named and not there",
    "left_out": "left out",
    "unlabelled": "without a label",
    "undecided": "undecided",
    "screened": "only read, not searched",
    "not_reached": "not reached",
}


@dataclass(frozen=True)
class LeftOut:
    """Samples that were not judged, for one reason.

    Attributes:
        reason: a key of `SAID`.
        count: how many.
        names: of the first ones, for people.
    """

    reason: str
    count: int
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Account:
    """What became of everything that a source holds; each of its samples is in exactly one count.

    Attributes:
        held: samples of the source, and whatever else in it may be a picture or hold some.
        read: pictures that the checkpoint read.
        judged: pictures with a verdict, or measured.
        alike: the same bytes as an earlier sample, which stands for them.
        left_out: all others, by reason.
        allowed: unread samples that the user accepts.
    """

    held: int
    read: int
    judged: int
    alike: int = 0
    left_out: tuple[LeftOut, ...] = ()
    allowed: int = 0

    def __post_init__(self) -> None:
        """Refuse an account in which something is lost."""
        if self.judged + self.alike + sum(item.count for item in self.left_out) != self.held:
            raise ValueError(f"expected judged, alike and left out to add up to {self.held} held, got {self}")
        if not 0 <= self.judged <= self.read <= self.held:
            raise ValueError(f"expected 0 <= judged <= read <= held, got {self}")

    @property
    def unread(self) -> int:
        """Samples that the source holds or names and that nobody could read."""
        return sum(item.count for item in self.left_out if item.reason in UNREAD)

    @property
    def settled(self) -> bool:
        """Whether everything was judged, but for as many unread samples as the user accepts."""
        return self.unread <= self.allowed and all(item.reason in UNREAD for item in self.left_out)

    def unread_sentence(self, *, names: bool = True) -> str:
        """`3 of 9 samples were not read (2 named and not there: a.png, b.png; …)`; empty where all were.

        Args:
            names: say which; without, the sentence can be published.
        """
        told = [item for item in self.left_out if item.reason in UNREAD]
        if not told:
            return ""
        each = "; ".join(f"{item.count:,} {SAID[item.reason]}{_named(item) if names else ''}" for item in told)
        verb = "was" if self.unread == 1 else "were"
        return f"{self.unread:,} of {self.held:,} samples {verb} not read ({each})"


def fault_kind(error: DataError) -> str:
    """The reason under which a sample that could not be read is counted."""
    if isinstance(error, LeftOutError):
        return "left_out"
    return "missing" if isinstance(error, MissingError) else "corrupt"


def left_out(counts: dict[str, int], named: Iterable[tuple[str, str]]) -> tuple[LeftOut, ...]:
    """The reasons that occurred, each with its first examples.

    Args:
        counts: samples by reason, a key of `SAID` each.
        named: pairs of reason and name, as far as names are known.
    """
    names: dict[str, list[str]] = {reason: [] for reason in SAID}
    for reason, name in named:
        if reason in names and len(names[reason]) < NAMED:
            names[reason].append(name)
    return tuple(LeftOut(reason, counts[reason], tuple(names[reason])) for reason in SAID if counts.get(reason))


def _named(item: LeftOut) -> str:
    more = item.count - len(item.names)
    return f": {', '.join(item.names)}{f' and {more:,} more' if more else ''}" if item.names else ""


def remedy(account: Account) -> str:
    """What to do about samples that were not read."""
    return f"Mend them or take them out, or allow that many to stay unread (--allow-unread {account.unread})."
