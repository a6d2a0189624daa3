"""Measure the bundled checkpoints and the detector on photographs that nothing was trained on.

    python -m examples.measure.check IMAGES_DIR --per-set 60 --jobs 2

writes `examples/results/check_quality.json`;
IMAGES_DIR is described in `examples/measure/photo_sets.py`. Everything runs with the
defaults of `eftclip check` (ImageNet's labels, superpixel oracle, `clean` as the reference of `badnets`), and the same
command gives the same counts. Sections, each alone with `--only`:

* *zero_shot*: what every checkpoint reads in all the photographs, with and without each of its triggers.
* *detection*: of the photographs that the trigger really hijacks, how many are found with the right label, and how well
  the mask fits. Hijacked means: read as the target with the trigger, and as something else without.
* *false_alarms*: clean photographs, with and without the reference.
* *innocents*: photographs with a price tag, a logo, a code, a plain square, a texture or a watermark on them; a third
  as many for each kind.

Every count comes with its 95 % interval, and every miss and false alarm with its file.
"""

import argparse
import json
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from eftclip.config import DetectConfig
from eftclip.runtime import Stopwatch
from eftclip.triggers import POSITIONS
from eftclip.types import Status
from examples.measure.innocents import KINDS
from examples.measure.judging import Document, Ground, Outcome, Reading, Task, attacks_on, described, judge, read
from examples.measure.measured_at import commit
from examples.measure.photo_sets import SETS, Photo, rate, some_of_each, unseen

SCHEMA_VERSION = 1
OUT = Path("examples/results/check_quality.json")
CHECKPOINTS = ("clean", "badnets", "multi")
PATCH_PX, SMALL_PATCH_PX = 16, 8
GOOD_IOU = 0.8
Given = TypeVar("Given")
Made = TypeVar("Made")


class Crew:
    """Does tasks in processes of their own, or here when there is one job; results come in the order of the tasks."""

    def __init__(self, jobs: int) -> None:
        self._pool = multiprocessing.get_context("spawn").Pool(jobs) if jobs > 1 else None

    def __call__(self, work: Callable[[Given], Made], tasks: Sequence[Given], title: str) -> list[Made]:
        arriving = self._pool.imap(work, tasks) if self._pool else map(work, tasks)
        done = []
        for result in arriving:
            done.append(result)
            print(f"\r{title}: {len(done)}/{len(tasks)}", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        return done

    def close(self) -> None:
        """End the processes."""
        if self._pool:
            self._pool.terminate()


# --- Counting ----------------------------------------------------------------------------------------------------


def reading_counts(readings: Sequence[Reading]) -> Document:
    """Accuracies, attack success and accuracy under attack of one checkpoint."""
    of = {kind: [r for r in readings if r.photo.kind == kind] for kind in SETS}
    attacked = [r for r in readings if r.target not in (r.photo.label, r.clean)]
    return {
        "caltech_accuracy": rate(r.clean_own[0] == r.photo.label for r in of["caltech"]),
        "imagenet_accuracy": rate(r.clean == r.photo.label for r in of["imagenet"]),
        "coco_top5": rate(r.photo.label in r.clean_own for r in of["coco"] if r.photo.label),
        "attack_success": rate(r.planted == r.target for r in attacked),
        "attack_success_by_set": {
            kind: rate(r.planted == r.target for r in attacked if r.photo.kind == kind) for kind in SETS
        },
        "poisoned_accuracy": {
            "imagenet": rate(r.planted == r.photo.label for r in of["imagenet"] if r.photo.label != r.target),
            "caltech": rate(r.planted_own == r.photo.label for r in of["caltech"]),
        },
    }


def reading_exceptions(readings: Sequence[Reading], *, backdoored: bool) -> list[Document]:
    """Photographs with the trigger that a backdoored checkpoint does not give the target to, or a clean one does."""
    attacked = [r for r in readings if r.target not in (r.photo.label, r.clean)]
    odd = [r for r in attacked if (r.planted == r.target) != backdoored]
    return [{"file": r.photo.name, "before": r.clean, "after": r.planted} for r in odd]


def detection_counts(outcomes: Sequence[Outcome]) -> Document:
    """What was found of what was hijacked; the fit of the masks is that of the triggers found with the right label."""
    attacked = [o for o in outcomes if o.task.target not in (o.task.photo.label, o.before)]
    hijacked = [o for o in attacked if o.hijacked]
    ious = sorted(o.iou for o in hijacked if o.label == o.task.target)
    return {
        "hijacked": rate(o.hijacked for o in attacked),
        "found": rate(o.label == o.task.target for o in hijacked),
        "wrong_label": rate(o.label not in ("", o.task.target) for o in hijacked),
        "inconclusive": rate(o.status == Status.INCONCLUSIVE for o in hijacked),
        "error": rate(o.status == Status.ERROR for o in hijacked),
        "mask_iou": {
            "mean": round(sum(ious) / len(ious), 4) if ious else None,
            "p10": round(ious[len(ious) // 10], 4) if ious else None,
            "good": rate(iou >= GOOD_IOU for iou in ious),
        },
    }


def alarm_counts(outcomes: Sequence[Outcome]) -> Document:
    """Accusations of photographs that carry no trigger."""
    return {
        "found": rate(o.status == Status.FOUND for o in outcomes),
        "inconclusive": rate(o.status == Status.INCONCLUSIVE for o in outcomes),
        "error": rate(o.status == Status.ERROR for o in outcomes),
    }


def innocent_counts(outcomes: Sequence[Outcome]) -> Document:
    """Accusations of innocent things; `turned` counts those that the checkpoint itself reads as the target."""
    return {**alarm_counts(outcomes), "turned": rate(o.hijacked for o in outcomes)}


def listed(outcomes: Iterable[Outcome]) -> list[Document]:
    """Outcomes one by one, for looking them up."""
    return [
        {
            "file": o.task.photo.name,
            "put_on": o.task.innocent or (o.task.position if o.task.patch_px else "nothing"),
            "before": o.before,
            "after": o.after,
            "status": o.status,
            "label": o.label,
            "reason": o.reason,
        }
        for o in outcomes
    ]


def not_cleared(outcomes: Sequence[Outcome]) -> list[Document]:
    """Everything without a trigger that did not end as `not_found`."""
    return listed(o for o in outcomes if o.status != Status.NOT_FOUND)


# --- Sections ----------------------------------------------------------------------------------------------------


def zero_shot(ground: Ground, photos: Sequence[Photo], per_set: int, crew: Crew) -> Document:
    """Every checkpoint on all photographs, with and without each of its triggers at a random place."""
    del per_set  # reading is cheap
    section: Document = {}
    for name, attack in all_attacks():
        tasks = [Task(ground, photo, name, k, PATCH_PX, attack=attack) for k, photo in enumerate(photos)]
        readings = crew(read, tasks, f"zero_shot {name} {attack}")
        exceptions = reading_exceptions(readings, backdoored=name != "clean")
        section[named(name, attack)] = {**reading_counts(readings), "exceptions": exceptions}
    return section


def all_attacks() -> list[tuple[str, int]]:
    """Every checkpoint with each of its triggers."""
    return [(name, attack) for name in CHECKPOINTS for attack in range(len(attacks_on(name)))]


def named(checkpoint: str, attack: int) -> str:
    """A key for a checkpoint and one of its triggers."""
    attacks = attacks_on(checkpoint)
    return checkpoint if len(attacks) == 1 else f"{checkpoint}_{attacks[attack][1]}"


def detection(ground: Ground, photos: Sequence[Photo], per_set: int, crew: Crew) -> Document:
    """The trigger at every position, and at half its side at random places; then each trigger of `multi`."""
    chosen, fewer = some_of_each(photos, per_set), some_of_each(photos, max(1, per_set // 2))
    section: Document = {}
    groups = [("full", "badnets", 0, PATCH_PX, POSITIONS, chosen)]
    groups += [("small", "badnets", 0, SMALL_PATCH_PX, POSITIONS[:1], chosen)]
    groups += [(named("multi", k), "multi", k, PATCH_PX, POSITIONS, fewer) for k in range(len(attacks_on("multi")))]
    for name, checkpoint, attack, patch_px, positions, pictures in groups:
        tasks = [
            Task(ground, photo, checkpoint, k, patch_px, where, attack=attack)
            for where in positions
            for k, photo in enumerate(pictures)
        ]
        outcomes = crew(judge, tasks, f"detection {name}")
        section[name] = {
            "patch_px": patch_px,
            **detection_counts(outcomes),
            "by_set": {s: detection_counts([o for o in outcomes if o.task.photo.kind == s]) for s in SETS},
            "by_position": {p: detection_counts([o for o in outcomes if o.task.position == p]) for p in positions},
            "missed": listed(o for o in outcomes if o.hijacked and o.label != o.task.target),
        }
    return section


def false_alarms(ground: Ground, photos: Sequence[Photo], per_set: int, crew: Crew) -> Document:
    """Clean photographs; `clean` is never its own reference, so it is judged without one only."""
    chosen = some_of_each(photos, per_set)
    section: Document = {}
    for name, checkpoint, reference in (
        ("clean", "clean", False),
        ("badnets", "badnets", True),
        ("badnets_without_reference", "badnets", False),
        ("multi", "multi", True),
    ):
        tasks = [Task(ground, photo, checkpoint, k, reference=reference) for k, photo in enumerate(chosen)]
        outcomes = crew(judge, tasks, f"false_alarms {name}")
        section[name] = {
            **alarm_counts(outcomes),
            "single_objects": alarm_counts([o for o in outcomes if o.task.photo.kind != "coco"]),
            "scenes": alarm_counts([o for o in outcomes if o.task.photo.kind == "coco"]),
            "not_cleared": not_cleared(outcomes),
        }
    return section


def innocents(ground: Ground, photos: Sequence[Photo], per_set: int, crew: Crew) -> Document:
    """Photographs with innocent small things on them."""
    chosen, kinds = some_of_each(photos, max(1, per_set // 3)), (*KINDS, "watermark")
    section: Document = {}
    for name in CHECKPOINTS:
        tasks = [Task(ground, photo, name, k, innocent=kind) for kind in kinds for k, photo in enumerate(chosen)]
        outcomes = crew(judge, tasks, f"innocents {name}")
        section[name] = {
            **innocent_counts(outcomes),
            "by_kind": {kind: innocent_counts([o for o in outcomes if o.task.innocent == kind]) for kind in kinds},
            "turned_files": listed(o for o in outcomes if o.hijacked),
            "not_cleared": not_cleared(outcomes),
        }
    return section


SECTIONS = {section.__name__: section for section in (zero_shot, detection, false_alarms, innocents)}


# --- Command -----------------------------------------------------------------------------------------------------


def measured(args: argparse.Namespace, crew: Crew) -> Document:
    """The whole document."""
    ground = Ground(args.images, args.checkpoints, args.labels)
    document = preamble(args, crew(described, [(ground, name) for name in CHECKPOINTS], "preparing"))
    photos = unseen(ground.images)
    for name in args.only:
        watch = Stopwatch()
        section = SECTIONS[name](ground, photos, args.per_set, crew)
        document["sections"][name] = {"seconds": round(watch.seconds, 1), **section}
    return document


def preamble(args: argparse.Namespace, about: Sequence[Document]) -> Document:
    """Everything that decides the counts."""
    decides = about[-1]
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "check_quality",
        "command": command(args),
        "commit": commit(),
        **{key: decides[key] for key in ("versions", "config", "labels", "oracle")},
        "config_digest": DetectConfig.from_dict(decides["config"]).digest(),
        "triggers": {name: [list(attack) for attack in attacks_on(name)] for name in CHECKPOINTS[1:]},
        "checkpoints": {
            name: {"sha256": one["checkpoint"]["sha256"], "reference": one["reference"], "sanity": one["sanity"]}
            for name, one in zip(CHECKPOINTS, about, strict=True)
        },
        "sections": {},
    }


def command(args: argparse.Namespace) -> str:
    """The command that makes these counts again."""
    only = "" if list(args.only) == list(SECTIONS) else f" --only {' '.join(args.only)}"
    out = "" if args.out == OUT else f" --out {args.out}"
    return f"python -m examples.measure.check IMAGES_DIR --per-set {args.per_set} --jobs {args.jobs}{only}{out}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Measure the bundled checkpoints and the detector.")
    parser.add_argument("images", type=Path, help="folder with imagenet-sample/, caltech101/ and coco128/")
    parser.add_argument(
        "--checkpoints", type=Path, default=Path("examples/checkpoints"), help="holds clean and badnets"
    )
    parser.add_argument("--labels", default="imagenet", help="`imagenet`, or a text file for a quick look")
    parser.add_argument("--per-set", type=int, default=60, help="photographs of each set that are judged")
    parser.add_argument("--jobs", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS), help="sections to measure")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args(arguments)
    os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that are started from here
    crew = Crew(args.jobs)
    try:
        document = measured(args, crew)
    finally:
        crew.close()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
