"""The contract of a rectification method: what it prepares, which towers learn, and the loss of a step."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from eftclip.config import RectifyConfig, own_numbers
from eftclip.rectify.activations import answers
from eftclip.rectify.batches import Batch
from eftclip.rectify.schedules import warm_up
from eftclip.runtime import Cancelled, OnProgress, ignore, never
from eftclip.types import ClassMatrix, ClipModel, CuratedItem

CAPTION = "a photo of a {}."


@dataclass(frozen=True, eq=False)
class Teacher:
    """What a method may ask of the frozen original.

    Attributes:
        clip: the checkpoint as it was; a teacher on clean pictures only.
        captions: one for each curated item.
        processes: how many work together.
        found_out: what the method's `prepare` found out; None for a method that prepares nothing.
    """

    clip: ClipModel
    captions: tuple[str, ...]
    processes: int = 1
    found_out: Any = None

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """`(N, D)` of clean pictures."""
        return self.clip.encode_images(images)

    @torch.no_grad()
    def answers(self, images: Tensor, layers: Sequence[str]) -> list[Tensor]:
        """`(N, D)` of clean pictures, and what the image side's modules `layers` give out for them, `(N, …)` each."""
        return answers(self.clip, images, layers)

    @torch.no_grad()
    def text_features(self, texts: Sequence[str]) -> Tensor:
        """`(N, D)` of captions."""
        return self.clip.encode_text(texts)

    def told(self, rows: Tensor) -> list[str]:
        """The captions of some rows."""
        return [self.captions[row] for row in rows.tolist()]

    def groups(self, rows: Tensor) -> Tensor:
        """A number for each row, the same for equal captions: pictures of one label are no negatives of each other."""
        numbers = {caption: number for number, caption in enumerate(dict.fromkeys(self.captions))}
        return torch.tensor([numbers[self.captions[row]] for row in rows.tolist()], device=self.clip.device)


@dataclass(frozen=True, eq=False)
class Preparation:
    """What a method may look at, and change, before the first step.

    Attributes:
        student: the copy that will learn; the only thing that may be changed.
        clip: the original.
        items: the curated pictures that are tuned on; of a method that does not see triggers none is poisoned.
        classes: the vocabulary, as the original reads it.
        config: the settings, settled.
        seed: of every draw.
        on_progress: told how far a long preparation is.
        cancelled: asked often; a preparation that is cancelled returns what it has, the run ends after it.
    """

    student: ClipModel
    clip: ClipModel
    items: Sequence[CuratedItem]
    classes: ClassMatrix
    config: RectifyConfig
    seed: int = 0
    on_progress: OnProgress = ignore
    cancelled: Cancelled = never

    @property
    def pictures(self) -> Tensor:
        """`(N, 3, px, px)` float32 RGB in [0, 1], without a trigger."""
        return torch.stack([item.image for item in self.items])


@dataclass(frozen=True, eq=False)
class Prepared:
    """What came of a preparation.

    Attributes:
        found_out: for the loss, as `teacher.found_out`.
        after_step: put right after every step, e.g. what was pruned stays pruned.
        image_steps: pictures that went forward and backward for it.
        remark: one sentence for the report; empty for none.
    """

    found_out: Any = None
    after_step: Callable[[], None] = lambda: None
    image_steps: int = 0
    remark: str = ""


def nothing_prepared(before: Preparation) -> Prepared:
    """For a method that begins with the first step."""
    del before
    return Prepared()


@dataclass(frozen=True)
class Own:
    """A number that only one method has, with its range.

    Attributes:
        value: the default, of the publication where it is known.
        low, high: the range, ends included.
        about: what it is, in a few words.
    """

    value: float
    low: float
    high: float
    about: str


def own_of(config: RectifyConfig, name: str) -> float:
    """A number of settled settings that only this method has."""
    return own_numbers(config.own)[name]


@dataclass(frozen=True)
class Method:
    """A way to fine-tune a poisoned checkpoint until its trigger means nothing.

    A method says what one step wants; everything else is the same for all of them and lies in `training_loop`: the copy
    that learns, views and triggers (`batches`), the validation set and the early stop, the optimiser, several
    processes, precision, and taking up a run that was killed. So methods can be compared: they differ in their loss, in
    what they do before the first step, and in the settings that their authors chose.

    To add one, write a file with a loss and a `METHOD`: in a package of your own with an entry point of the group
    `eftclip.methods` (examples/guide/your_method.md), or beside `realign.py`, listed in
    `eftclip.rectify.methods.METHODS`. It then is an option of the command line, of the page and of the benchmark, and
    has to pass `tests/rectify/test_methods.py`: its loss is one finite number, its gradient reaches the towers that it
    names and no other, the original is left as it is, a step in pieces is the step as a whole where it says so, and a
    method that does not see triggers ends bit for bit the same whatever the scan found.

    What a loss gets: the student to ask for features; a batch of views, without a trigger, with one, and as the samples
    were found, with the row of the curated item that each shows and a seed for what the method draws itself; the
    teacher, the frozen original, for features of clean pictures, what its modules give out, captions and groups of
    equal captions; the settings.

    Attributes:
        loss: of one step, a scalar that gradients flow from.
        trains_text: whether the text side learns too. No method that rectifies needs it: these backdoors sit in the
            image side, and with the text side every label keeps its place.
        distils: whether the original says what a view means. Then views may show anything, and as the loss is a mean
            over them, a step can be taken in pieces.
        frozen: share of the weights that learn which stay as they are after all, counted from the picture on. The first
            layers of a convolutional tower hold few weights and cost most: nothing flows back through them then.
        frozen_if_unsure: the same of a checkpoint that is unsure of what it reads, see `validation`; None for no other.
        images_per_view: pictures that go forward and backward for each view of a batch; the cost that is reported.
        title: what its authors call it.
        about: one sentence for menus and reports.
        sees_triggers: whether it is shown what the scan found: triggers in the views, victims as they were found, and
            an early end once no trigger takes a held-out picture over. Without, views carry none, no poisoned picture
            is shown, and the run takes all its steps; the looks at held-out pictures are noted and decide nothing.
        steps, batch, learning_rate: where the user gives none.
        schedule: share of the learning rate after some of all steps.
        prepare: what is done once before the first step, the same again when a run is taken up.
        own: numbers that only this method has, by name.
        sparing: whether only as much of the change is kept in the end as held-out pictures need, see `blending`.
    """

    loss: Callable[["Student", Batch, Teacher, RectifyConfig], Tensor]
    trains_text: bool
    distils: bool
    frozen: float
    images_per_view: int
    title: str
    about: str
    sees_triggers: bool = True
    steps: int = 50
    batch: int = 32
    learning_rate: float = 3e-4
    schedule: Callable[[int, int], float] = warm_up
    prepare: Callable[[Preparation], Prepared] = nothing_prepared
    own: Mapping[str, Own] = field(default_factory=dict)
    sparing: bool = False
    frozen_if_unsure: float | None = None


class Student(nn.Module):
    """The copy that learns, as one module, so that several processes can share its gradients."""

    def __init__(self, clip: ClipModel) -> None:
        """Wrap the model of `clip`; it is trained in eval mode, with its batch statistics frozen."""
        super().__init__()
        self.model = clip.model
        self._clip = clip

    def forward(self, images: Tensor, texts: Sequence[str] = (), layers: Sequence[str] = ()) -> tuple[Tensor, ...]:
        """Features of pictures and of texts: `(N, D)` and `(M, D)`, of unit length.

        After them what the image side's modules `layers` give out, one `(N, …)` each.
        """
        features, *seen = answers(self._clip, images, layers)
        told = self._clip.encode_text(texts) if texts else features[:0]
        return features, told, *seen
