"""One checkpoint, one data set, one measurement: CA, and ASR and PA for triggers that somebody names."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from eftclip import data
from eftclip.config import RectifyConfig
from eftclip.data import ImageSet
from eftclip.errors import DataError
from eftclip.evaluate import Attack, Labelled, evaluate
from eftclip.pipeline.books import Books
from eftclip.pipeline.mend import Way
from eftclip.pipeline.prepare import Labels, read_labels
from eftclip.rectify import finetune
from eftclip.types import ClassMatrix, ClipModel, Evaluation, RunRecord, Sanity
from eftclip.zeroshot import IMAGES_PER_BATCH, class_matrix, parse_labels, probabilities

REBOUND_PICTURES = 1000  # held in memory, 0.6 MB each at 224 px
NAMED = 3


@dataclass(frozen=True)
class Rebound:
    """Innocent fine-tuning, to see whether a backdoor comes back (attacks.md, "Measures").

    Attributes:
        images: labelled pictures to tune on; none of those that are measured.
        steps: optimiser steps.
        learning_rate: at its highest.
    """

    images: ImageSet
    steps: int = 300
    learning_rate: float = 1e-4


@dataclass
class _Unread:
    """Samples that could not be read."""

    names: list[str] = field(default_factory=list)

    def sentence(self) -> tuple[str, ...]:
        """A warning that names some of them."""
        if not self.names:
            return ()
        named = ", ".join(self.names[:NAMED]) + (", …" if len(self.names) > NAMED else "")
        return (f"{len(self.names)} samples could not be read and are in no count ({named}).",)


def run_evaluate(
    clip: ClipModel,
    found: Sanity,
    images: ImageSet,
    attacks: Sequence[Attack],
    *,
    labels: Labels | None = None,
    rebound: Rebound | None = None,
    seed: int = 0,
    way: Way | None = None,
) -> RunRecord:
    """Measure a checkpoint on a data set, read as a stream.

    Args:
        clip: the checkpoint, as `load_checkpoint` returned it.
        found: the same, whether it works.
        images: the data set. Without labels of its own, what the checkpoint reads in the untouched pictures is the
            truth, and the evaluation says so.
        attacks: triggers with their targets.
        labels: the vocabulary, as for `prepare_check`; left out, the set's own labels and the targets where it has
            labels, else ImageNet's.
        rebound: also measure once more after innocent fine-tuning.
        seed: of the fine-tuning.
        way: progress and cancel.

    Raises:
        DataError: nothing can be measured, or the work was stopped.
    """
    how = way or Way()
    books = Books("evaluate", clip, {}, seed, how.team)
    names, source = _vocabulary(images, attacks, labels)
    truth = "labels" if images.text_kind == "label" else "readings"
    results: dict[str, Any] = {}
    with books.stage("measure"):
        before = results["before"] = _measured(books.clip, names, images, attacks, truth, how)
    conclusion = f"CA {before.clean}, ASR {before.attack}, PA {before.poisoned}."
    if rebound is not None:
        with books.stage("fine-tune"):
            tuned, image_steps = _tuned(books.clip, rebound, seed, how)
        books.note(image_steps=image_steps)
        with books.stage("measure rebound"):
            after = results["rebound"] = _measured(tuned, names, images, attacks, truth, how)
        conclusion += f" After {rebound.steps} steps of clean fine-tuning ASR {after.attack}."
    about = {"ref": clip.ref, "labels": (len(names), source), "oracle": "not used", "reference": None, "sanity": found}
    return books.close(images, conclusion, **about, **results)


def _vocabulary(images: ImageSet, attacks: Sequence[Attack], labels: Labels | None) -> tuple[tuple[str, ...], str]:
    """The labels to choose among, and where they come from; no picture is read for it."""
    if labels is not None or images.text_kind != "label":
        return read_labels("imagenet" if labels is None else labels)
    texts = dict.fromkeys(" ".join(entry.text.split()) for entry in images.entries() if entry.text)
    return parse_labels([*texts, *(attack.target_label for attack in attacks)]), "the set"


def _measured(
    clip: ClipModel, names: Sequence[str], images: ImageSet, attacks: Sequence[Attack], truth: str, how: Way
) -> Evaluation:
    unread, classes = _Unread(), class_matrix(clip, names, cancelled=how.cancelled)
    found = evaluate(
        clip,
        classes,
        _batches(clip, classes, images, truth, unread),
        attacks,
        truth=truth,
        pictures=images.source,
        on_progress=lambda step: how.on_progress(replace(step, total=images.length or 0)),
        cancelled=how.cancelled,
    )
    return replace(found, warnings=(*found.warnings, *unread.sentence()))


def _batches(
    clip: ClipModel, classes: ClassMatrix, images: ImageSet, truth: str, unread: _Unread
) -> Iterator[Labelled]:
    """The set in batches; memory holds one of them."""
    squares: list[Tensor] = []
    labels: list[str] = []
    for entry in images.entries():
        if truth == "labels" and not entry.text:
            unread.names.append(f"{entry.name}: no label")
            continue
        try:
            square, _ = clip.preprocess.square(data.read_picture(entry.read()))
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
) -> Labelled:
    images = torch.stack(list(squares))
    if truth == "labels":
        return Labelled(images, tuple(labels))
    return Labelled(images, tuple(classes.labels[k] for k in probabilities(clip, images, classes).argmax(-1).tolist()))


def _tuned(clip: ClipModel, rebound: Rebound, seed: int, how: Way) -> tuple[ClipModel, int]:
    """A copy after innocent fine-tuning, and the image-steps it took."""
    squares: list[Tensor] = []
    labels: list[str] = []
    for entry in rebound.images.entries():
        if len(squares) == REBOUND_PICTURES:
            break
        try:
            square, _ = clip.preprocess.square(data.read_picture(entry.read()))
        except DataError:
            continue
        if entry.text:
            squares.append(square)
            labels.append(" ".join(entry.text.split()))
    if not squares:
        raise DataError(f"{rebound.images.source} has no labelled picture to fine-tune on; name another set.")
    config = RectifyConfig(steps=rebound.steps, learning_rate=rebound.learning_rate)
    tuned, done = finetune(
        clip,
        torch.stack(squares),
        labels,
        config,
        seed=seed,
        on_progress=how.on_progress,
        cancelled=how.cancelled,
    )
    if done.stopped == "cancelled":
        raise DataError("Stopped while fine-tuning; the rebound was not measured.")
    return tuned, done.image_steps
