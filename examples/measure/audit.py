"""Measure the audit of a checkpoint alone: which triggers grow out of its weights, and whether mending with them helps.

    OMP_NUM_THREADS=1 python -m examples.measure.audit IMAGES_DIR --checkpoints DIR

writes `examples/results/audit.json`;
IMAGES_DIR and DIR are those of `examples/measure/rectify.py`. No poisoned picture is shown
and no data set given. The mended file is measured with the true triggers, which nobody has seen, on photographs that
nothing was trained on; `clean` is the control.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from eftclip.checkpoint import load_clip
from eftclip.config import InvertConfig, RectifyConfig
from eftclip.pipeline import Plan, prepare_check, run_rectify
from eftclip.report import run_document
from eftclip.runtime import settle_memory
from examples.measure.measured_at import commit
from examples.measure.photo_sets import rate, spread, unseen
from examples.measure.poisoned_sets import KNOWN, triggers_of
from examples.measure.rectify import Bench

SCHEMA_VERSION = 1
Document = dict[str, Any]


def audited(name: str, args: argparse.Namespace) -> Document:
    """One checkpoint."""
    triggers = triggers_of(KNOWN.get(name, KNOWN["badnets"]))  # `clean` has none; its control is that of `badnets`
    reference = "none" if name == "clean" else str(args.checkpoints / "clean")
    setup = prepare_check(
        str(args.checkpoints / name), oracle="superpixel", reference=reference, labels=args.labels, device="cpu"
    )
    plan = Plan(rectify=RectifyConfig.from_dict(args.rectify), invert=InvertConfig.from_dict(args.invert))
    record = run_rectify(setup, None, plan, args.work / name)
    found = record.identification
    if found is None:
        raise SystemExit("The audit did not end.")
    told = run_document(record)
    wanted = [target for _, target in triggers] if name in KNOWN else []
    document: Document = {
        "sha256": setup.clip.ref.sha256,
        "status": found.status.value,
        "labels": list(found.affected_labels),
        "targets_found": rate(label in found.affected_labels for label in wanted),
        "wrong_labels": [label for label in found.affected_labels if label not in wanted],
        "costs": told["costs"],
    }
    if record.rectified is not None:
        photos = [photo for photo in unseen(args.images) if photo.kind != "coco"]
        bench = Bench(args.images, spread(photos, args.measured), triggers)
        clip = load_clip(str(args.work / name), device=setup.clip.device)
        document["before"] = bench(setup.clip)
        document["after"] = bench(replace(clip, preprocess=setup.clip.preprocess))
    return document


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path, help="folder with imagenet-sample/, caltech101/ and coco128/")
    parser.add_argument("--checkpoints", type=Path, default=Path("examples/checkpoints"))
    parser.add_argument("--only", nargs="+", default=["clean", "badnets", "multi"], choices=["clean", *KNOWN])
    parser.add_argument("--labels", default="imagenet", help="`imagenet`, or a text file for a quick look")
    parser.add_argument("--measured", type=int, default=10_000, help="photographs to measure on at most")
    parser.add_argument("--rectify", type=json.loads, default={}, help="settings of the fine-tuning, as JSON")
    parser.add_argument("--invert", type=json.loads, default={}, help="settings of the search in the weights, as JSON")
    parser.add_argument("--work", type=Path, default=Path("build/audited"), help="mended checkpoints go here")
    parser.add_argument("--out", type=Path, default=Path("examples/results/audit.json"))
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    settle_memory()
    checkpoints: Document = {}
    for name in args.only:
        print(name, file=sys.stderr, flush=True)
        checkpoints[name] = audited(name, args)
        document = {
            "schema_version": SCHEMA_VERSION,
            "kind": "audit_quality",
            "command": "OMP_NUM_THREADS=1 python -m examples.measure.audit IMAGES_DIR --checkpoints DIR",
            "commit": commit(),
            "checkpoints": checkpoints,
        }
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
