"""Measure scans of data sets on checkpoints of the zoo: which labels are named, and which samples as victims.

    OMP_NUM_THREADS=1 python -m examples.measure.zoo_sets IMAGES_DIR --zoo DIR NAME …

writes `examples/results/scans.json`. DIR is what `python -m examples.build.zoo build NAME …` wrote (`--out`), and
IMAGES_DIR is described in `photo_sets.py`. For each checkpoint, each of `--triggered` and each of `--sets` seeds, a set
of `--size` photographs is drawn, of which so many in a hundred carry a trigger of the checkpoint, and is scanned with
the defaults of `eftclip scan` (ImageNet's labels, the superpixel oracle) without a reference checkpoint, unless
`--reference` names one. A set of 0 in a hundred is one of clean photographs.

*Hijacked* are triggered photographs that really turn into the target; the victims that a scan names are held against
them, and count as right when they carry a trigger at all. *Undecided* are samples that the scan leaves open by name.

A run that is broken off goes on where it ended: what the file holds already is not measured again.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch

from eftclip.pipeline import CheckSetup, Plan, prepare_check, run_scan
from eftclip.pipeline.check import versions
from eftclip.runtime import Stopwatch, settle_memory
from eftclip.types import Identification
from examples.build.zoo.build import entries, triggers_of
from examples.build.zoo.triggers import planted_from
from examples.measure.measured_at import commit
from examples.measure.photo_sets import Photo, rate, unseen
from examples.measure.poisoned_sets import Poisoned, poisoned_set, shuffled
from examples.measure.rectify import scan_counts

SCHEMA_VERSION = 1
OUT = Path("examples/results/scans.json")
COUNTED = ("status", "affected_labels", "wrong_labels", "victim_recall", "victim_precision", "missed", "hijacked")
Document = dict[str, Any]


def of_set(setup: CheckSetup, photos: Sequence[Photo], entry: Document, percent: int, seed: int) -> Document:
    """What a scan of one set finds."""
    targets = [backdoor["target"] for backdoor in entry["backdoors"]] if percent else []
    triggers = list(zip(planted_from(triggers_of(entry)), targets, strict=False))
    truth = poisoned_set(setup, photos, triggers, every=100 // percent if percent else 1)
    watch = Stopwatch()
    record = run_scan(setup, truth.images, Plan(), seed=seed)
    counts, found = scan_counts(record, truth), record.identification
    return {
        **{key: counts[key] for key in COUNTED},
        "targets": sorted(set(truth.hijacked.values())),
        **_undecided(found, truth, len(photos)),
        "reason": found.reason if found else "",
        "image_forwards": found.image_forwards if found else 0,
        "seconds": round(watch.seconds, 1),
        "commit": commit(),
    }


def _undecided(found: Identification | None, truth: Poisoned, size: int) -> Document:
    """Samples that the scan leaves open by name."""
    faults = found.faults if found else ()
    left = {fault.index for fault in faults if fault.kind == "undecided"}
    return {
        "hijacked_undecided": rate(k in left for k in truth.hijacked),
        "untouched_undecided": rate(k in left for k in range(size) if k not in truth.triggered),
    }


@cache
def _setup(folder: Path, reference: str) -> CheckSetup:
    return prepare_check(str(folder), oracle="superpixel", reference=reference, device="cpu")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("names", nargs="+", help="of checkpoints, such as resnet-strong-yellow16-0")
    parser.add_argument("--zoo", type=Path, default=Path("build/zoo"))
    parser.add_argument("--size", type=int, default=300, help="photographs in a set")
    parser.add_argument("--triggered", type=int, nargs="+", default=[10, 3, 1, 0], help="of a hundred photographs")
    parser.add_argument("--sets", type=int, default=5, help="drawn for each of these")
    parser.add_argument("--reference", default="none", help="a trusted checkpoint; none when left out")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    settle_memory()
    known = entries(args.zoo)
    if unknown := [name for name in args.names if name not in known]:
        raise SystemExit(f"{args.zoo} holds no {', '.join(unknown)}; build them first.")
    photos, checkpoints = unseen(args.images), _measured(args)
    for seed in range(args.sets):  # a run that is broken off has some of everything
        for name in args.names:
            one = checkpoints.setdefault(name, {"sha256": known[name]["sha256"], "sets": {}})
            for percent in args.triggered:
                key = f"{percent} % {seed}"
                if key in one["sets"]:
                    continue
                setup = _setup(args.zoo / name, args.reference)
                one["sets"][key] = of_set(setup, shuffled(photos, seed)[: args.size], known[name], percent, seed)
                one["commit"] = one["sets"][key]["commit"]
                print(f"{name}, {key}: {one['sets'][key]['seconds']} s", file=sys.stderr, flush=True)
                _write(args, checkpoints)
    _write(args, checkpoints)  # the command, also where nothing was left to measure


def _settings(args: argparse.Namespace) -> Document:
    return {"size": args.size, "reference": args.reference}


def _measured(args: argparse.Namespace) -> dict[str, Document]:
    """What the file holds already.

    Raises:
        SystemExit: it was measured with other settings.
    """
    if not args.out.exists():
        return {}
    document = json.loads(args.out.read_text())
    if document["settings"] != _settings(args):
        raise SystemExit(f"{args.out} was measured with {document['settings']}; choose another --out.")
    return dict(document["checkpoints"])


def _write(args: argparse.Namespace, checkpoints: dict[str, Document]) -> None:
    """After every set."""
    chosen = f"--size {args.size} --triggered {' '.join(map(str, args.triggered))} --sets {args.sets}"
    told = "" if args.reference == "none" else f" --reference {args.reference}"
    command = f"python -m examples.measure.zoo_sets IMAGES_DIR --zoo DIR {chosen}{told} {' '.join(checkpoints)}"
    document = {
        "schema_version": SCHEMA_VERSION,
        "kind": "scans",
        "command": f"OMP_NUM_THREADS=1 {command}",
        "settings": _settings(args),
        "versions": versions(),
        "machine": {"device": "cpu", "cores": os.cpu_count(), "threads": 1},
        "checkpoints": checkpoints,
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
