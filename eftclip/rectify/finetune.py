"""The two fine-tunings: the one that rectifies, and the innocent one that shows whether a backdoor comes back."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from torch import Tensor

from eftclip.config import RectifyConfig
from eftclip.errors import DataError
from eftclip.rectify.batches import Batches
from eftclip.rectify.methods import finetune as plain
from eftclip.rectify.methods import method_of, settled
from eftclip.rectify.training_loop import TrainingLoop
from eftclip.rectify.validation import ValidationSet, split_validation
from eftclip.runtime import Cancelled, OnProgress, ignore, never
from eftclip.types import ClassMatrix, ClipModel, CuratedItem, CuratedSet, Rectified, TriggerFamily, TuningStep

T = TypeVar("T")
OnStep = Callable[[TuningStep], None]


def ignore_step(step: TuningStep) -> None:
    """Drop the news."""


def rectify(
    clip: ClipModel,
    curated: CuratedSet,
    families: Sequence[TriggerFamily],
    classes: ClassMatrix,
    config: RectifyConfig,
    *,
    seed: int = 0,
    folder: Path | None = None,
    on_progress: OnProgress = ignore,
    on_step: OnStep = ignore_step,
    cancelled: Cancelled = never,
) -> tuple[ClipModel, Rectified]:
    """Fine-tune a copy of the checkpoint on the curated set (method.md section 4).

    A fifth of the set is held out: it is not tuned on, and every `config.check_every` steps it tells how many triggered
    pictures the trigger still takes over and how many clean ones read as before. The run ends early when two looks in
    a row find no picture taken over and `config.agreement` of the clean ones unchanged; a method that does not see
    triggers is not told, and takes all its steps.

    Args:
        clip: the checkpoint; it is left exactly as it is.
        curated: the pictures.
        families: the triggers, with exemplars.
        classes: the vocabulary, as the checkpoint reads it.
        config: method and settings; what is left out is the method's own.
        seed: of every view, place and order.
        folder: where the state is kept, so that a run that was killed can be taken up again, bit for bit; None:
            nowhere.
        on_progress: told after every step.
        on_step: told after every look at the held-out pictures.
        cancelled: asked before every step; a cancel ends the run with what was reached, and says so.

    Returns:
        the mended checkpoint and how it came about. Called by several processes that accelerate or torchrun started,
        each returns the same.

    Raises:
        ConfigError: the method is unknown, or has no such settings.
        DataError: there is no trigger, or the folder holds the state of another run.
    """
    config = settled(config)
    method = method_of(config.method)
    if not families:
        raise DataError("No trigger family was given, so there is nothing to rectify.")
    tuned, held = split_validation(curated.items, seed)
    triggers = interleaved([family.exemplars for family in families]) if method.sees_triggers else []
    if not method.sees_triggers:
        tuned = [_untouched(item) for item in tuned]
    batches = Batches(tuned, triggers, config.batch, seed, free=method.distils)
    loop = TrainingLoop(clip, batches, method, config, ValidationSet.of(held, families, clip, classes, seed), classes)
    return loop.run(folder, on_progress, on_step, cancelled)


def finetune(
    clip: ClipModel,
    images: Tensor,
    labels: Sequence[str],
    config: RectifyConfig,
    *,
    seed: int = 0,
    on_progress: OnProgress = ignore,
    cancelled: Cancelled = never,
) -> tuple[ClipModel, Rectified]:
    """Fine-tune a copy on clean captioned pictures, both towers, as any user might: does a backdoor come back?

    Args:
        clip: the checkpoint; it is left exactly as it is.
        images: `(N, 3, image_px, image_px)` float32 RGB in [0, 1].
        labels: what each shows; they become captions.
        config: steps, batch and learning rate count (50, 32 and 3e-4 where they are left out); the method and what
            concerns early stops do not.
        seed: of every view and order.
        on_progress: told after every step.
        cancelled: asked before every step.
    """
    items = [
        CuratedItem(f"picture {k}", k, "control", "Clean fine-tuning.", label, image)
        for k, (label, image) in enumerate(zip(labels, images, strict=True))
    ]
    config = settled(config)
    loop = TrainingLoop(clip, Batches(items, (), config.batch, seed), plain.METHOD, config)
    return loop.run(None, on_progress, ignore_step, cancelled)


def _untouched(item: CuratedItem) -> CuratedItem:
    """The same picture for a method that must not know how it was found."""
    return replace(item, role="control", reason="A clean picture.", poisoned=None)


def interleaved(parts: Sequence[Sequence[T]]) -> list[T]:
    """One of each, then the next of each: every family comes up equally often, whatever its number of exemplars."""
    longest = max(map(len, parts))
    return [part[k % len(part)] for k in range(longest) for part in parts]
