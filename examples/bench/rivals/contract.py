"""What every detector of the benchmark is given, and what it gives back: the same for our method and for its rivals.

Two kinds. A *picture detector* scores pictures one by one: is there a trigger in it? A *checkpoint detector* scores a
checkpoint of which no poisoned picture is known. In both a higher score is more suspicious, and whatever lies strictly
above a threshold is accused. A threshold is *published* when the method's authors gave one, or a rule that makes one
from clean pictures of the checkpoint under test; it is None where they gave neither.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self, runtime_checkable

from torch import Tensor

from eftclip.pipeline import CheckSetup
from eftclip.types import ClassMatrix, ClipModel

BACKWARD = 4.0  # a pass forward and back costs so many passes forward; 66 to 17 ms a picture on one core


class Count:
    """How many pictures went through a model."""

    pictures = 0


@dataclass(frozen=True, eq=False)
class CountedClip(ClipModel):
    """The same CLIP, which counts every picture that it encodes.

    Attributes:
        count: the counter.
    """

    count: Count = field(default_factory=Count)

    def encode_images(self, images: Tensor) -> Tensor:
        """As `ClipModel.encode_images`."""
        self.count.pictures += len(images)
        return super().encode_images(images)


def counted(clip: ClipModel) -> CountedClip:
    """A counting copy that shares the weights."""
    return CountedClip(clip.model, clip.preprocess, clip.tokenizer, clip.ref)


@dataclass(frozen=True, eq=False)
class Given:
    """Everything a detector may use.

    Attributes:
        setup: checkpoint, labels, oracle, strangers and reference, as `prepare_check` makes them.
        clip: the checkpoint under test, counting; the very one that is in `setup`.
        photographs: `(R, 3, image_px, image_px)` in [0, 1], clean, and none of them judged: what a defender has.
        candidates: labels for methods that try one label after another, the likeliest targets first.
        seed: of every draw.
    """

    setup: CheckSetup
    clip: CountedClip
    photographs: Tensor
    candidates: tuple[str, ...]
    seed: int = 0

    @property
    def classes(self) -> ClassMatrix:
        """The vocabulary as the checkpoint reads it."""
        return self.setup.classes


def given(setup: CheckSetup, photographs: Tensor, candidates: Sequence[str] = (), seed: int = 0) -> Given:
    """What detectors are given, with a checkpoint that counts."""
    clip = counted(setup.clip)
    return Given(replace(setup, clip=clip), clip, photographs, tuple(candidates), seed)


@dataclass(frozen=True, eq=False)
class PictureScores:
    """What a picture detector says of N pictures.

    Attributes:
        scores: `(N,)` float32, higher is more suspicious.
        masks: `(N, H, W)` bool, where the trigger is; None from a method that does not say.
        labels: the label that each picture's trigger forces, None where nothing was found; None from a method that
            does not say.
        undecided: `(N,)` bool, pictures on which the method would not decide; none of them when left out.
    """

    scores: Tensor
    masks: Tensor | None = None
    labels: tuple[str | None, ...] | None = None
    undecided: Tensor | None = None


@dataclass(frozen=True, eq=False)
class CheckpointScore:
    """What a checkpoint detector says.

    Attributes:
        score: higher is more suspicious.
        labels: the target labels that it names, the surest first; empty where it found nothing.
        details: numbers behind it, ready for JSON.
    """

    score: float
    labels: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)


Scorer = Callable[[Tensor], PictureScores]


@runtime_checkable
class PictureDetector(Protocol):
    """Scores pictures one by one; what it says of one does not depend on the others.

    Attributes:
        name: in tables and on the command line.
        passes: what one picture costs, in pictures that go forward through the model.
    """

    @property
    def name(self) -> str: ...

    @property
    def passes(self) -> float: ...

    def prepare(self, given: Given) -> Scorer:
        """Do once what is done once for a checkpoint.

        Returns:
            a function from `(N, 3, image_px, image_px)` in [0, 1] to scores.
        """
        ...

    def published(self, clean: Tensor) -> float | None:
        """The published threshold, or what the published rule makes of the `(M,)` scores of clean pictures."""
        ...


@runtime_checkable
class CheckpointDetector(Protocol):
    """Scores a checkpoint alone.

    Attributes:
        name: in tables and on the command line.
        passes: what a checkpoint costs, in pictures that go forward through the model.
        threshold: the published one, or None.
    """

    @property
    def name(self) -> str: ...

    @property
    def passes(self) -> float: ...

    @property
    def threshold(self) -> float | None: ...

    def within(self, passes: float) -> Self:
        """The same method with as much work as `passes` allow, never more than was published."""
        ...

    def judge(self, given: Given) -> CheckpointScore:
        """Look at the checkpoint."""
        ...
