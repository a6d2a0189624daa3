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
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch

from eftclip.pipeline import CheckSetup, Plan, prepare_check, run_scan
from eftclip.runtime import Stopwatch, settle_memory
from eftclip.types import Identification
from examples.build.zoo.build import triggers_of
from examples.build.zoo.triggers import planted_from
from examples.measure.measured_at import commit
from examples.measure.photo_sets import Photo, rate, unseen
from examples.measure.poisoned_sets import Poisoned, poisoned_set, shuffled
from examples.measure.rectify import scan_counts
from examples.measure.zoo_files import Document, add_options, known_checkpoints, measured, told, write

OUT = Path("examples/results/scans.json")
COUNTED = ("status", "affected_labels", "wrong_labels", "victim_recall", "victim_precision", "missed", "hijacked")


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
    parser.add_argument("--size", type=int, default=300, help="photographs in a set")
    parser.add_argument("--triggered", type=int, nargs="+", default=[10, 3, 1, 0], help="of a hundred photographs")
    parser.add_argument("--sets", type=int, default=5, help="drawn for each of these")
    add_options(parser, OUT)
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    settle_memory()
    known, settings = known_checkpoints(args), {"size": args.size, "reference": args.reference}
    photos, checkpoints = unseen(args.images), measured(args.out, settings)
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
                _write(args, settings, checkpoints)
    _write(args, settings, checkpoints)  # the command, also where nothing was left to measure


def _write(args: argparse.Namespace, settings: Document, checkpoints: dict[str, Document]) -> None:
    """After every set."""
    chosen = f"--size {args.size} --triggered {' '.join(map(str, args.triggered))} --sets {args.sets}"
    of_which = f"{chosen}{told(args.reference)} {' '.join(checkpoints)}"
    command = f"python -m examples.measure.zoo_sets IMAGES_DIR --zoo DIR {of_which}"
    write(args.out, "scans", command, {"settings": settings}, checkpoints)


if __name__ == "__main__":
    main()
