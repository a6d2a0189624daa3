"""What a checkpoint is measured on: pictures that were not tuned on, their labels, and the triggers that were found."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from eftclip import data
from eftclip.data import ImageSet
from eftclip.errors import DataError
from eftclip.evaluate import Attack, Labelled, evaluate
from eftclip.paste import scatter
from eftclip.pipeline.prepare import CheckSetup
from eftclip.runtime import Cancelled, OnProgress, ignore, never, seeded
from eftclip.types import ClassMatrix, ClipModel, CuratedSet, Evaluation, Identification, TriggerFamily, Witness
from eftclip.zeroshot import class_matrix, probabilities, top

MEASURED = 300  # pictures at most; below 200 an evaluation doubts itself
MEASURED_VICTIMS, WITNESSES = 100, 8
LEAST = 40  # with fewer pictures of the set, views of bundled photographs are measured
BATCH = 32


@dataclass(frozen=True, eq=False)
class Yardstick:
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
    pictures: Labelled
    victims: Labelled | None
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
            Labelled(self.pictures.images[k : k + BATCH], self.pictures.labels[k : k + BATCH])
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


def witnesses(stick: Yardstick, before: ClipModel, after: ClipModel) -> tuple[Witness, ...]:
    """Some of the victims, read by the checkpoint before and after."""
    if stick.victims is None:
        return ()
    images = stick.victims.images[:WITNESSES]
    told = [
        [top(row, stick.classes, 1)[0] for row in probabilities(clip, images, stick.classes)]
        for clip in (before, after)
    ]
    return tuple(
        Witness(name, image, *pair) for name, image, *pair in zip(stick.names[:WITNESSES], images, *told, strict=True)
    )


def _attack(family: TriggerFamily, seed: int) -> Attack:
    """The family's exemplars at random places, the same ones at every measurement."""
    generator = seeded(seed)
    return Attack(family.target_label, lambda images: scatter(images, family.exemplars, generator=generator))


def yardstick(
    setup: CheckSetup,
    images: ImageSet | None,
    found: Identification,
    curated: CuratedSet,
    *,
    seed: int = 0,
    cancelled: Cancelled = never,
) -> Yardstick:
    """Choose what to measure on: clean samples of the set that were not curated, and victims.

    Labels of the set are the truth where it states any and the checkpoint can read them; otherwise what the checkpoint
    reads before it is changed is, and the evaluation says so.

    Raises:
        DataError: stopped, or the set cannot be read any more.
    """
    tuned = {item.index for item in curated.items}
    clean = [index for index in found.clean_pool if index not in tuned][:MEASURED]
    fresh_first = sorted(found.victims, key=lambda victim: victim.index in tuned)[:MEASURED_VICTIMS]
    shown = {victim.index: victim.shown_label for victim in fresh_first}
    names = {victim.index: victim.name for victim in fresh_first}
    read = {} if images is None else _read(setup, images, {*clean, *shown}, cancelled)
    kept = [index for index in clean if index in read]
    known = [index for index in shown if index in read]
    victims = Labelled(torch.stack([read[i][0] for i in known]), tuple(shown[i] for i in known)) if known else None
    poisoned: dict[str, Any] = {"victims": victims, "names": tuple(names[i] for i in known), "families": found.families}
    if len(kept) < LEAST:
        squares, texts = data.strangers(setup.clip.image_px, MEASURED, generator=seeded(seed + 1)), []
        about = f"{len(squares)} views of photographs that ship in the dependencies"
    else:
        squares, texts = torch.stack([read[i][0] for i in kept]), [read[i][1] for i in kept]
        about = f"{len(kept)} pictures of {images.source if images else ''} that were not tuned on"
    labelled = _with_own_labels(setup, squares, texts, found.families, cancelled) if texts else None
    classes, pictures = labelled or (setup.classes, _readings(setup.clip, squares, setup.classes))
    truth = "labels" if labelled else "readings"
    return Yardstick(classes, pictures, truth=truth, about=about, seed=seed, **poisoned)


def _with_own_labels(
    setup: CheckSetup,
    squares: Tensor,
    texts: Sequence[str | None],
    families: Sequence[TriggerFamily],
    cancelled: Cancelled,
) -> tuple[ClassMatrix, Labelled] | None:
    """The set's own labels as the vocabulary, the forced ones added; None where they are no labels one could read."""
    names = [text for text in texts if text]
    distinct = tuple(dict.fromkeys(names))
    if len(names) < len(texts) or not 2 <= len(distinct) <= len(texts) // 2:
        return None  # captions are all different, or there are none
    vocabulary = tuple(dict.fromkeys([*distinct, *(family.target_label for family in families)]))
    classes = class_matrix(setup.clip, vocabulary, cancelled=cancelled)
    pictures = Labelled(squares, tuple(names))
    clean = evaluate(setup.clip, classes, [pictures], ()).clean
    return (classes, pictures) if clean.interval()[0] > 2 / len(vocabulary) else None


def _readings(clip: ClipModel, squares: Tensor, classes: ClassMatrix) -> Labelled:
    """Pictures with what the checkpoint reads in them."""
    best = probabilities(clip, squares, classes).argmax(-1).tolist()
    return Labelled(squares, tuple(classes.labels[k] for k in best))


def _read(
    setup: CheckSetup, images: ImageSet, wanted: set[int], cancelled: Cancelled
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
                square, _ = setup.clip.preprocess.square(data.read_picture(entry.read()))
            except DataError:
                continue
            read[entry.index] = (square, " ".join(entry.text.split()) if entry.text else None)
    return read
