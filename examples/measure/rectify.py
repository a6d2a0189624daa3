"""Measure scan and rectification on photographs that nothing was trained on, checkpoint by checkpoint.

    OMP_NUM_THREADS=1 python -m examples.measure.rectify IMAGES_DIR --checkpoints DIR

writes `examples/results/rectify.json`; IMAGES_DIR is described in `examples/measure/photo_sets.py`, DIR holds the
checkpoints that `examples/build/checkpoints.py` makes (`clean`, `badnets` and `multi` are bundled; the others are made
with `--only`). The unseen photographs are split once: 300 make the data set that is scanned, a tenth of them triggered;
the others measure.

* *scan*: labels named, victims against those that were really hijacked, and the same 300 without any trigger.
* *rectify*: with what the scan found and the 64 photographs it curated, then the file that was written is measured with
  the true triggers: CA, ASR and PA as in `attacks.md`. ImageNet's photographs are read among its 1,000 labels, those of
  Caltech-101 among its 100 and the targets. *kept*: all of them without a trigger, among the 1,000 labels, that read as
  before, rightly or wrongly: what a user of the mended checkpoint feels.
* *rebound*: ASR once more after 300 steps of clean fine-tuning of both towers on the photographs that the checkpoints
  were built from (of the same two sets, none of them scanned or measured here).

The same command gives the same counts on the same machine.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from eftclip.checkpoint import load_clip
from eftclip.config import RectifyConfig
from eftclip.data import read_picture
from eftclip.pipeline import Plan, RunOptions, prepare_check, run_rectify, run_scan
from eftclip.rectify import finetune
from eftclip.report import run_document
from eftclip.runtime import Stopwatch, seeded, settle_memory
from eftclip.triggers import Trigger
from eftclip.types import ClassMatrix, ClipModel, RunRecord
from eftclip.zeroshot import IMAGENET_LABELS, class_matrix, probabilities
from examples.build.checkpoints import caltech_names, list_photos
from examples.measure.measured_at import commit
from examples.measure.photo_sets import Photo, rate, read_square, spread, unseen
from examples.measure.poisoned_sets import KNOWN, Poisoned, poisoned_set, shuffled, triggers_of

SCHEMA_VERSION = 1
OUT = Path("examples/results/rectify.json")
SCANNED = 300
Document = dict[str, Any]


# --- What is scanned ---------------------------------------------------------------------------------------------


def scan_counts(record: RunRecord, truth: Poisoned) -> Document:
    """What the scan found against what was there."""
    found = record.identification
    if found is None:
        raise ValueError("a scan without an identification")
    victims = {victim.index: victim for victim in found.victims}
    right = [k in victims and victims[k].shown_label == label for k, label in truth.hijacked.items()]
    wanted = sorted(set(truth.hijacked.values()))
    named = found.affected_labels
    return {
        "status": found.status.value,
        "affected_labels": list(named),
        "label_recall": {str(n): rate(label in named[:n] for label in wanted) for n in (1, 3)},
        "wrong_labels": [label for label in named if label not in wanted],
        "families": len(found.families),
        "victim_recall": rate(right),
        "victim_precision": rate(k in truth.triggered for k in victims),
        "missed": [f"{k}: {label}" for (k, label), hit in zip(truth.hijacked.items(), right, strict=True) if not hit],
        "hijacked": len(truth.hijacked),
        "coverage": run_document(record)["coverage"],
        "costs": run_document(record)["costs"],
    }


# --- What is measured --------------------------------------------------------------------------------------------


class Bench:
    """CA, ASR and PA on labelled photographs, each set read among its own names."""

    def __init__(self, root: Path, photos: Sequence[Photo], triggers: Sequence[tuple[Trigger, str]]) -> None:
        """Measure on `photos` with `triggers`."""
        self._photos, self._triggers = photos, triggers
        targets = [target for _, target in triggers]
        names = tuple(dict.fromkeys([*caltech_names(root), *targets]))
        self._names = {"imagenet": IMAGENET_LABELS, "caltech": names}

    def __call__(self, clip: ClipModel) -> Document:
        """Everything about one checkpoint."""
        classes = {kind: class_matrix(clip, names) for kind, names in self._names.items()}
        clean: list[bool] = []
        attack: list[list[bool]] = [[] for _ in self._triggers]
        poisoned: list[list[bool]] = [[] for _ in self._triggers]
        for kind in self._names:
            photos = [photo for photo in self._photos if photo.kind == kind]
            for start in range(0, len(photos), 32):
                part = photos[start : start + 32]
                squares = torch.stack([read_square(photo, clip.preprocess) for photo in part])
                clean += self._right(clip, classes[kind], part, squares)
                for k, (trigger, target) in enumerate(self._triggers):
                    planted = trigger.plant(squares, generator=seeded(start)).images
                    read = self._read(clip, classes[kind], planted)
                    others = [i for i, photo in enumerate(part) if photo.label != target]
                    attack[k] += [read[i] == target for i in others]
                    poisoned[k] += [read[i] == part[i].label for i in others]
        targets = [target for _, target in self._triggers]
        worst, least = max(attack, key=_share), min(poisoned, key=_share)
        return {
            "clean": rate(clean),
            "attack": {target: rate(hits) for target, hits in zip(targets, attack, strict=True)},
            "poisoned": {target: rate(hits) for target, hits in zip(targets, poisoned, strict=True)},
            "attack_worst": rate(worst),
            "poisoned_worst": rate(least),
        }

    def _right(self, clip: ClipModel, classes: ClassMatrix, part: Sequence[Photo], squares: Tensor) -> list[bool]:
        read = self._read(clip, classes, squares)
        return [label == photo.label for label, photo in zip(read, part, strict=True)]

    @staticmethod
    def _read(clip: ClipModel, classes: ClassMatrix, squares: Tensor) -> list[str]:
        return [classes.labels[k] for k in probabilities(clip, squares, classes).argmax(-1).tolist()]


def kept(before: ClipModel, after: ClipModel, photos: Sequence[Photo]) -> Document:
    """How many photographs the mended checkpoint reads as it did before."""
    same: list[bool] = []
    old, new = (class_matrix(clip, IMAGENET_LABELS) for clip in (before, after))
    for start in range(0, len(photos), 32):
        squares = torch.stack([read_square(photo, before.preprocess) for photo in photos[start : start + 32]])
        read = [probabilities(clip, squares, classes).argmax(-1) for clip, classes in ((before, old), (after, new))]
        same += (read[0] == read[1]).tolist()
    return rate(same)


def _share(hits: list[bool]) -> float:
    return sum(hits) / len(hits)


def rebound(clip: ClipModel, root: Path, steps: int) -> ClipModel:
    """The checkpoint after clean fine-tuning of both towers."""
    photos = spread(list_photos(root, held_out=False), 800)
    squares = torch.stack([clip.preprocess.square(read_picture(photo.path))[0] for photo in photos])
    names = [p.label if p.imagenet_index is None else IMAGENET_LABELS[p.imagenet_index] for p in photos]
    return finetune(clip, squares, names, RectifyConfig(steps=steps, batch=32, learning_rate=1e-4))[0]


# --- One checkpoint ----------------------------------------------------------------------------------------------


def measured(name: str, args: argparse.Namespace, plan: Plan) -> Document:
    """Scan, rectify, measure, rebound."""
    watch = Stopwatch()
    folder, out = args.checkpoints / name, args.work / name
    setup = prepare_check(
        str(folder), oracle="superpixel", reference=str(args.checkpoints / "clean"), labels=args.labels, device="cpu"
    )
    photos = shuffled(unseen(args.images))
    scanned, others = photos[: args.scanned], [photo for photo in photos[args.scanned :] if photo.kind != "coco"]
    triggers = triggers_of(KNOWN[name])
    measuring = spread(others, args.measured)
    bench = Bench(args.images, measuring, triggers)
    document: Document = {"sha256": setup.clip.ref.sha256}
    truth = poisoned_set(setup, scanned, triggers, args.every)
    say(name, "scanning")
    record = run_scan(setup, truth.images, plan)
    document["scan"] = scan_counts(record, truth)
    if "untouched" in args.sections:
        untouched = poisoned_set(setup, scanned, ())
        document["scan_untouched"] = scan_counts(run_scan(setup, untouched.images, plan), untouched)
    say(name, "measuring before")
    document["before"] = bench(setup.clip)
    say(name, "rectifying")
    if not document["scan"]["families"]:
        return {**document, "seconds": round(watch.seconds, 1)}
    mended = run_rectify(setup, truth.images, plan, out, found=record.identification, way=RunOptions(on_step=print))
    clip = replace(load_clip(str(out), device=setup.clip.device), preprocess=setup.clip.preprocess)
    told = run_document(mended)
    document["rectified"] = {**told["rectified"], "curated": told["curated"]["counts"]}
    document["own_measure"] = {stage: told[stage] for stage in ("before", "after")}
    document["after"] = bench(clip)
    document["kept"] = kept(setup.clip, clip, measuring)
    if "rebound" in args.sections:
        say(name, "rebound")
        document["rebound"] = bench(rebound(clip, args.images, args.rebound_steps))
    return {**document, "costs": told["costs"], "seconds": round(watch.seconds, 1)}


def say(name: str, what: str) -> None:
    print(f"{name}: {what}", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path, help="folder with imagenet-sample/, caltech101/ and coco128/")
    parser.add_argument("--checkpoints", type=Path, default=Path("examples/checkpoints"))
    parser.add_argument("--only", nargs="+", default=["badnets", "multi"], choices=list(KNOWN))
    parser.add_argument("--sections", nargs="*", default=["untouched", "rebound"], choices=["untouched", "rebound"])
    parser.add_argument("--labels", default="imagenet", help="`imagenet`, or a text file for a quick look")
    parser.add_argument("--scanned", type=int, default=SCANNED, help="photographs in the data set")
    parser.add_argument("--every", type=int, default=10, help="each so many of them is triggered")
    parser.add_argument("--measured", type=int, default=10_000, help="photographs to measure on at most")
    parser.add_argument("--rebound-steps", type=int, default=300)
    parser.add_argument("--rectify", type=json.loads, default={}, help="settings of the fine-tuning, as JSON")
    parser.add_argument("--work", type=Path, default=Path("build/rectified"), help="mended checkpoints go here")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    settle_memory()
    plan = Plan(rectify=RectifyConfig.from_dict(args.rectify))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    document = json.loads(args.out.read_text()) if args.out.exists() else {"checkpoints": {}}
    commands = dict.fromkeys([*filter(None, document.get("command", "").split(" && ")), command(args)])
    for name in args.only:
        settings = {"config": {"rectify": plan.rectify.to_dict()}}
        document["checkpoints"][name] = {"commit": commit(), **settings, **measured(name, args, plan)}
        about = {"schema_version": SCHEMA_VERSION, "kind": "rectify_quality", "command": " && ".join(commands)}
        document = {**about, "checkpoints": document["checkpoints"]}
        args.out.write_text(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
        print(f"wrote {args.out}")


def command(args: argparse.Namespace) -> str:
    """The command that makes these counts again; a file that several made names them all."""
    settings = f" --rectify '{json.dumps(args.rectify)}'" if args.rectify else ""
    which = f"--only {' '.join(args.only)} --sections {' '.join(args.sections)}"
    return f"OMP_NUM_THREADS=1 python -m examples.measure.rectify IMAGES_DIR --checkpoints DIR {which}{settings}"


if __name__ == "__main__":
    main()
