"""From a data set to labelled pictures, and what could not be read of it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from eftclip.errors import DataError
from eftclip.evaluate.measure import LabelledImages
from eftclip.types import Account, ClassMatrix, ClipModel, Decode, Entry, Fault, ImageSet, fault_kind, left_out
from eftclip.zeroshot import IMAGES_PER_BATCH, probabilities

NAMED_FAULTS = 200


@dataclass
class MeasuredSamples:
    """What became of the samples of a set that is measured on.

    Attributes:
        measured: samples that are in the counts.
        faults: those that are not; at most a few hundred are named.
        counts: of all of them, by kind.
    """

    measured: int = 0
    faults: list[Fault] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def leave_out(self, entry: Entry, kind: str, why: str) -> None:
        """Take note of a sample that is in no count."""
        self.counts[kind] += 1
        if len(self.faults) < NAMED_FAULTS:
            self.faults.append(Fault(entry.index, entry.name, kind, why))

    def account(self, allowed: int) -> Account:
        """All samples that were reached; it adds up.

        Args:
            allowed: samples that may stay unread.
        """
        named = ((fault.kind, fault.name) for fault in self.faults)
        held = self.measured + self.counts.total()
        return Account(held, self.measured, self.measured, left_out=left_out(dict(self.counts), named), allowed=allowed)


def labelled_batches(
    clip: ClipModel, classes: ClassMatrix, images: ImageSet, truth: str, decode: Decode, found: MeasuredSamples
) -> Iterator[LabelledImages]:
    """A data set in batches with what each picture shows; memory holds one of them.

    Args:
        clip: the checkpoint, which is asked where the truth is what it reads.
        classes: the vocabulary as it reads it.
        images: the data set.
        truth: `labels` of the set, or `readings` of the checkpoint.
        decode: the bytes of a file to the square that the checkpoint sees.
        found: takes note of what became of each sample.
    """
    squares: list[Tensor] = []
    labels: list[str] = []
    for entry in images.entries():
        if truth == "labels" and not entry.text:
            found.leave_out(entry, *_unlabelled(entry))
            continue
        try:
            square = decode(entry.read())
        except DataError as error:
            found.leave_out(entry, fault_kind(error), str(error))
            continue
        found.measured += 1
        squares.append(square)
        labels.append(" ".join((entry.text or "").split()))
        if len(squares) == IMAGES_PER_BATCH:
            yield _batch(clip, classes, squares, labels, truth)
            squares, labels = [], []
    if squares:
        yield _batch(clip, classes, squares, labels, truth)


def _unlabelled(entry: Entry) -> tuple[str, str]:
    """Why a sample without a label is in no count: it may not even be a sample."""
    try:
        entry.read()
    except DataError as error:
        return fault_kind(error), str(error)
    return "unlabelled", f"{entry.name} has no label; give it one."


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
