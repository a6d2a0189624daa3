"""What a checkpoint is measured on: pictures that were not tuned on, their labels, and the triggers that were found."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from eftclip.config import LEAST_MEASURED, MeasureConfig
from eftclip.errors import DataError
from eftclip.evaluate.measure import Attack, LabelledImages, evaluate
from eftclip.runtime import Cancelled, OnProgress, ignore, never, seeded
from eftclip.trigger_kinds import plant_in_turns
from eftclip.types import (
    ClassMatrix,
    ClipModel,
    CuratedSet,
    Decode,
    Evaluation,
    Identification,
    ImageSet,
    RereadVictim,
    TriggerFamily,
)
from eftclip.zeroshot import class_matrix, probabilities, top

MEASURED_VICTIMS, REREAD = 100, 8
BATCH = 32


@dataclass(frozen=True, eq=False)
class EvaluationSet:
    """Pictures with labels and triggers, fixed once, so that before and after are measured alike.

    Attributes:
        classes: the vocabulary, as the checkpoint before reads it.
        pictures: with what they show.
        victims: poisoned samples with the label of their trigger, those that were not curated first; None where none
            is known.
        names: of the victims.
        families: the triggers.
        truth: `labels` or `readings`, see `Evaluation`.
        about: what is measured on, for people.
        seed: draws the places of triggers.
    """

    classes: ClassMatrix
    pictures: LabelledImages
    victims: LabelledImages | None
    names: tuple[str, ...]
    families: tuple[TriggerFamily, ...]
    truth: str
    about: str
    seed: int

    def measure(self, clip: ClipModel, *, on_progress: OnProgress = ignore, cancelled: Cancelled = never) -> Evaluation:
        """CA, ASR, PA and the fate of the victims.

        Raises:
            DataError: stopped.
        """
        attacks = [_attack(family, self.seed + k) for k, family in enumerate(self.families)]
        parts = (
            LabelledImages(self.pictures.images[k : k + BATCH], self.pictures.labels[k : k + BATCH])
            for k in range(0, len(self.pictures.labels), BATCH)
        )
        return evaluate(
            clip,
            self.classes,
            parts,
            attacks,
            victims=self.victims,
            truth=self.truth,
            pictures=self.about,
            on_progress=on_progress,
            cancelled=cancelled,
        )


def reread_victims(measured_on: EvaluationSet, before: ClipModel, after: ClipModel) -> tuple[RereadVictim, ...]:
    """Some of the victims, read by the checkpoint before and after."""
    if measured_on.victims is None:
        return ()
    images = measured_on.victims.images[:REREAD]
    told = [
        [top(row, measured_on.classes, 1)[0] for row in probabilities(clip, images, measured_on.classes)]
        for clip in (before, after)
    ]
    return tuple(
        RereadVictim(name, image, *pair)
        for name, image, *pair in zip(measured_on.names[:REREAD], images, *told, strict=True)
    )


def _attack(family: TriggerFamily, seed: int) -> Attack:
    """The family's exemplars at random places, the same ones at every measurement."""
    generator = seeded(seed)
    return Attack(family.target_label, lambda images: plant_in_turns(images, family.exemplars, generator=generator))


def choose_evaluation_set(
    clip: ClipModel,
    classes: ClassMatrix,
    images: ImageSet | None,
    found: Identification,
    curated: CuratedSet,
    config: MeasureConfig,
    *,
    decode: Decode,
    spare: Callable[[int], Tensor],
    seed: int = 0,
    cancelled: Cancelled = never,
) -> EvaluationSet:
    """Choose what to measure on: clean samples of the set that were not curated, and victims.

    Labels of the set are the truth where it states any and the checkpoint can read them; otherwise what the checkpoint
    reads before it is changed is, and the evaluation says so.

    Args:
        clip: the checkpoint before it is changed.
        classes: the vocabulary as it reads it.
        images: the set that was scanned; None without one.
        found: what the scan found in it.
        curated: the fine-tuning set.
        config: how many pictures.
        decode: the bytes of a file to the square that the checkpoint sees.
        spare: that many views of bundled photographs, `(n, 3, image_px, image_px)`.
        seed: draws the places of triggers.
        cancelled: asked before every picture.

    Raises:
        DataError: stopped, or the set cannot be read any more.
    """
    tuned = {item.index for item in curated.items}
    clean = [index for index in found.clean_pool if index not in tuned][: config.measured]
    fresh_first = sorted(found.victims, key=lambda victim: victim.index in tuned)[:MEASURED_VICTIMS]
    shown = {victim.index: victim.shown_label for victim in fresh_first}
    names = {victim.index: victim.name for victim in fresh_first}
    read = {} if images is None else _read(images, {*clean, *shown}, decode, cancelled)
    kept = [index for index in clean if index in read]
    known = [index for index in shown if index in read]
    victims = (
        LabelledImages(torch.stack([read[i][0] for i in known]), tuple(shown[i] for i in known)) if known else None
    )
    poisoned: dict[str, Any] = {"victims": victims, "names": tuple(names[i] for i in known), "families": found.families}
    if len(kept) < LEAST_MEASURED:
        squares, texts = spare(config.measured), []
        about = f"{len(squares)} views of photographs that ship in the dependencies"
    else:
        squares, texts = torch.stack([read[i][0] for i in kept]), [read[i][1] for i in kept]
        about = f"{len(kept)} pictures of {images.source if images else ''} that were not tuned on"
    labelled = _with_own_labels(clip, squares, texts, found.families, cancelled) if texts else None
    vocabulary, pictures = labelled or (classes, _readings(clip, squares, classes))
    truth = "labels" if labelled else "readings"
    return EvaluationSet(vocabulary, pictures, truth=truth, about=about, seed=seed, **poisoned)


def _with_own_labels(
    clip: ClipModel,
    squares: Tensor,
    texts: Sequence[str | None],
    families: Sequence[TriggerFamily],
    cancelled: Cancelled,
) -> tuple[ClassMatrix, LabelledImages] | None:
    """The set's own labels as the vocabulary, the forced ones added; None where they are no labels one could read."""
    names = [text for text in texts if text]
    distinct = tuple(dict.fromkeys(names))
    if len(names) < len(texts) or not 2 <= len(distinct) <= len(texts) // 2:
        return None  # captions are all different, or there are none
    vocabulary = tuple(dict.fromkeys([*distinct, *(family.target_label for family in families)]))
    classes = class_matrix(clip, vocabulary, cancelled=cancelled)
    pictures = LabelledImages(squares, tuple(names))
    clean = evaluate(clip, classes, [pictures], ()).clean
    return (classes, pictures) if clean.interval()[0] > 2 / len(vocabulary) else None


def _readings(clip: ClipModel, squares: Tensor, classes: ClassMatrix) -> LabelledImages:
    """Pictures with what the checkpoint reads in them."""
    best = probabilities(clip, squares, classes).argmax(-1).tolist()
    return LabelledImages(squares, tuple(classes.labels[k] for k in best))


def _read(
    images: ImageSet, wanted: set[int], decode: Decode, cancelled: Cancelled
) -> dict[int, tuple[Tensor, str | None]]:
    """Squares and texts of some samples; one that cannot be read any more is left out."""
    read: dict[int, tuple[Tensor, str | None]] = {}
    last = max(wanted, default=-1)
    for entry in images.entries():
        if entry.index > last:
            break
        if entry.index in wanted:
            if cancelled():
                raise DataError("Stopped while the pictures to measure on were being read; nothing was changed.")
            try:
                square = decode(entry.read())
            except DataError:
                continue
            read[entry.index] = (square, " ".join(entry.text.split()) if entry.text else None)
    return read
