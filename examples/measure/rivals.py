"""Measure every rectification method on one checkpoint, with the same pictures and the same image-steps.

    OMP_NUM_THREADS=1 python -m examples.measure.rivals IMAGES_DIR

writes `examples/results/rivals_rectify.json`; IMAGES_DIR is described in `examples/measure/photo_sets.py`. Each method
gets the 64 photographs of `examples/measure/tuning.py` with their true labels; those that are told, the true trigger.
What is
measured is as in `examples/measure/rectify.py`: ASR, CA and PA, and *kept*, the photographs that read as before among
1,000 labels. A method takes as many steps as `--image-steps` allow, whatever it asks for itself; what it does before
the first step comes on top and is counted. The learning rates of the rivals are for far longer runs, so each is also
tried with higher ones (`--rates`, times its own). Seconds are the processor's.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from eftclip.checkpoint import load_clip
from eftclip.config import RectifyConfig
from eftclip.pipeline.check import versions
from eftclip.rectify import METHODS, rectify, settled
from eftclip.runtime import keep_buffers
from eftclip.types import ClipModel, Rate, TriggerFamily
from eftclip.zeroshot import IMAGENET_LABELS, class_matrix
from examples.measure.measured_at import commit
from examples.measure.photo_sets import unseen
from examples.measure.poisoned_sets import KNOWN, shuffled, triggers_of
from examples.measure.rectify import Bench, kept
from examples.measure.tuning import TUNED_ON, curated

SCHEMA_VERSION = 1
Document = dict[str, Any]


def rows_of(methods: Sequence[str], rates: Sequence[float]) -> list[tuple[str, float]]:
    """Every method with its own learning rate, the rivals with others, too."""
    return [(name, rate) for name in methods for rate in ([1.0] if METHODS[name].sees_triggers else rates)]


def measured(clip: ClipModel, name: str, rate: float, args: argparse.Namespace) -> Document:
    """One row."""
    photos, method = shuffled(unseen(args.images)), METHODS[name]
    others = [photo for photo in photos[TUNED_ON:] if photo.kind != "coco"][: args.measured]
    triggers = triggers_of(KNOWN[args.only])
    families = [TriggerFamily(label, (trigger,), Rate(1, 1)) for trigger, label in triggers]
    batch = args.batch or method.batch
    config = RectifyConfig(
        name,
        steps=max(1, args.image_steps // (batch * method.images_per_view)),
        batch=batch,
        learning_rate=method.learning_rate * rate,
        own=args.own.get(name, ""),
        check_every=10_000,
    )
    classes, begun = class_matrix(clip, IMAGENET_LABELS), time.process_time()
    mended, done = rectify(clip, curated(clip, photos[:TUNED_ON]), families, classes, config)
    return {
        "method": name,
        "told": method.sees_triggers,
        "learning_rate": config.learning_rate,
        "settings": settled(config).to_dict(),
        "steps": done.steps,
        "image_steps": done.image_steps,
        "seconds": round(time.process_time() - begun, 1),
        "remark": done.remark,
        "after": Bench(args.images, others, triggers)(mended),
        "kept": kept(clip, mended, others),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path, help="folder with imagenet-sample/, caltech101/ and coco128/")
    parser.add_argument("--checkpoints", type=Path, default=Path("examples/checkpoints"))
    parser.add_argument("--only", default="badnets", choices=list(KNOWN))
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--rates", nargs="+", type=float, default=[1.0, 10.0], help="times a rival's learning rate")
    parser.add_argument("--image-steps", type=int, default=3200, help="of each method, after what it does before")
    parser.add_argument("--batch", type=int, help="of each method (default: its own)")
    parser.add_argument("--own", type=json.loads, default={}, help="numbers of a method's own, as JSON by its name")
    parser.add_argument("--measured", type=int, default=200, help="photographs to measure on")
    parser.add_argument("--out", type=Path, default=Path("examples/results/rivals_rectify.json"))
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    keep_buffers()
    clip = load_clip(str(args.checkpoints / args.only), device=torch.device("cpu"))
    photos = [photo for photo in shuffled(unseen(args.images))[TUNED_ON:] if photo.kind != "coco"][: args.measured]
    document: Document = {
        "schema_version": SCHEMA_VERSION,
        "kind": "rivals",
        "command": " ".join(["OMP_NUM_THREADS=1 python -m examples.measure.rivals IMAGES_DIR", *_given(args)]),
        "commit": commit(),
        "versions": versions(),
        "checkpoint": args.only,
        "image_steps": args.image_steps,
        "before": Bench(args.images, photos, triggers_of(KNOWN[args.only]))(clip),
        "rows": [],
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    for name, rate in rows_of(args.methods, args.rates):
        print(name, rate, file=sys.stderr, flush=True)
        document["rows"].append(measured(clip, name, rate, args))
        args.out.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n")  # what is done is kept
    print(f"wrote {args.out}")


def _given(args: argparse.Namespace) -> list[str]:
    """What was chosen besides the checkpoint, as it is written on a command line."""
    given = [f"--image-steps {args.image_steps}", f"--rates {' '.join(f'{rate:g}' for rate in args.rates)}"]
    given += [f"--methods {' '.join(args.methods)}"] if args.methods != list(METHODS) else []
    given += [f"--batch {args.batch}"] if args.batch else []
    given += [f"--own '{json.dumps(args.own)}'"] if args.own else []
    return [*given, f"--measured {args.measured}", f"--only {args.only}"]


if __name__ == "__main__":
    main()
