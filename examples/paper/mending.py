"""The checkpoint before and after: mended by ours, by the paper's way, and by two that only know clean pairs."""

import tempfile
from dataclasses import replace
from pathlib import Path

import torch

from eftclip.checkpoint import load_clip
from eftclip.config import LEAST_MEASURED, DetectConfig, MeasureConfig, RectifyConfig
from eftclip.pipeline import CheckSetup, Plan, run_rectify, run_scan
from eftclip.rectify import finetune, rectify
from eftclip.report import run_document
from eftclip.runtime import Stopwatch
from eftclip.types import ClipModel, Rate, TriggerFamily
from examples.measure.photo_sets import Photo, read_square, spread, unseen
from examples.measure.poisoned_sets import KNOWN, Poisoned, poisoned_set, shuffled, triggers_of
from examples.measure.rectify import Bench, kept, scan_counts
from examples.measure.tuning import curated
from examples.paper.cells import Cell, Document
from examples.paper.photographs import CHECKPOINT, setup_of

METHODS = {"eftclip": "realign", "paper": "contrastive"}  # an algorithm and the fine-tuning that belongs to it
PAIRS, CAREFUL = 64, 1e-4  # of those that know of no trigger: as many photographs as the others curate; learning rate


def mended(cell: Cell) -> Document:
    """One row of the table: what a scan of one set found, and the checkpoint before and after."""
    watch, ground = Stopwatch(), cell.ground
    setup, triggers = setup_of(ground), triggers_of(KNOWN[CHECKPOINT])
    photos = shuffled([photo for photo in unseen(ground.images) if photo.kind == cell.kind])
    scanned, measuring = photos[: ground.scanned], spread(photos[ground.scanned :], ground.measured)
    bench = Bench(ground.images, measuring, triggers)
    told: Document = {"set": cell.kind, "mended": cell.mended, "before": bench(setup.clip)}
    if cell.mended in METHODS:
        setup = replace(setup, config=DetectConfig(algorithm=cell.mended))
        found, clip = _scanned(setup, poisoned_set(setup, scanned, triggers), cell)
        told |= found
    else:
        clip, told["image_steps"] = _fine_tuned(setup, spread(scanned, PAIRS), cell)
    if clip is not None:
        told |= {"after": bench(clip), "kept": kept(setup.clip, clip, measuring)}
    return {**told, "seconds": round(watch.seconds, 1)}


def _scanned(setup: CheckSetup, truth: Poisoned, cell: Cell) -> tuple[Document, ClipModel | None]:
    """Scan, and mend with what was found; no checkpoint where nothing was."""
    config = RectifyConfig(method=METHODS[cell.mended], steps=cell.ground.steps)
    plan = Plan(rectify=config, measure=MeasureConfig(measured=LEAST_MEASURED))  # `Bench` measures, on the true trigger
    record = run_scan(setup, truth.images, plan)
    told: Document = {"scan": scan_counts(record, truth), "method": plan.rectify.method}
    found = record.identification
    if found is None or not found.families:
        return told, None
    with tempfile.TemporaryDirectory() as folder:
        done = run_rectify(setup, truth.images, plan, Path(folder) / "mended", found=found)
        told["rectified"] = run_document(done)["rectified"]
        clip = load_clip(str(Path(folder) / "mended"), device=setup.clip.device)
    return told, replace(clip, preprocess=setup.clip.preprocess)


def _fine_tuned(setup: CheckSetup, photos: list[Photo], cell: Cell) -> tuple[ClipModel, int]:
    """A fine-tuning on clean pairs, which knows of no trigger, and its image-steps."""
    if cell.mended == "cleanclip":
        config = RectifyConfig("cleanclip", cell.ground.steps, learning_rate=CAREFUL)
        clip, done = rectify(setup.clip, curated(setup.clip, photos), _unseen(), setup.classes, config)
    else:
        squares = torch.stack([read_square(photo, setup.clip.preprocess) for photo in photos])
        config = RectifyConfig(steps=cell.ground.steps, learning_rate=CAREFUL)
        clip, done = finetune(setup.clip, squares, [photo.label for photo in photos], config)
    return clip, done.image_steps


def _unseen() -> list[TriggerFamily]:
    """The true triggers: the method is not shown them, only the count of those that still work needs them."""
    return [TriggerFamily(label, (trigger,), Rate(1, 1)) for trigger, label in triggers_of(KNOWN[CHECKPOINT])]
