"""`evaluate`: one checkpoint, one data set; CA, and ASR and PA for triggers that somebody names."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from eftclip import data
from eftclip.config import RectifyConfig
from eftclip.errors import DataError
from eftclip.evaluate import (
    Attack,
    MeasuredSamples,
    evaluate,
    first_labelled,
    labelled_batches,
    letterless,
    likely_label,
    unknown_label,
)
from eftclip.pipeline.plan import RunOptions
from eftclip.pipeline.run_log import RunLog
from eftclip.pipeline.setup import Labels, read_labels
from eftclip.rectify import finetune
from eftclip.types import Account, ClipModel, Decode, Evaluation, ImageSet, RunRecord, Sanity, remedy
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
    allow_unread: int = 0,
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
        allow_unread: samples that may stay unread, or lack a label, in a measurement that decides.
        way: progress and cancel.

    Returns:
        a record of the kind `evaluate`; its `undecided` says why the measurement decides nothing, if it does not.

    Raises:
        DataError: nothing can be measured, or the work was stopped.
    """
    how = way or RunOptions()
    log = RunLog("evaluate", clip, {}, seed, how.processes)
    names, source = _vocabulary(images, attacks, labels)
    truth = "labels" if images.text_kind == "label" else "readings"
    results: dict[str, Any] = {}
    with log.stage("measure"):
        before, samples = _measured(log.clip, names, images, attacks, truth, how)
    account = samples.account(allow_unread)
    undecided = _undecided(before, account, names)
    results |= {"before": before, "undecided": undecided}
    results |= {"measured_account": account, "measured_faults": tuple(samples.faults)}
    conclusion = f"CA {before.clean}, ASR {before.attack}, PA {before.poisoned}."
    if rebound is not None:
        with log.stage("fine-tune"):
            tuned, image_steps = _tuned(log.clip, rebound, seed, how)
        log.correct(image_steps=image_steps)
        with log.stage("measure rebound"):
            after = results["rebound"] = _measured(tuned, names, images, attacks, truth, how)[0]
        conclusion += f" After {rebound.steps} steps of clean fine-tuning ASR {after.attack}."
    about = {"ref": clip.ref, "labels": (len(names), source), "oracle": "not used", "reference": None, "sanity": found}
    return log.record(images, conclusion, **about, **results)


def _vocabulary(images: ImageSet, attacks: Sequence[Attack], labels: Labels | None) -> tuple[tuple[str, ...], str]:
    """The labels to choose among, and where they come from; no picture is read for it.

    Raises:
        DataError: a target is not among them, or is written otherwise than they are.
    """
    targets = [attack.target_label for attack in attacks]
    if labels is not None or images.text_kind != "label":
        known, source = read_labels("imagenet" if labels is None else labels)
        if strange := [target for target in targets if target not in known]:
            raise DataError(unknown_label(strange[0], known))
        return known, source
    texts = tuple(dict.fromkeys(" ".join(entry.text.split()) for entry in images.entries() if entry.text))
    for target in targets:  # any word may be a target, but hardly one that differs from a label by its capitals
        if target not in texts and likely_label(target, texts) is not None:
            raise DataError(unknown_label(target, texts))
    return parse_labels([*texts, *targets]), "the set"


def _undecided(measured: Evaluation, account: Account, names: Sequence[str]) -> str:
    """Why a measurement decides nothing; empty where it does."""
    doubts = [letterless(names), measured.undecided]
    if not account.settled:
        doubts.append(f"{account.unread_sentence()}. {remedy(account)}")
    return " ".join(doubt for doubt in doubts if doubt)


def _measured(
    clip: ClipModel, names: Sequence[str], images: ImageSet, attacks: Sequence[Attack], truth: str, how: RunOptions
) -> tuple[Evaluation, MeasuredSamples]:
    samples, classes = MeasuredSamples(), class_matrix(clip, names, cancelled=how.cancelled)
    found = evaluate(
        clip,
        classes,
        labelled_batches(clip, classes, images, truth, _decode(clip), samples),
        attacks,
        truth=truth,
        pictures=images.source,
        on_progress=lambda step: how.on_progress(replace(step, total=images.length or 0)),
        cancelled=how.cancelled,
    )
    unread = samples.account(0).unread_sentence()
    return replace(found, warnings=(*found.warnings, *([f"{unread}."] if unread else []))), samples


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
