"""Measure what a check costs, beside the exhaustive way, in one run.

    OMP_NUM_THREADS=1 python -m examples.bench.check IMAGES_DIR --per-set 10

writes `examples/results/bench_check.json`;
IMAGES_DIR is described in `examples/measure/photo_sets.py`. Both ways judge the same
pictures on `badnets` with the same oracle, regions, strangers, proof by transplant, control and thresholds, on one
thread, in turns. They differ in how they come to a carrier: the exhaustive way reads the picture once for every region
that is small enough, with that region filled from its surroundings, and takes the largest drop of the label.

Of each set, `--per-set` photographs carry the trigger at a random place and as many others are clean; of the former
only those count that are really hijacked. Preparing is not timed: it is done once for any number of pictures.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from eftclip.detect import detect, read_hosts
from eftclip.detect.reader import Reader
from eftclip.detect.transplant import REFERENCE_SHARE, prove, suitable
from eftclip.inpaint import fill_from_surroundings
from eftclip.pipeline import CheckSetup, prepare_check, record
from eftclip.report import check_document
from eftclip.runtime import Stopwatch, ignore, never, seeded, settle_memory
from eftclip.trigger_kinds import cut
from eftclip.triggers import draw_trigger
from eftclip.types import ClipModel, HostImages, Oracle, Rate, Region, Status
from eftclip.zeroshot import probabilities
from examples.measure.measured_at import commit
from examples.measure.photo_sets import Photo, rate, read_square, some_of_each, unseen

SCHEMA_VERSION = 1
TRIGGER, TARGET = "badnets", "banana"
LEAST_DROP, BATCH = 0.3, 32
Document = dict[str, Any]


# --- Keeping the time --------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class TimedClip(ClipModel):
    """A checkpoint that notes the seconds of every reading."""

    spent: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, clip: ClipModel) -> "TimedClip":
        """The same checkpoint with a note of its time."""
        return cls(clip.model, clip.preprocess, clip.tokenizer, clip.ref)

    def encode_images(self, images: Tensor) -> Tensor:
        """See `ClipModel.encode_images`."""
        watch = Stopwatch()
        features = super().encode_images(images)
        self.spent.append(watch.seconds)
        return features


@dataclass(frozen=True, eq=False)
class TimedOracle:
    """An oracle that notes the seconds of every look."""

    oracle: Oracle
    spent: list[float] = field(default_factory=list)

    @property
    def name(self) -> str:
        """See `Oracle`."""
        return self.oracle.name

    def regions(self, image: Tensor) -> tuple[Region, ...]:
        """See `Oracle.regions`."""
        watch = Stopwatch()
        regions = self.oracle.regions(image)
        self.spent.append(watch.seconds)
        return regions


@dataclass(frozen=True, eq=False)
class Timed:
    """A setup whose parts note their time."""

    setup: CheckSetup
    notes: dict[str, list[float]]

    @classmethod
    def of(cls, setup: CheckSetup) -> "Timed":
        """The same setup with notes."""
        clip, oracle, reference = TimedClip.of(setup.clip), TimedOracle(setup.oracle), setup.reference
        notes = {"clip": clip.spent, "oracle": oracle.spent, "reference": []}
        if reference is not None:
            trusted = TimedClip.of(reference[0])
            reference, notes["reference"] = (trusted, reference[1]), trusted.spent
        return cls(replace(setup, clip=clip, oracle=oracle, reference=reference), notes)


# --- Two ways ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Judged:
    """A verdict and what it cost; `spent` has the seconds of the oracle, the checkpoint and the reference."""

    status: str
    label: str
    forwards: int
    seconds: float = 0.0
    cpu_seconds: float = 0.0  # of this process: busy neighbours do not count
    spent: dict[str, float] = field(default_factory=dict)


RunOptions = Callable[[CheckSetup, Tensor], Judged]


def ours(setup: CheckSetup, image: Tensor) -> Judged:
    """The detector of the product."""
    detection = detect(
        setup.clip,
        image,
        setup.classes,
        setup.oracle,
        setup.config,
        hosts=setup.hosts,
        reference=setup.reference,
        generator=seeded(0),
    )
    label = detection.trigger.target_label if detection.trigger else ""
    return Judged(detection.status.value, label, detection.image_forwards)


def exhaustive(setup: CheckSetup, image: Tensor) -> Judged:
    """One reading for every region; the region that takes most of the label away is put to the proof."""
    read = Reader(setup.clip, setup.classes, ignore, never)
    row = read(image[None], "Reading the picture")[0]
    target = int(row.argmax())
    usable = suitable(setup.hosts, target, setup.config.transplants)
    carrier = _largest_drop(read, setup, image, target, float(row[target]))
    status = Status.NOT_FOUND if carrier is None else _proven(read, setup, image, carrier, target, usable)
    label = setup.classes.labels[target] if status is Status.FOUND else ""
    return Judged(status.value, label, read.forwards)


def _largest_drop(read: Reader, setup: CheckSetup, image: Tensor, target: int, before: float) -> Tensor | None:
    """The mask of the region without which the label loses most, at least `LEAST_DROP`."""
    limit = setup.config.max_area_fraction * image[0].numel()
    masks = [region.mask for region in setup.oracle.regions(image) if region.area_px <= limit]
    if not masks:
        return None
    left = []
    for start in range(0, len(masks), BATCH):
        part = torch.stack(masks[start : start + BATCH])
        left.append(read(fill_from_surroundings(image.expand(len(part), -1, -1, -1), part), "Regions")[:, target])
    after = torch.cat(left)
    return masks[int(after.argmin())] if before - float(after.min()) >= LEAST_DROP else None


def _proven(read: Reader, setup: CheckSetup, image: Tensor, mask: Tensor, target: int, usable: HostImages) -> Status:
    """The same proof and control as in the detector: at random places, then at the carrier's own."""
    threshold, generator, doubt = setup.config.transplant_threshold, seeded(0), False
    for in_place in (False, True):
        trigger = cut(image, mask, in_place=in_place)
        proof = prove(read, trigger, target, usable, threshold, generator=generator)
        doubt |= proof.accepted is None
        if proof.accepted:
            explained = setup.reference is not None and _also_reads(setup.reference, proof.images, target)
            if not explained:
                return Status.FOUND
            break
    return Status.INCONCLUSIVE if doubt else Status.NOT_FOUND


def _also_reads(reference: tuple[ClipModel, Any], images: Tensor, target: int) -> bool:
    """The reference gives the label to so many of the pictures that their content explains it."""
    clip, classes = reference
    if clip.image_px != images.shape[-1]:
        images = torch.nn.functional.interpolate(images, clip.image_px, mode="bilinear", antialias=True)
    labels = probabilities(clip, images, classes).argmax(-1)
    return Rate(int((labels == target).sum()), len(labels)).value >= REFERENCE_SHARE


WAYS: dict[str, RunOptions] = {"ours": ours, "exhaustive": exhaustive}


# --- Running -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture to judge."""

    name: str
    half: str
    square: Tensor


def pictures(setup: CheckSetup, photos: Sequence[Photo], per_set: int) -> list[Picture]:
    """Every second photograph carries the trigger and counts if that hijacks it; the others are clean."""
    chosen, made = some_of_each(photos, 2 * per_set), []
    for k, photo in enumerate(chosen):
        square = read_square(photo, setup.clip.preprocess)
        if k % 2:
            made.append(Picture(photo.name, "clean", square))
        elif photo.label != TARGET and (planted := hijacked(setup, square, k)) is not None:
            made.append(Picture(photo.name, "hijacked", planted))
    return made


def hijacked(setup: CheckSetup, square: Tensor, seed: int) -> Tensor | None:
    """The photograph with the trigger, if that alone makes it the target."""
    generator = seeded(seed)
    planted = draw_trigger(TRIGGER, generator=generator).plant(square[None], generator=generator, position="random")
    both = torch.stack([square, planted.images[0]])
    before, after = probabilities(setup.clip, both, setup.classes).argmax(-1).tolist()
    return planted.images[0] if setup.classes.labels[after] == TARGET != setup.classes.labels[before] else None


def timed(timed_setup: Timed, way: RunOptions, image: Tensor) -> Judged:
    """Judge one picture and keep the time of all parts."""
    for notes in timed_setup.notes.values():
        notes.clear()
    watch, cpu = Stopwatch(), time.process_time()
    judged = way(timed_setup.setup, image)
    spent = {part: sum(note) for part, note in timed_setup.notes.items()}
    return replace(judged, seconds=watch.seconds, cpu_seconds=time.process_time() - cpu, spent=spent)


def in_turns(setup: CheckSetup, chosen: Sequence[Picture]) -> list[dict[str, Judged]]:
    """Both ways on every picture; which goes first alternates, and the first picture is judged once before."""
    timed_setup, done = Timed.of(setup), []
    for way in WAYS.values() if chosen else ():
        timed(timed_setup, way, chosen[0].square)
    for k, picture in enumerate(chosen):
        order = list(WAYS.items())[:: 1 if k % 2 else -1]
        done.append({name: timed(timed_setup, way, picture.square) for name, way in order})
        print(f"\rbench: {k + 1}/{len(chosen)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return done


# --- Counting ----------------------------------------------------------------------------------------------------


def costs(those: Sequence[Judged]) -> Document:
    """Mean readings and seconds of one way, and where the time went."""
    total = sum(j.seconds for j in those)
    spent = {part: sum(j.spent[part] for j in those) for part in ("oracle", "clip", "reference")}
    spent["rest"] = total - sum(spent.values())
    return {
        "forwards": round(sum(j.forwards for j in those) / len(those), 2),
        "seconds": round(total / len(those), 4),
        "cpu_seconds": round(sum(j.cpu_seconds for j in those) / len(those), 4),
        "share_of_time": {part: round(seconds / total, 4) for part, seconds in spent.items()},
        "found": rate([j.status == Status.FOUND for j in those]),
        "inconclusive": rate([j.status == Status.INCONCLUSIVE for j in those]),
    }


def compared(results: Sequence[dict[str, Judged]]) -> Document | None:
    """Both ways side by side; None without pictures."""
    if not results:
        return None
    sides = {name: costs([r[name] for r in results]) for name in WAYS}
    return {
        "pictures": len(results),
        **sides,
        "times_fewer_forwards": round(sides["exhaustive"]["forwards"] / sides["ours"]["forwards"], 2),
        "times_faster": round(sides["exhaustive"]["seconds"] / sides["ours"]["seconds"], 2),
        "times_less_cpu": round(sides["exhaustive"]["cpu_seconds"] / sides["ours"]["cpu_seconds"], 2),
        "same_verdict": rate([_verdict(r["ours"]) == _verdict(r["exhaustive"]) for r in results]),
    }


def _verdict(judged: Judged) -> tuple[str, str]:
    return judged.status, judged.label


def once(setup: CheckSetup) -> Document:
    """The cost of reading the strangers: once for any number of pictures."""
    watch = Stopwatch()
    read_hosts(setup.clip, setup.hosts.images, setup.classes)
    return {"forwards": len(setup.hosts.images), "seconds": round(watch.seconds, 4)}


def measured(setup: CheckSetup, images: Path, per_set: int) -> Document:
    """The whole document."""
    chosen = pictures(setup, unseen(images), per_set)
    results = in_turns(setup, chosen)
    about = check_document(record(setup, ()), {})
    halves = {
        half: compared([r for p, r in zip(chosen, results, strict=True) if p.half == half])
        for half in ("hijacked", "clean")
    }
    judged = [
        {"file": p.name, "half": p.half, **{name: asdict(j) for name, j in r.items()}}
        for p, r in zip(chosen, results, strict=True)
    ]
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "bench_check",
        "command": f"OMP_NUM_THREADS=1 python -m examples.bench.check IMAGES_DIR --per-set {per_set}",
        "commit": commit(),
        "versions": about["versions"],
        "checkpoint": about["checkpoint"]["sha256"],
        "reference": about["reference"],
        "config": about["config"],
        "config_digest": setup.config.digest(),
        "oracle": about["oracle"],
        "labels": about["labels"],
        "least_drop": LEAST_DROP,
        "strangers_read_once": once(setup),
        "together": compared(results),
        **halves,
        "pictures": judged,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Measure what a check costs, beside the exhaustive way.")
    parser.add_argument("images", type=Path, help="folder with imagenet-sample/, caltech101/ and coco128/")
    parser.add_argument(
        "--checkpoints", type=Path, default=Path("examples/checkpoints"), help="holds clean and badnets"
    )
    parser.add_argument("--labels", default="imagenet", help="`imagenet`, or a text file for a quick look")
    parser.add_argument("--per-set", type=int, default=10, help="photographs of each set for each half")
    parser.add_argument("--out", type=Path, default=Path("examples/results/bench_check.json"))
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    settle_memory()
    badnets, clean = str(args.checkpoints / "badnets"), str(args.checkpoints / "clean")
    setup = prepare_check(badnets, labels=args.labels, oracle="superpixel", reference=clean, device="cpu")
    document = measured(setup, args.images, args.per_set)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
