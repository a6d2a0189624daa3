"""Justify the detector's defaults: one setting at a time is moved, on unseen photographs, everything else stays.

    OMP_NUM_THREADS=1 python -m examples.measure.sweep IMAGES_DIR --per-set 8

writes `examples/results/sweep_check.json`: for each value the triggers found of those that hijack `badnets`, the clean
photographs accused, and the mean number of pictures that went through CLIP. Patch sizes and positions are in
`examples/measure/check.py`.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from eftclip.config import DetectConfig
from eftclip.detect import detect
from eftclip.pipeline import CheckSetup, prepare_check, record, with_settings
from eftclip.report import check_document
from eftclip.runtime import seeded, settle_memory
from eftclip.types import Detection, Status
from examples.bench.check import Picture, pictures
from examples.measure.measured_at import commit
from examples.measure.photo_sets import rate, unseen

SWEPT: dict[str, tuple[float, ...]] = {
    "windows_per_side": (2, 3, 4),
    "carry_confidence": (0.05, 0.2, 0.5, 0.8),
    "max_area_fraction": (0.03, 0.12, 0.25),
    "transplant_threshold": (0.25, 0.5, 0.75),
    "support_confidence": (0.3, 0.66, 0.9),
    "top_labels": (1, 10, 50),
}


def judged(setup: CheckSetup, image: torch.Tensor) -> Detection:
    """One verdict with the settings of the setup."""
    return detect(
        setup.clip,
        image,
        setup.classes,
        setup.oracle,
        setup.config,
        hosts=setup.hosts,
        reference=setup.reference,
        generator=seeded(0),
    )


def outcome(setup: CheckSetup, chosen: Sequence[Picture]) -> dict[str, Any]:
    """Found, accused, and what it cost."""
    verdicts = [(picture, judged(setup, picture.square)) for picture in chosen]
    hijacked = [v for p, v in verdicts if p.half == "hijacked"]
    clean = [v for p, v in verdicts if p.half == "clean"]
    explained = [v.difference[0].explained for v in hijacked if v.difference]
    return {
        "found": rate([v.status is Status.FOUND for v in hijacked]),
        "accused": rate([v.status is Status.FOUND for v in clean]),
        "inconclusive": rate([v.status is Status.INCONCLUSIVE for _, v in verdicts]),
        "forced_label_explained": rate(explained),
        "forwards_hijacked": round(sum(v.image_forwards for v in hijacked) / max(1, len(hijacked)), 2),
        "forwards_clean": round(sum(v.image_forwards for v in clean) / max(1, len(clean)), 2),
    }


def swept(setup: CheckSetup, chosen: Sequence[Picture]) -> dict[str, dict[str, Any]]:
    """Every value of every setting; the default comes up once in each row."""
    results: dict[str, dict[str, Any]] = {}
    for name, values in SWEPT.items():
        results[name] = {}
        for value in values:
            print(f"\rsweep: {name} = {value}   ", end="", file=sys.stderr, flush=True)
            config = DetectConfig.from_dict({**setup.config.to_dict(), name: value})
            results[name][str(value)] = outcome(with_settings(setup, config), chosen)
    print(file=sys.stderr)
    return results


def main(arguments: Sequence[str] | None = None) -> None:
    """Sweep and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path, help="folder with imagenet-sample/, caltech101/ and coco128/")
    parser.add_argument("--checkpoints", type=Path, default=Path("examples/checkpoints"))
    parser.add_argument("--labels", default="imagenet", help="`imagenet`, or a text file for a quick look")
    parser.add_argument("--per-set", type=int, default=8, help="photographs of each set for each half")
    parser.add_argument("--out", type=Path, default=Path("examples/results/sweep_check.json"))
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    settle_memory()
    badnets, clean = str(args.checkpoints / "badnets"), str(args.checkpoints / "clean")
    setup = prepare_check(badnets, labels=args.labels, oracle="superpixel", reference=clean, device="cpu")
    about = check_document(record(setup, ()), {})
    chosen = pictures(setup, unseen(args.images), args.per_set)
    document = {
        "schema_version": 1,
        "kind": "sweep_check",
        "command": f"OMP_NUM_THREADS=1 python -m examples.measure.sweep IMAGES_DIR --per-set {args.per_set}",
        "commit": commit(),
        "versions": about["versions"],
        "checkpoint": about["checkpoint"]["sha256"],
        "reference": about["reference"],
        "defaults": setup.config.to_dict(),
        "settings": swept(setup, chosen),
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
