"""What a worker of `examples/measure/check.py` does with one photograph: put something on it, read it, judge it.

Everything runs with the defaults of `eftclip check` and through the same function, on 8-bit pictures.
"""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torchvision.transforms.v2.functional import to_pil_image

from eftclip.pipeline import CheckSetup, check_picture, prepare_check, record
from eftclip.report import check_document
from eftclip.runtime import seeded, settle_memory
from eftclip.triggers import Position, Trigger, draw_trigger
from eftclip.types import ClassMatrix
from eftclip.zeroshot import class_matrix, probabilities
from examples.build.checkpoints import ATTACKS, Attack
from examples.measure.innocents import with_innocent
from examples.measure.photo_sets import Photo, own_names, read_square
from examples.measure.poisoned_sets import triggers_of

Document = dict[str, Any]


@dataclass(frozen=True)
class Ground:
    """What stays the same for the whole run."""

    images: Path
    checkpoints: Path
    labels: str


@dataclass(frozen=True)
class Task:
    """One photograph, the checkpoint that reads it, and what is put on it before."""

    ground: Ground
    photo: Photo
    checkpoint: str
    seed: int  # draws places and things
    patch_px: int = 0  # of the trigger; 0: none
    position: Position = "random"
    innocent: str = ""
    reference: bool = True
    attack: int = 0  # which of the checkpoint's triggers; for `clean` that of `badnets`

    @property
    def target(self) -> str:
        """The label that the trigger forces."""
        return attacks_on(self.checkpoint)[self.attack][1]

    @property
    def trigger(self) -> Trigger:
        """The trigger itself, as the checkpoint learnt it, at the task's size."""
        kind, target, _ = attacks_on(self.checkpoint)[self.attack]
        if kind == "badnets":  # draws nothing, so any size is the same pattern
            return draw_trigger(kind, generator=seeded(0), patch_px=self.patch_px)
        return next(trigger for trigger, to in triggers_of(attacks_on(self.checkpoint)) if to == target)


@dataclass(frozen=True)
class Outcome:
    """What became of a task; the status is empty where there was nothing to find."""

    task: Task
    before: str
    after: str
    status: str = ""
    label: str = ""
    iou: float = 0.0
    reason: str = ""

    @property
    def hijacked(self) -> bool:
        """What was put on the photograph made it the target."""
        return self.after == self.task.target != self.before


@dataclass(frozen=True)
class Reading:
    """What a checkpoint reads without and with the trigger: of all labels, and of the names of the photograph's set."""

    photo: Photo
    target: str
    clean: str
    planted: str
    clean_own: tuple[str, ...]  # five best, the target left out unless the set has it
    planted_own: str


def attacks_on(checkpoint: str) -> list[Attack]:
    """What was planted in a checkpoint; `clean` is held against what was planted in `badnets`."""
    return ATTACKS.get(checkpoint, ATTACKS["badnets"])


@cache
def setup_of(ground: Ground, checkpoint: str) -> CheckSetup:
    """Prepared once in every process."""
    torch.set_num_threads(1)
    settle_memory()
    source, reference = ground.checkpoints / checkpoint, ground.checkpoints / "clean"
    return prepare_check(str(source), labels=ground.labels, oracle="superpixel", reference=str(reference), device="cpu")


@cache
def own_classes(ground: Ground, checkpoint: str, kind: str, target: str) -> ClassMatrix:
    """The names of a set and the target, as a checkpoint reads them."""
    setup = setup_of(ground, checkpoint)
    if kind == "imagenet":
        return setup.classes
    return class_matrix(setup.clip, tuple(dict.fromkeys([*own_names(ground.images, kind), target])))


def described(task: tuple[Ground, str]) -> Document:
    """Provenance of a checkpoint and of everything that decides its verdicts."""
    document = check_document(record(setup_of(*task), ()), {})
    return {key: value for key, value in document.items() if key not in ("schema_version", "kind", "counts", "results")}


def altered(task: Task, square: Tensor) -> tuple[Tensor, Tensor]:
    """The photograph with what the task puts on it, in 8-bit steps, and the `(H, W)` mask of the trigger."""
    generator, mask = seeded(task.seed), torch.zeros(square.shape[-2:], dtype=torch.bool)
    if task.patch_px:
        planted = task.trigger.plant(square[None], generator=generator, position=task.position)
        square, mask = planted.images[0], planted.masks[0]
    elif task.innocent:
        square = with_innocent(square, task.innocent, generator)
    return (square * 255).round() / 255, mask


def read(task: Task) -> Reading:
    """Read a photograph with and without the trigger."""
    setup, own = (
        setup_of(task.ground, task.checkpoint),
        own_classes(task.ground, task.checkpoint, task.photo.kind, task.target),
    )
    labels, count = setup.classes.labels, len(setup.classes.labels)
    both = ClassMatrix(labels + own.labels, torch.cat([setup.classes.matrix, own.matrix], 1))
    square = read_square(task.photo, setup.clip.preprocess)
    clean, planted = probabilities(setup.clip, torch.stack([square, altered(task, square)[0]]), both)
    ranked = [own.labels[i] for i in clean[count:].argsort(descending=True)[:6].tolist()]
    if task.photo.kind == "caltech":  # its photographs are read 100-way; with the trigger the target is added
        ranked = [name for name in ranked if name != task.target]
    return Reading(
        task.photo,
        task.target,
        labels[int(clean[:count].argmax())],
        labels[int(planted[:count].argmax())],
        tuple(ranked[:5]),
        own.labels[int(planted[count:].argmax())],
    )


def judge(task: Task) -> Outcome:
    """Judge a photograph with what the task puts on it; one that the trigger does not hijack is not judged."""
    setup = setup_of(task.ground, task.checkpoint)
    if not task.reference:
        setup = replace(setup, reference=None)
    square = read_square(task.photo, setup.clip.preprocess)
    changed, mask = altered(task, square)
    rows = probabilities(setup.clip, torch.stack([square, changed]), setup.classes).argmax(-1)
    outcome = Outcome(task, *(setup.classes.labels[row] for row in rows.tolist()))
    if task.patch_px and not outcome.hijacked:
        return outcome
    detection = check_picture(setup, to_pil_image((changed * 255).round().to(torch.uint8))).detection
    trigger = detection.trigger
    if trigger is None:
        return replace(outcome, status=detection.status.value, reason=detection.reason)
    iou = float((trigger.mask & mask).sum() / (trigger.mask | mask).sum())
    return replace(outcome, status=detection.status.value, label=trigger.target_label, iou=iou, reason=detection.reason)
