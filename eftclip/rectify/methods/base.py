"""The contract of a rectification method: which towers learn, and the loss of a step."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from eftclip.config import RectifyConfig
from eftclip.rectify.batches import Batch
from eftclip.types import ClipModel

CAPTION = "a photo of a {}."


@dataclass(frozen=True, eq=False)
class Teacher:
    """What a method may ask of the frozen original.

    Attributes:
        clip: the checkpoint as it was; a teacher on clean pictures only.
        captions: one for each curated item.
        processes: how many work together.
    """

    clip: ClipModel
    captions: tuple[str, ...]
    processes: int = 1

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """`(N, D)` of clean pictures."""
        return self.clip.encode_images(images)

    def groups(self, rows: Tensor) -> Tensor:
        """A number for each row, the same for equal captions: pictures of one label are no negatives of each other."""
        numbers = {caption: number for number, caption in enumerate(dict.fromkeys(self.captions))}
        return torch.tensor([numbers[self.captions[row]] for row in rows.tolist()], device=self.clip.device)


@dataclass(frozen=True)
class Method:
    """A way to fine-tune a poisoned checkpoint until its trigger means nothing.

    A method says what one step wants; everything else is the same for all of them and lies in `training_loop`: the copy
    that learns, views and triggers (`batches`), the validation set and the early stop, the learning rate, several
    processes, precision, and taking up a run that was killed. So methods can be compared: they differ in their loss
    and in nothing else.

    To add one, write a file beside `realign.py` with a loss and a `METHOD`, and list that in
    `eftclip.rectify.methods.METHODS`. It then is an option of the command line, of the page and of the benchmark, and
    has to pass `tests/rectify/test_methods.py`: its loss is one finite number, its gradient reaches the towers that it
    names and no other, the original is left as it is, and a step in pieces is the step as a whole where it says so.

    What a loss gets: the student to ask for features; a batch of views, without a trigger, with one, and as the samples
    were found, with the row of the curated item that each shows; the teacher, the frozen original, for features of
    clean pictures, captions and groups of equal captions; the settings.

    Attributes:
        loss: of one step, a scalar that gradients flow from.
        trains_text: whether the text side learns too. No method that rectifies needs it: these backdoors sit in the
            image side, and with the text side every label keeps its place.
        distils: whether the original says what a view means. Then views may show anything, and as the loss is a mean
            over them, a step can be taken in pieces.
        frozen: share of the weights that learn which stay as they are after all, counted from the picture on. The first
            layers of a convolutional tower hold few weights and cost most: nothing flows back through them then.
        images_per_view: pictures that go forward and backward for each view of a batch; the cost that is reported.
        about: one sentence for menus and reports.
    """

    loss: Callable[["Student", Batch, Teacher, RectifyConfig], Tensor]
    trains_text: bool
    distils: bool
    frozen: float
    images_per_view: int
    about: str


class Student(nn.Module):
    """The copy that learns, as one module, so that several processes can share its gradients."""

    def __init__(self, clip: ClipModel) -> None:
        """Wrap the model of `clip`; it is trained in eval mode, with its batch statistics frozen."""
        super().__init__()
        self.model = clip.model
        self._clip = clip

    def forward(self, images: Tensor, texts: Sequence[str] = ()) -> tuple[Tensor, Tensor]:
        """Features of pictures and of texts: `(N, D)` and `(M, D)`, of unit length."""
        features = self._clip.encode_images(images)
        return features, self._clip.encode_text(texts) if texts else features[:0]
