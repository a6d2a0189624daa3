"""From a data set to labelled pictures, and what could not be read of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from eftclip.errors import DataError
from eftclip.evaluate.measure import LabelledImages
from eftclip.types import ClassMatrix, ClipModel, Decode, ImageSet
from eftclip.zeroshot import IMAGES_PER_BATCH, probabilities

NAMED = 3


@dataclass
class UnreadSamples:
    """Samples that could not be read."""

    names: list[str] = field(default_factory=list)

    def sentence(self) -> tuple[str, ...]:
        """A warning that names some of them."""
        if not self.names:
            return ()
        named = ", ".join(self.names[:NAMED]) + (", …" if len(self.names) > NAMED else "")
        return (f"{len(self.names)} samples could not be read and are in no count ({named}).",)


def labelled_batches(
    clip: ClipModel, classes: ClassMatrix, images: ImageSet, truth: str, decode: Decode, unread: UnreadSamples
) -> Iterator[LabelledImages]:
    """A data set in batches with what each picture shows; memory holds one of them.

    Args:
        clip: the checkpoint, which is asked where the truth is what it reads.
        classes: the vocabulary as it reads it.
        images: the data set.
        truth: `labels` of the set, or `readings` of the checkpoint.
        decode: the bytes of a file to the square that the checkpoint sees.
        unread: takes the names of samples that are in no batch.
    """
    squares: list[Tensor] = []
    labels: list[str] = []
    for entry in images.entries():
        if truth == "labels" and not entry.text:
            unread.names.append(f"{entry.name}: no label")
            continue
        try:
            square = decode(entry.read())
        except DataError:
            unread.names.append(entry.name)
            continue
        squares.append(square)
        labels.append(" ".join((entry.text or "").split()))
        if len(squares) == IMAGES_PER_BATCH:
            yield _batch(clip, classes, squares, labels, truth)
            squares, labels = [], []
    if squares:
        yield _batch(clip, classes, squares, labels, truth)


def _batch(
    clip: ClipModel, classes: ClassMatrix, squares: Sequence[Tensor], labels: Sequence[str], truth: str
) -> LabelledImages:
    images = torch.stack(list(squares))
    if truth == "labels":
        return LabelledImages(images, tuple(labels))
    return LabelledImages(
        images, tuple(classes.labels[k] for k in probabilities(clip, images, classes).argmax(-1).tolist())
    )


def first_labelled(images: ImageSet, most: int, decode: Decode) -> tuple[Tensor, list[str]]:
    """The first pictures of a set that can be read and have a text, `(n, 3, H, W)`, and their texts; n may be 0."""
    squares: list[Tensor] = []
    labels: list[str] = []
    for entry in images.entries():
        if len(squares) == most:
            break
        try:
            square = decode(entry.read())
        except DataError:
            continue
        if entry.text:
            squares.append(square)
            labels.append(" ".join(entry.text.split()))
    return (torch.stack(squares) if squares else torch.empty(0)), labels
