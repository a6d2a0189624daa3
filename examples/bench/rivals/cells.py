"""One cell of the benchmark: one method on one checkpoint, as plain values for the result file."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from eftclip.runtime import Stopwatch
from examples.bench.rivals.contract import CheckpointDetector, Given, PictureDetector, PictureScores
from examples.bench.rivals.material import Hijacked
from examples.bench.rivals.scoring import accused, auroc, overlap, threshold_at
from examples.measure.measured_at import commit
from examples.measure.photo_sets import rate

Document = dict[str, Any]
DIGITS = 6  # of a score in the file


@dataclass(frozen=True, eq=False)
class Pictures:
    """What a picture detector is shown.

    Attributes:
        calibration: `(N, 3, H, W)` clean photographs that thresholds are made from.
        clean: clean photographs that are judged.
        hijacked: photographs with a trigger, by their target.
    """

    calibration: Tensor
    clean: Tensor
    hijacked: Mapping[str, Hijacked]

    @property
    def count(self) -> int:
        """All of them."""
        return len(self.calibration) + len(self.clean) + sum(len(one.images) for one in self.hijacked.values())


def picture_cell(detector: PictureDetector, given: Given, pictures: Pictures, false_alarms: float) -> Document:
    """Score all pictures, and say what the scores are worth at both thresholds."""
    watch, before = Stopwatch(), given.clip.count.pictures
    scorer = detector.prepare(given)
    prepared, once = watch.seconds, given.clip.count.pictures - before
    calibration, clean = scorer(pictures.calibration), scorer(pictures.clean)
    hijacked = {target: scorer(one.images) for target, one in pictures.hijacked.items() if len(one.images)}
    spent, forwards = watch.seconds - prepared, given.clip.count.pictures - before - once
    thresholds = {
        "published": detector.published(calibration.scores),
        "calibrated": threshold_at(calibration.scores.tolist(), false_alarms),
    }
    return {
        "commit": commit(),
        "seconds_once": round(prepared, 2),
        "seconds_per_picture": round(spent / max(1, pictures.count), 3),
        "forwards_once": once,
        "forwards_per_picture": round(forwards / max(1, pictures.count), 1),
        "thresholds": {name: None if one is None else round(one, DIGITS) for name, one in thresholds.items()},
        "calibrated_on": len(calibration.scores),
        "scores": {"calibration": _listed(calibration), "clean": _listed(clean)},
        "false_alarms": {name: accused(clean.scores.tolist(), one) for name, one in thresholds.items()},
        "undecided_clean": _undecided(clean),
        "targets": {
            target: _target(target, found, pictures.hijacked[target], clean, thresholds)
            for target, found in hijacked.items()
        },
    }


def _target(
    target: str,
    found: PictureScores,
    truth: Hijacked,
    clean: PictureScores,
    thresholds: Mapping[str, float | None],
) -> Document:
    """What a method makes of the pictures of one trigger; masks and labels of all of them, found or not."""
    scores = found.scores.tolist()
    area = auroc(scores, clean.scores.tolist())
    fits = None
    if found.masks is not None:
        fits = [overlap(mask, planted) for mask, planted in zip(found.masks, truth.masks, strict=True)]
    return {
        "scores": _listed(found),
        "auroc": None if area is None else round(area, 4),
        "detected": {name: accused(scores, threshold) for name, threshold in thresholds.items()},
        "undecided": _undecided(found),
        "iou_mean": None if fits is None else round(sum(fits) / len(fits), 3),
        "label_named": None if found.labels is None else rate(label == target for label in found.labels),
    }


def checkpoint_cell(detector: CheckpointDetector, given: Given, targets: tuple[str, ...]) -> Document:
    """Score a checkpoint, and say whether it is accused and which of its targets are named."""
    watch, before = Stopwatch(), given.clip.count.pictures
    found = detector.judge(given)
    threshold = detector.threshold
    return {
        "commit": commit(),
        "seconds": round(watch.seconds, 1),
        "forwards": given.clip.count.pictures - before,
        "score": round(found.score, DIGITS),
        "published_threshold": threshold,
        "accused": None if threshold is None else found.score > threshold,
        "labels": list(found.labels),
        "targets_named": rate(target in found.labels for target in targets),
        "wrong_labels": [label for label in found.labels if label not in targets],
        "details": found.details,
    }


def _listed(found: PictureScores) -> list[float]:
    return [round(score, DIGITS) for score in found.scores.tolist()]


def _undecided(found: PictureScores) -> Document:
    flags = torch.zeros(len(found.scores), dtype=torch.bool) if found.undecided is None else found.undecided
    return rate(bool(flag) for flag in flags)
