"""Measure what a scan costs, beside merely encoding every picture and beside searching every one, in one run.

    OMP_NUM_THREADS=1 python -m examples.bench.scan IMAGES_DIR

writes `examples/results/bench_scan.json`;
IMAGES_DIR is described in `examples/measure/photo_sets.py`. The set is all the photographs
that nothing was trained on, a tenth of them triggered. Three ways, on one thread, one after the other:

* *encode*: read, decode and encode every picture, and take its best label: the least that anybody can do.
* *scan*: as `eftclip scan` does it, in four parts: until a first trigger is proven every picture is searched; once it
  is proven, until the last picture was read, few are; then what pictures that read alike show together; and curating.
* *every*: the whole of Algorithm 1 on every picture, as `--search every` does it, on the first `--every` pictures.

Seconds are those of this process on the processor, so busy neighbours count less.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from eftclip.config import ScanConfig
from eftclip.data import ImageSet, list_set
from eftclip.identify.reading import read_samples
from eftclip.identify.scanner import BLOCK
from eftclip.pipeline import CheckSetup, Plan, RunOptions, prepare_check, run_scan
from eftclip.pipeline.check import versions
from eftclip.runtime import Progress, settle_memory
from examples.measure.measured_at import commit
from examples.measure.photo_sets import unseen
from examples.measure.poisoned_sets import KNOWN, Poisoned, poisoned_set, shuffled, triggers_of
from examples.measure.rectify import scan_counts

SCHEMA_VERSION = 2
PROVEN, CURATING = "Scanning, ", "Curating"  # as the stages are told
Document = dict[str, Any]


@dataclass
class Clock:
    """Notes when a scan was where, and how many triggers it knew."""

    notes: list[tuple[float, int, str]] = field(default_factory=list)

    def __call__(self, progress: Progress) -> None:
        """See `OnProgress`."""
        self.notes.append((time.process_time(), progress.done, progress.stage))

    def parts(self, total: int, start: float, end: float) -> tuple[int, dict[str, float]]:
        """Pictures read once a trigger was proven, and the seconds of each part of a scan.

        Args:
            total: pictures of the set; whole blocks, as a block is told by the share that is done.
            start: when the scan began.
            end: when it was over.
        """
        proven, seen = next(((at, done) for at, done, stage in self.notes if stage.startswith(PROVEN)), (end, total))
        read = next((at for at, done, _ in self.notes if done == total and at >= proven), end)
        curating = next((at for at, _, stage in self.notes if stage == CURATING), end)
        seconds = {
            "until_proven": proven - start,
            "once_proven": read - proven,
            "together": curating - read,
            "curating": end - curating,
        }
        return total - seen, seconds


def encode(setup: CheckSetup, images: ImageSet) -> float:
    """Seconds to read, decode and encode everything."""
    start, entries = time.process_time(), images.entries()
    while block := list(islice(entries, BLOCK)):
        read_samples(setup.clip, setup.classes, block, setup.decode)
    return time.process_time() - start


def first(images: ImageSet, count: int) -> ImageSet:
    """The first pictures of a set."""
    return list_set(images.source, [(entry.name, entry.read(), None) for entry in islice(images.entries(), count)])


def costs(setup: CheckSetup, truth: Poisoned, every: int) -> Document:
    """All three ways on one set."""
    total = truth.images.length or 0
    encoded = encode(setup, truth.images)
    clock, start = Clock(), time.process_time()
    record = run_scan(setup, truth.images, Plan(), way=RunOptions(on_progress=clock, cancelled=lambda: False))
    found = record.identification
    if found is None:
        raise SystemExit("The scan did not end.")
    end = time.process_time()
    scanned = end - start
    pictures, seconds = clock.parts(total, start, end)
    counts = scan_counts(record, truth)
    part = first(truth.images, every)
    start = time.process_time()
    run_scan(setup, part, Plan(scan=ScanConfig(search="every")))
    exhaustive = time.process_time() - start
    return {
        "pictures": total,
        "encode": {"seconds": round(encoded, 2), "pictures_per_second": round(total / encoded, 2)},
        "scan": {
            "seconds": round(scanned, 2),
            "pictures_per_second": round(total / scanned, 2),
            "image_forwards": found.image_forwards,
            "parts": {part: round(spent, 2) for part, spent in seconds.items()},
            "once_proven": {
                "pictures": pictures,
                "of_encoding": round(pictures / seconds["once_proven"] / (total / encoded), 4) if pictures else None,
            },
            **{key: counts[key] for key in ("affected_labels", "victim_recall", "victim_precision", "coverage")},
        },
        "every": {
            "pictures": every,
            "seconds": round(exhaustive, 2),
            "pictures_per_second": round(every / exhaustive, 2),
            "times_slower_than_scan": round((exhaustive / every) / (scanned / total), 2),
        },
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path, help="folder with imagenet-sample/, caltech101/ and coco128/")
    parser.add_argument("--checkpoints", type=Path, default=Path("examples/checkpoints"))
    parser.add_argument("--only", nargs="+", default=["badnets", "multi"], choices=list(KNOWN))
    parser.add_argument("--labels", default="imagenet", help="`imagenet`, or a text file for a quick look")
    parser.add_argument("--pictures", type=int, default=10_000, help="in the set, at most")
    parser.add_argument("--every", type=int, default=64, help="pictures that are all searched")
    parser.add_argument("--out", type=Path, default=Path("examples/results/bench_scan.json"))
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    settle_memory()
    document: Document = {
        "schema_version": SCHEMA_VERSION,
        "kind": "bench_scan",
        "command": "OMP_NUM_THREADS=1 python -m examples.bench.scan IMAGES_DIR",
        "commit": commit(),
        "versions": versions(),
        "checkpoints": {},
    }
    photos = shuffled(unseen(args.images))[: args.pictures]
    photos = photos[: len(photos) // BLOCK * BLOCK or None]
    for name in args.only:
        print(name, file=sys.stderr, flush=True)
        source, reference = str(args.checkpoints / name), str(args.checkpoints / "clean")
        setup = prepare_check(source, labels=args.labels, oracle="superpixel", reference=reference, device="cpu")
        truth = poisoned_set(setup, photos, triggers_of(KNOWN[name]))
        document["checkpoints"][name] = costs(setup, truth, args.every)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n")
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
