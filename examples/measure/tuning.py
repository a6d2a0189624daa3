"""Measure what the settings of the fine-tuning do: what is mended, and what else changes.

    OMP_NUM_THREADS=1 python -m examples.measure.tuning IMAGES_DIR

writes `examples/results/tuning.json`; IMAGES_DIR is described in `examples/measure/photo_sets.py`. The checkpoint is
fine-tuned for a few steps with its true trigger and 64 photographs that nothing was trained on, once with each row of
`SETTINGS`, and measured on others of them: ASR, CA and PA as in `examples/measure/rectify.py`, and the photographs that
read as before among 1,000 labels. What a step takes is the processor's time, also as a share of the first row's.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from eftclip.checkpoint import load_clip
from eftclip.config import RectifyConfig
from eftclip.pipeline.check import versions
from eftclip.rectify import METHODS, rectify, settled
from eftclip.runtime import settle_memory
from eftclip.types import ClipModel, CuratedItem, CuratedSet, Rate, TriggerFamily
from eftclip.zeroshot import IMAGENET_LABELS, class_matrix
from examples.measure.measured_at import commit
from examples.measure.photo_sets import Photo, read_square, unseen
from examples.measure.poisoned_sets import KNOWN, shuffled, triggers_of
from examples.measure.rectify import Bench, kept

SCHEMA_VERSION = 1
TUNED_ON = 64
WHOLE = "realign-whole"  # no weight left out
SETTINGS: tuple[dict[str, Any], ...] = (
    {"method": WHOLE, "keep_weight": 1.0, "learning_rate": 1e-4},
    {"keep_weight": 1.0, "learning_rate": 1e-4},
    {"keep_weight": 1.0},
    {},
)
Document = dict[str, Any]


def curated(clip: ClipModel, photos: Sequence[Photo]) -> CuratedSet:
    """Photographs as controls; what they show is not asked."""
    items = [
        CuratedItem(photo.name, k, "control", "A photograph.", photo.label, read_square(photo, clip.preprocess))
        for k, photo in enumerate(photos)
    ]
    return CuratedSet(tuple(items), len(items), "photographs")


def measured(clip: ClipModel, settings: Document, args: argparse.Namespace) -> Document:
    """One row."""
    photos = shuffled(unseen(args.images))
    others = [photo for photo in photos[TUNED_ON:] if photo.kind != "coco"][: args.measured]
    triggers = triggers_of(KNOWN[args.only])
    families = [TriggerFamily(label, (trigger,), Rate(1, 1)) for trigger, label in triggers]
    classes = class_matrix(clip, IMAGENET_LABELS)
    config = settled(RectifyConfig.from_dict({"steps": args.steps, "check_every": 10_000, **settings}))
    begun = time.process_time()
    mended, done = rectify(clip, curated(clip, photos[:TUNED_ON]), families, classes, config)
    seconds = (time.process_time() - begun) / done.steps
    method = METHODS[config.method]
    return {
        "keep_weight": config.keep_weight,
        "learning_rate": config.learning_rate,
        "frozen": method.frozen,
        "image_steps": done.image_steps,
        "seconds_a_step": round(seconds, 3),
        "after": Bench(args.images, others, triggers)(mended),
        "kept": kept(clip, mended, others),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path, help="folder with imagenet-sample/, caltech101/ and coco128/")
    parser.add_argument("--checkpoints", type=Path, default=Path("examples/checkpoints"))
    parser.add_argument("--only", default="badnets", choices=list(KNOWN))
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--measured", type=int, default=200, help="photographs to measure on")
    parser.add_argument("--out", type=Path, default=Path("examples/results/tuning.json"))
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    settle_memory()
    METHODS[WHOLE] = replace(METHODS["realign"], frozen=0.0)
    clip = load_clip(str(args.checkpoints / args.only), device=torch.device("cpu"))
    rows = list[Document]()
    for settings in SETTINGS:
        print(settings, file=sys.stderr, flush=True)
        rows.append(measured(clip, settings, args))
    for row in rows:
        row["share_of_the_first"] = round(row["seconds_a_step"] / rows[0]["seconds_a_step"], 3)
    document: Document = {
        "schema_version": SCHEMA_VERSION,
        "kind": "tuning",
        "command": "OMP_NUM_THREADS=1 python -m examples.measure.tuning IMAGES_DIR",
        "commit": commit(),
        "versions": versions(),
        "checkpoint": args.only,
        "steps": args.steps,
        "rows": rows,
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n")
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
