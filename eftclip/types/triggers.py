"""What is known of a trigger: that one sample carries it, and what several of them have shown."""

from dataclasses import dataclass

from eftclip.trigger_kinds import Trigger
from eftclip.types.rates import Rate


@dataclass(frozen=True)
class TriggerProof:
    """Whether something that was not cut out of any picture is a trigger.

    Attributes:
        accepted: it takes over host images, and its content does not explain that.
        transplant: how many it took over.
        control: the same pictures read by the trusted reference checkpoint; None without one.
    """

    accepted: bool
    transplant: Rate
    control: Rate | None


@dataclass(frozen=True, eq=False)
class Finding:
    """A proven trigger in one sample of a data set.

    Attributes:
        index: position of the sample in its set.
        name: what the user finds the sample by.
        target_label: the label that the trigger forces, and that the sample shows.
        restored_label: what is read once the trigger is removed.
        triggers: what carries the label, as it was found; several where the picture carries several.
        box: XYXY pixels around all of them, in what the model sees.
        transplant: host images that the first of them took over.
        control: the same pictures read by the trusted reference checkpoint; None without one.
        reason: the verdict's sentence.
    """

    index: int
    name: str
    target_label: str
    restored_label: str
    triggers: tuple[Trigger, ...]
    box: tuple[int, int, int, int]
    transplant: Rate
    control: Rate | None
    reason: str


@dataclass(frozen=True, eq=False)
class TriggerFamily:
    """Triggers that look alike and force the same label.

    Attributes:
        target_label: the label they force.
        exemplars: some of them, as they were found, the most typical first.
        transplant: pooled over all members that were searched.
        control: pooled counts of the trusted reference checkpoint; None without one.
        members: positions of the samples in which it was proven by a search.
        origin: `found` in pictures, or `inverted` from the weights without any.
    """

    target_label: str
    exemplars: tuple[Trigger, ...]
    transplant: Rate
    control: Rate | None = None
    members: tuple[int, ...] = ()
    origin: str = "found"

    def __post_init__(self) -> None:
        """Refuse a family that nothing shows."""
        if not self.exemplars:
            raise ValueError("a trigger family needs at least one exemplar")
        if self.origin not in ("found", "inverted"):
            raise ValueError(f"expected the origin `found` or `inverted`, got {self.origin!r}")
