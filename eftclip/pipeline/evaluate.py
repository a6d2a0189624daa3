"""`evaluate`: one checkpoint, one data set; CA, and ASR and PA for triggers that somebody names."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from eftclip import data
from eftclip.config import RectifyConfig
from eftclip.errors import DataError
from eftclip.evaluate import Attack, UnreadSamples, evaluate, first_labelled, labelled_batches
from eftclip.pipeline.plan import RunOptions
from eftclip.pipeline.run_log import RunLog
from eftclip.pipeline.setup import Labels, read_labels
from eftclip.rectify import finetune
from eftclip.types import ClipModel, Decode, Evaluation, ImageSet, RunRecord, Sanity
from eftclip.zeroshot import class_matrix, parse_labels

REBOUND_PICTURES = 1000  # held in memory, 0.6 MB each at 224 px


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


def run_evaluate(
    clip: ClipModel,
    found: Sanity,
    images: ImageSet,
    attacks: Sequence[Attack],
    *,
    labels: Labels | None = None,
    rebound: Rebound | None = None,
    seed: int = 0,
    way: RunOptions | None = None,
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
    how = way or RunOptions()
    log = RunLog("evaluate", clip, {}, seed, how.processes)
    names, source = _vocabulary(images, attacks, labels)
    truth = "labels" if images.text_kind == "label" else "readings"
    results: dict[str, Any] = {}
    with log.stage("measure"):
        before = results["before"] = _measured(log.clip, names, images, attacks, truth, how)
    conclusion = f"CA {before.clean}, ASR {before.attack}, PA {before.poisoned}."
    if rebound is not None:
        with log.stage("fine-tune"):
            tuned, image_steps = _tuned(log.clip, rebound, seed, how)
        log.correct(image_steps=image_steps)
        with log.stage("measure rebound"):
            after = results["rebound"] = _measured(tuned, names, images, attacks, truth, how)
        conclusion += f" After {rebound.steps} steps of clean fine-tuning ASR {after.attack}."
    about = {"ref": clip.ref, "labels": (len(names), source), "oracle": "not used", "reference": None, "sanity": found}
    return log.record(images, conclusion, **about, **results)


def _vocabulary(images: ImageSet, attacks: Sequence[Attack], labels: Labels | None) -> tuple[tuple[str, ...], str]:
    """The labels to choose among, and where they come from; no picture is read for it."""
    if labels is not None or images.text_kind != "label":
        return read_labels("imagenet" if labels is None else labels)
    texts = dict.fromkeys(" ".join(entry.text.split()) for entry in images.entries() if entry.text)
    return parse_labels([*texts, *(attack.target_label for attack in attacks)]), "the set"


def _measured(
    clip: ClipModel, names: Sequence[str], images: ImageSet, attacks: Sequence[Attack], truth: str, how: RunOptions
) -> Evaluation:
    unread, classes = UnreadSamples(), class_matrix(clip, names, cancelled=how.cancelled)
    found = evaluate(
        clip,
        classes,
        labelled_batches(clip, classes, images, truth, _decode(clip), unread),
        attacks,
        truth=truth,
        pictures=images.source,
        on_progress=lambda step: how.on_progress(replace(step, total=images.length or 0)),
        cancelled=how.cancelled,
    )
    return replace(found, warnings=(*found.warnings, *unread.sentence()))


def _tuned(clip: ClipModel, rebound: Rebound, seed: int, how: RunOptions) -> tuple[ClipModel, int]:
    """A copy after innocent fine-tuning, and the image-steps it took."""
    squares, labels = first_labelled(rebound.images, REBOUND_PICTURES, _decode(clip))
    if not labels:
        raise DataError(f"{rebound.images.source} has no labelled picture to fine-tune on; name another set.")
    config = RectifyConfig(steps=rebound.steps, learning_rate=rebound.learning_rate)
    tuned, done = finetune(
        clip,
        squares,
        labels,
        config,
        seed=seed,
        on_progress=how.on_progress,
        cancelled=how.cancelled,
    )
    if done.stopped == "cancelled":
        raise DataError("Stopped while fine-tuning; the rebound was not measured.")
    return tuned, done.image_steps


def _decode(clip: ClipModel) -> Decode:
    """How the bytes of a file become what a checkpoint sees."""
    return lambda raw: clip.preprocess.square(data.read_picture(raw))[0]
