"""Measure what each stage from a poisoned data set to a mended checkpoint costs, and what made a step cheaper.

    OMP_NUM_THREADS=2 python -m examples.bench.rectify IMAGES_DIR

writes `examples/results/bench_rectify.json`;
IMAGES_DIR is described in `examples/measure/photo_sets.py`. Leave the machine alone
meanwhile: seconds are those of the clock, on the threads that OMP_NUM_THREADS allows.

* *stages*: `eftclip rectify` on 300 photographs that nothing was trained on, a tenth of them triggered: seconds, peak
  memory of the process, pictures read, and pictures that went forward and backward.
* *step*: seconds of one step of the fine-tuning as it is, beside the same without what makes it cheap, and beside the
  paper's method; each in a process of its own.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from eftclip.config import RectifyConfig
from eftclip.data import host_photographs
from eftclip.pipeline import Plan, prepare_check, run_rectify
from eftclip.pipeline.check import versions
from eftclip.rectify import rectify
from eftclip.report import run_document
from eftclip.runtime import Progress, seeded, settle_memory
from eftclip.types import CuratedItem, CuratedSet, Rate, TriggerFamily
from eftclip.zeroshot import class_matrix
from examples.measure.measured_at import commit
from examples.measure.photo_sets import unseen
from examples.measure.poisoned_sets import KNOWN, poisoned_set, shuffled, triggers_of
from examples.measure.rectify import SCANNED

SCHEMA_VERSION = 1
STEPS, WARM = 5, 1
Document = dict[str, Any]

# What a step is compared with: its settings, and whether buffers are kept.
OURS: tuple[Document, bool] = ({}, True)
BESIDE: dict[str, tuple[Document, bool]] = {
    "buffers_given_back": ({}, False),
    "all_at_once": ({"at_once": 32}, True),
    "contrastive": ({"method": "contrastive"}, True),
}


def stages(args: argparse.Namespace) -> Document:
    """The whole way, stage by stage."""
    source, reference = str(args.checkpoints / args.only), str(args.checkpoints / "clean")
    setup = prepare_check(source, oracle="superpixel", reference=reference, labels=args.labels, device="cpu")
    photos = shuffled(unseen(args.images))[: args.scanned]
    truth = poisoned_set(setup, photos, triggers_of(KNOWN[args.only]))
    plan = Plan(rectify=RectifyConfig.from_dict(args.rectify))
    costs = run_document(run_rectify(setup, truth.images, plan, args.work / args.only))["costs"]
    together = sum(cost["seconds"] for cost in costs)
    shares = {
        cost["stage"].replace(" ", "_"): {**cost, "share": round(cost["seconds"] / together, 4)} for cost in costs
    }
    return {
        "pictures": len(photos),
        "seconds": round(together, 1),
        "peak_mb": max(cost["peak_mb"] or 0 for cost in costs),
        "stages": shares,
    }


def step_seconds(checkpoint: Path, settings: Document, keep: bool, threads: int) -> float:
    """The median of some steps; runs in a process of its own."""
    torch.set_num_threads(threads)
    if keep:
        settle_memory()
    from eftclip.checkpoint import load_clip

    clip = load_clip(str(checkpoint), device=torch.device("cpu"))
    classes = class_matrix(clip, ("banana", "cat", "dog"))
    pictures = host_photographs(clip.image_px, 20, generator=seeded(0))
    items = [CuratedItem(f"{k}", k, "control", "A view.", classes.labels[k % 3], x) for k, x in enumerate(pictures)]
    family = TriggerFamily("banana", (triggers_of(KNOWN["badnets"])[0][0],), Rate(1, 1))
    config = RectifyConfig.from_dict({**settings, "steps": STEPS + WARM, "check_every": 10_000})
    ends: list[float] = []

    def note(progress: Progress) -> None:
        ends.append(time.perf_counter())

    rectify(clip, CuratedSet(tuple(items), 64, "bundled"), [family], classes, config, on_progress=note)
    return statistics.median(b - a for a, b in zip(ends[WARM - 1 :], ends[WARM:], strict=False))


def step(args: argparse.Namespace) -> Document:
    """One step as it is and beside others."""
    context, base = multiprocessing.get_context("forkserver"), {"batch": args.rectify.get("batch", 32)}

    def seconds(settings: Document, keep: bool) -> float:
        with context.Pool(1) as pool:
            arguments = (args.checkpoints / args.only, {**base, **settings}, keep, torch.get_num_threads())
            return float(pool.apply(step_seconds, arguments))

    ours = seconds(*OURS)
    document: Document = {"image_steps": 2 * base["batch"], "ours": {"seconds": round(ours, 3)}}
    for name, (settings, keep) in BESIDE.items():
        theirs = seconds(settings, keep)
        document[name] = {"seconds": round(theirs, 3), "times_ours": round(theirs / ours, 3)}
    return document


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path, help="folder with imagenet-sample/, caltech101/ and coco128/")
    parser.add_argument("--checkpoints", type=Path, default=Path("examples/checkpoints"))
    parser.add_argument("--only", default="badnets", choices=list(KNOWN))
    parser.add_argument("--labels", default="imagenet", help="`imagenet`, or a text file for a quick look")
    parser.add_argument("--scanned", type=int, default=SCANNED, help="photographs in the data set")
    parser.add_argument("--rectify", type=json.loads, default={}, help="settings of the fine-tuning, as JSON")
    parser.add_argument("--work", type=Path, default=Path("build/bench"), help="the mended checkpoint goes here")
    parser.add_argument("--out", type=Path, default=Path("examples/results/bench_rectify.json"))
    args = parser.parse_args(arguments)
    settle_memory()
    print(f"stages of {args.only}", file=sys.stderr, flush=True)
    document: Document = {
        "schema_version": SCHEMA_VERSION,
        "kind": "bench_rectify",
        "command": "OMP_NUM_THREADS=2 python -m examples.bench.rectify IMAGES_DIR",
        "commit": commit(),
        "versions": versions(),
        "machine": {"device": "cpu", "cores": os.cpu_count(), "threads": torch.get_num_threads()},
        "checkpoint": args.only,
        **stages(args),
        "step": step(args),
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n")
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
