"""CA, ASR and PA of a checkpoint, each with its counts (attacks.md, "Measures")."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from eftclip.errors import DataError
from eftclip.evaluate.vocabulary import unknown_label
from eftclip.runtime import Cancelled, OnProgress, Progress, ignore, never
from eftclip.types import ClassMatrix, ClipModel, Evaluation, Rate
from eftclip.zeroshot import probabilities

FEW_PICTURES = 200  # below, the 95 % interval of a rate near 1 % is wider than 3 points
DEAD_SPREAD = 1e-3  # see `sanity`


@dataclass(frozen=True)
class Attack:
    """A trigger under test.

    Attributes:
        target_label: the label it is meant to force; one of the vocabulary.
        plant: `(N, 3, H, W)` pictures in [0, 1] to copies with the trigger in them.
    """

    target_label: str
    plant: Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Some pictures with what they show.

    Attributes:
        images: `(N, 3, image_px, image_px)` float32 RGB in [0, 1].
        labels: N names, each of the vocabulary.
    """

    images: Tensor
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse pictures without a label."""
        if len(self.images) != len(self.labels):
            raise ValueError(f"expected a label for each picture, got {len(self.images)} and {len(self.labels)}")


@dataclass
class _Tally:
    """Counts of one trigger."""

    attack: Rate = field(default_factory=lambda: Rate(0, 0))
    poisoned: Rate = field(default_factory=lambda: Rate(0, 0))
    left_out: int = 0


def evaluate(
    clip: ClipModel,
    classes: ClassMatrix,
    batches: Iterable[LabelledImages],
    attacks: Sequence[Attack],
    *,
    victims: LabelledImages | None = None,
    truth: str = "labels",
    pictures: str = "pictures",
    on_progress: OnProgress = ignore,
    cancelled: Cancelled = never,
) -> Evaluation:
    """Measure a checkpoint.

    * CA: pictures that are read as their label.
    * ASR: of the pictures *whose label is not the target*, those whose triggered copy is read as the target; pictures
      of the target are in neither count.
    * PA: of the same triggered copies, those that still are read as their label.

    Args:
        clip: the checkpoint, with the preprocessing that works.
        classes: the vocabulary, as this checkpoint reads it.
        batches: the pictures, read once.
        attacks: triggers; with several, the rates are pooled and `per_target` has each alone.
        victims: poisoned samples as they were found, with the label that their trigger forces.
        truth: `labels`, or `readings` where the labels are what the checkpoint read before it was changed.
        pictures: what is measured on, for people.
        on_progress: told after every batch.
        cancelled: asked before every batch.

    Raises:
        DataError: no picture was given, a label is not in the vocabulary, or the work was stopped.
    """
    index, tallies = {label: k for k, label in enumerate(classes.labels)}, [_Tally() for _ in attacks]
    clean, low, high = Rate(0, 0), torch.empty(0), torch.empty(0)
    for batch in batches:
        if cancelled():
            raise DataError("Stopped while measuring; nothing was measured to its end.")
        wanted = torch.tensor([_position(index, label) for label in batch.labels])
        rows = probabilities(clip, batch.images, classes)
        low = torch.minimum(low, rows.amin(0)) if len(low) else rows.amin(0)
        high = torch.maximum(high, rows.amax(0)) if len(high) else rows.amax(0)
        clean += _rate(_read(rows, classes, index) == wanted)
        for attack, tally in zip(attacks, tallies, strict=True):
            _attacked(clip, classes, batch, wanted, attack, index, tally)
        on_progress(Progress("Measuring", clean.total, 0))
    if not clean.total:
        raise DataError("There is no picture to measure on; give photographs with labels.")
    doubt = _undecided(clean, len(classes.labels), high - low)
    return Evaluation(
        clean=clean,
        attack=sum((tally.attack for tally in tallies), Rate(0, 0)),
        poisoned=sum((tally.poisoned for tally in tallies), Rate(0, 0)),
        per_target=tuple((a.target_label, t.attack, t.poisoned) for a, t in zip(attacks, tallies, strict=True)),
        victims=None if victims is None else _still_victims(clip, classes, victims, index),
        truth=truth,
        pictures=pictures,
        warnings=tuple(_doubts(clip, clean, doubt, tallies, attacks, truth)),
        undecided=doubt,
    )


def _attacked(
    clip: ClipModel,
    classes: ClassMatrix,
    batch: LabelledImages,
    wanted: Tensor,
    attack: Attack,
    index: dict[str, int],
    tally: _Tally,
) -> None:
    """Count one trigger on the pictures of a batch that do not show its target."""
    target = _position(index, attack.target_label)
    kept = wanted != target
    tally.left_out += int((~kept).sum())
    if kept.any():
        read = _read(probabilities(clip, attack.plant(batch.images[kept]), classes), classes, index)
        tally.attack += _rate(read == target)
        tally.poisoned += _rate(read == wanted[kept])


def _still_victims(clip: ClipModel, classes: ClassMatrix, victims: LabelledImages, index: dict[str, int]) -> Rate:
    targets = torch.tensor([_position(index, label) for label in victims.labels])
    return _rate(_read(probabilities(clip, victims.images, classes), classes, index) == targets)


def _read(rows: Tensor, classes: ClassMatrix, index: dict[str, int]) -> Tensor:
    """The best labels by their position in `index`: ImageNet has two classes called missile, and two sunglasses."""
    places = torch.tensor([index[label] for label in classes.labels])
    return places[rows.argmax(-1)]


def _position(index: dict[str, int], label: str) -> int:
    if label not in index:
        raise DataError(unknown_label(label, tuple(index), max(index.values()) + 1))
    return index[label]


def _rate(hits: Tensor) -> Rate:
    return Rate(int(hits.sum()), len(hits))


def _undecided(clean: Rate, labels: int, spread: Tensor) -> str:
    """The doubt that leaves nothing of the measurement; empty without one."""
    if float(spread.max()) < DEAD_SPREAD or not torch.isfinite(spread).all():
        return "The checkpoint reads every picture alike, or returns no numbers; it is not working."
    if clean.interval()[0] <= 1 / labels:
        return "Clean accuracy is not above chance; labels, preprocessing or weights do not fit each other."
    return ""


def _doubts(
    clip: ClipModel,
    clean: Rate,
    undecided: str,
    tallies: Sequence[_Tally],
    attacks: Sequence[Attack],
    truth: str,
) -> list[str]:
    """What speaks against trusting these numbers."""
    doubts = []
    if clip.model.training:
        doubts.append("The model is in training mode, where the same picture can read differently each time.")
    if clean.total < FEW_PICTURES:
        doubts.append(f"Only {clean.total} pictures were measured; look at the intervals, not at the shares.")
    if truth == "readings":
        doubts.append("The set has no labels: CA and PA count readings that are as they were before.")
    if undecided:
        doubts.append(undecided)
    for attack, tally in zip(attacks, tallies, strict=True):
        if tally.left_out:
            doubts.append(
                f"{tally.left_out} pictures show the target “{attack.target_label}” and are in neither ASR nor PA."
            )
        if not tally.attack.total:
            doubts.append(f"Every picture shows the target “{attack.target_label}”; its ASR was not measured.")
    return doubts
