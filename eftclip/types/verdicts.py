"""What a search ends with: a verdict that cannot claim more than was done."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from torch import Tensor

from eftclip.trigger_kinds import Trigger
from eftclip.types.models import Box
from eftclip.types.rates import Rate


class Status(StrEnum):
    """What a search ended with; only a complete search may end with `NOT_FOUND`."""

    FOUND = "found"
    NOT_FOUND = "not_found"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"


class Searched(StrEnum):
    """What came of the search for one kind of trigger."""

    FOUND = "found"
    NONE = "none"
    UNDECIDED = "undecided"
    NOT_SEARCHED = "not_searched"


# Every kind that is published, and its name for people; a verdict says of each what came of it.
KINDS = {
    "patch": "patches",
    "pattern": "fine patterns over the whole picture",
    "smooth_pattern": "smooth patterns",
    "warp": "warps",
    "colour": "colour filters",
}
SEARCHED_KINDS = ("patch", "pattern", "colour")  # those that a search of one picture looks for
SHARED_KIND = "smooth_pattern"  # what only many pictures show together, in a scan
BLURRED_KIND = "warp"  # what a small blur undoes: found where it scatters all pixels, else it can only be doubted
NOTHING_SEARCHED: Mapping[str, Searched] = dict.fromkeys(KINDS, Searched.NOT_SEARCHED)


@dataclass(frozen=True)
class Prediction:
    """A label that CLIP reads, with its probability among all labels asked for."""

    label: str
    probability: float


@dataclass(frozen=True)
class LabelEvidence:
    """One of the labels CLIP reads in the picture, and whether an object that the oracle sees explains it.

    Attributes:
        label: the label.
        probability: in the whole picture.
        support: the highest confidence with which any examined part of the picture, the carrier left out,
            shows that label when it is read without its surroundings.
        explained: support reaches the configured confidence θ.
    """

    label: str
    probability: float
    support: float
    explained: bool


@dataclass(frozen=True, eq=False)
class TransplantExample:
    """A host image, `(3, H, W)`, with the suspected trigger planted in it, read before and after."""

    image: Tensor
    label_before: str
    label_after: str
    taken_over: bool


@dataclass(frozen=True, eq=False)
class FoundTrigger:
    """A trigger in one picture, with the evidence that it forces its label on strangers' photographs.

    Attributes:
        target_label: the label it forces.
        mask: `(H, W)` bool in the picture that the model sees.
        box: XYXY pixels around the mask.
        transplant: strangers' photographs that became the target label, of those tried.
        examples: some of those photographs, for showing.
        control: the same pictures read by the trusted reference checkpoint; None when there was none.
        parts: the mask of each patch, where the picture carries several; `transplant` is of the first.
        triggers: what is at each of the parts, as a value that can be planted; `transplant` is of the first.
    """

    target_label: str
    mask: Tensor
    box: Box
    transplant: Rate
    examples: tuple[TransplantExample, ...] = ()
    control: Rate | None = None
    parts: tuple[Tensor, ...] = ()
    triggers: tuple[Trigger, ...] = ()

    @property
    def kind(self) -> str:
        """One of `eftclip.trigger_kinds.TRIGGER_KINDS`."""
        return self.triggers[0].kind if self.triggers else "patch"

    @property
    def in_place(self) -> bool:
        """Whether one of them was proven at its own place only, not anywhere."""
        return any(trigger.in_place for trigger in self.triggers)

    @property
    def area_fraction(self) -> float:
        """Share of the picture that the mask covers, in [0, 1]."""
        return float(self.mask.float().mean())


@dataclass(frozen=True, eq=False)
class NamedPart:
    """What the paper's Algorithm 1 names in a picture by its own rule; by itself no proof.

    Attributes:
        label: that the checkpoint reads in the picture and in this part, and the prompted oracle sees nowhere.
        mask: `(H, W)` bool, the part: a box.
        box: XYXY pixels around it.
        confidence: with which the checkpoint reads the label in the part alone, in [0, 1].
        others: further labels that the rule names.
        transplant: strangers' photographs that the part took over, of those tried; None where none was tried.
    """

    label: str
    mask: Tensor
    box: Box
    confidence: float
    others: tuple[str, ...] = ()
    transplant: Rate | None = None


@dataclass(frozen=True, eq=False)
class Detection:
    """The verdict on one picture.

    Attributes:
        status: see `Status`.
        reason: one sentence that says why, for people.
        predictions: the τ best labels of the picture, best first; empty where it could not be read.
        difference: evidence for each of those labels.
        trigger: present exactly when the status is `FOUND`.
        purified: `(3, H, W)` the picture with the trigger and a narrow rim around it removed; only with a trigger.
        purified_predictions: what the model reads then, best first.
        examined: parts (regions of the oracle, and windows over the whole picture) that were examined.
        regions: all parts that had to be examined; a picture has at least its windows.
        image_forwards: pictures that went through the CLIP under test.
        kinds: for each of `KINDS` what came of the search for it; a trigger that is found ends it.
        algorithm: which one judged, as `DetectConfig.algorithm` names it.
        named: what the paper's algorithm names, proven or not; None where it names nothing, and with ours.
    """

    status: Status
    reason: str
    predictions: tuple[Prediction, ...] = ()
    difference: tuple[LabelEvidence, ...] = ()
    trigger: FoundTrigger | None = None
    purified: Tensor | None = field(default=None, repr=False)
    purified_predictions: tuple[Prediction, ...] = ()
    examined: int = 0
    regions: int = 0
    image_forwards: int = 0
    kinds: Mapping[str, Searched] = field(default_factory=lambda: NOTHING_SEARCHED)
    algorithm: str = "eftclip"
    named: NamedPart | None = None

    def __post_init__(self) -> None:
        """Refuse a verdict that claims more than was done."""
        if list(self.kinds) != list(KINDS):
            raise ValueError(f"a verdict speaks of the kinds {', '.join(KINDS)}, got {', '.join(self.kinds)}")
        if self.status is Status.NOT_FOUND and Searched.UNDECIDED in self.kinds.values():
            raise ValueError("`not_found` needs a decision on every kind that was searched")
        if (self.status is Status.FOUND) != (self.trigger is not None):
            raise ValueError("a trigger belongs to `found` and to nothing else")
        if self.named is not None and self.status is Status.NOT_FOUND:
            raise ValueError("`not_found` names nothing")
        if self.purified is not None and self.trigger is None:
            raise ValueError("a purified picture belongs to a trigger and to nothing else")
        if not 0 <= self.examined <= self.regions:
            raise ValueError(f"expected 0 <= examined <= regions, got {self.examined} of {self.regions}")
        complete = self.regions > 0 and self.examined == self.regions and self.predictions
        if self.status is Status.NOT_FOUND and not complete:
            raise ValueError(
                f"`not_found` needs a complete search, but {self.examined} of {self.regions} parts were examined"
            )
        if not self.reason:
            raise ValueError("a verdict needs a reason")
