"""Detectors of backdoors side by side: ours and its rivals on the same checkpoints, photographs and budget.

    OMP_NUM_THREADS=1 python -m examples.bench.rivals_detect IMAGES_DIR --budget 10

writes `examples/results/rivals_detect.json`. IMAGES_DIR is described in `examples/measure/photo_sets.py`.
`--checkpoints` are folders: bundled ones, or ones of the zoo with their `zoo.json` beside them; what was planted is
known of those. The methods, their published settings and where ours differ are in `examples/bench/rivals/`; other
packages may bring more (`examples/guide/your_method.md`).

The budget, in minutes, decides how many photographs each picture method gets (the same for all of them) and how far a
checkpoint method may go; a method that there is no time for is named as left out. What is finished stays in the file:
the same command again, with more time, does what is missing on the same photographs.

* *picture methods*: AUROC of hijacked against clean photographs, and both rates at the published threshold and at the
  one that lets at most the share `--false-alarms` of other clean photographs be accused.
* *checkpoint methods*: whether a checkpoint is accused, and which targets are named.
"""

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from eftclip.pipeline import prepare_check
from eftclip.pipeline.check import versions
from eftclip.plugins import Registry
from eftclip.runtime import settle_memory
from examples.bench.rivals import CHECKPOINT_DETECTORS, OURS, PICTURE_DETECTORS, CheckpointDetector, PictureDetector
from examples.bench.rivals.cells import Pictures, checkpoint_cell, picture_cell
from examples.bench.rivals.contract import Given, given
from examples.bench.rivals.material import (
    Attack,
    CannotBeJudgedError,
    Photographs,
    attacks_of,
    divided,
    hijacked_by,
    squares,
    told,
)
from examples.bench.rivals.plan import MOST, Plan, planned, seconds_of_a_pass
from examples.bench.rivals.result_file import ResultFile
from examples.measure.measured_at import commit
from examples.measure.photo_sets import rate

SCHEMA_VERSION = 1
OUT = Path("examples/results/rivals_detect.json")
BUNDLED = ("examples/checkpoints/clean", "examples/checkpoints/badnets", "examples/checkpoints/multi")
REFERENCE = Path("examples/checkpoints/clean")
OTHER_TARGETS = ("banana", "cheeseburger", "volcano")  # candidates on every checkpoint, of a control too
KINDS = ("picture_methods", "checkpoint_methods")
Document = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Subject:
    """A checkpoint, what is known of it, and what its detectors are given."""

    name: str
    attacks: list[Attack]
    given: Given

    @property
    def targets(self) -> tuple[str, ...]:
        """The labels that its backdoors force."""
        return tuple(attack.target for attack in self.attacks)


def subject(folder: Path, photos: Photographs, args: argparse.Namespace) -> Subject:
    """Load a checkpoint.

    Raises:
        CannotBeJudgedError: it does not read clean photographs.
    """
    setup = prepare_check(
        str(folder),
        labels=args.labels,
        oracle="superpixel",
        reference=str(args.reference),
        device=args.device,
        seed=args.seed,
    )
    if not setup.sanity.ok:
        raise CannotBeJudgedError(setup.sanity.reason)
    attacks = attacks_of(folder)
    candidates = dict.fromkeys([*(attack.target for attack in attacks), *OTHER_TARGETS])
    return Subject(
        folder.name, attacks, given(setup, squares(setup, photos.defender), tuple(candidates), seed=args.seed)
    )


def shown(one: Subject, photos: Photographs, count: int) -> Pictures:
    """The pictures that the methods judge on a checkpoint."""
    setup = one.given.setup
    return Pictures(
        squares(setup, photos.calibration[:count]),
        squares(setup, photos.clean[:count]),
        {attack.target: hijacked_by(setup, attack, photos.hosts, count) for attack in one.attacks},
    )


def opened(args: argparse.Namespace) -> ResultFile:
    """The file of this run.

    Raises:
        SystemExit: it was measured with other settings.
    """
    fresh: Document = {
        "schema_version": SCHEMA_VERSION,
        "kind": "rivals_detect",
        "command": _command(args),
        "commit": commit(),
        "versions": versions(),
        "machine": {"device": args.device, "cores": os.cpu_count(), "threads": torch.get_num_threads()},
        "ours": list(OURS),
        "settings": {"labels": args.labels, "seed": args.seed, "false_alarms": args.false_alarms},
    }
    return ResultFile(args.out, fresh, args.budget)


def entry_of(run: ResultFile, one: Subject) -> Document:
    """The part of the file about a checkpoint."""
    attacks = {attack.target: {"kind": attack.trigger.kind, "attack_success": None} for attack in one.attacks}
    fresh = {"sha256": one.given.clip.ref.sha256, "attacks": attacks, **{kind: {} for kind in KINDS}}
    return run.entry(one.name, fresh)


def _command(args: argparse.Namespace) -> str:
    """The command with what is not as it is when left out."""
    options = [f"--budget {args.budget:g}"]
    if list(args.checkpoints) != [Path(folder) for folder in BUNDLED]:
        options.append(f"--checkpoints {told(args.checkpoints)}")
    if args.methods:
        options.append(f"--methods {' '.join(args.methods)}")
    options += [f"--pictures {args.pictures}"] if args.pictures else []
    return f"OMP_NUM_THREADS=1 python -m examples.bench.rivals_detect IMAGES_DIR {' '.join(options)}"


def measure(
    run: ResultFile, args: argparse.Namespace, one: Subject, photos: Photographs, plan: Plan, deadline: float
) -> None:
    """Every cell of a checkpoint that is not in the file yet and ends before the deadline, the cheap ones first."""
    entry = entry_of(run, one)
    missing = [name for name in asked(args, PICTURE_DETECTORS) if name not in entry["picture_methods"]]
    pictures = shown(one, photos, plan.pictures) if missing else None
    for name in missing:
        detector = PICTURE_DETECTORS[name]
        if pictures is None or not run.fits(expected := _seconds(plan, detector.passes * pictures.count), deadline):
            run.leave_out(one.name, name)
            continue
        for target, hijacked in pictures.hijacked.items():
            hits, total = hijacked.success.hits, hijacked.success.total
            entry["attacks"][target]["attack_success"] = rate(k < hits for k in range(total))
        cell = partial(picture_cell, detector, one.given, pictures, args.false_alarms)
        try:
            run.keep(one.name, "picture_methods", name, expected, _named(PICTURE_DETECTORS, name, cell))
        except CannotBeJudgedError as error:
            run.leave_out(one.name, name, str(error))
    for name in (name for name in asked(args, CHECKPOINT_DETECTORS) if name not in entry["checkpoint_methods"]):
        within = CHECKPOINT_DETECTORS[name].within(plan.passes)
        if name not in plan.checkpoint_methods or not run.fits(expected := _seconds(plan, within.passes), deadline):
            run.leave_out(one.name, name)
            continue
        cell = partial(checkpoint_cell, within, one.given, one.targets)
        run.keep(one.name, "checkpoint_methods", name, expected, _named(CHECKPOINT_DETECTORS, name, cell))
    run.write()


def _named(registry: Registry[Any], name: str, cell: Callable[[], Document]) -> Callable[[], Document]:
    """The same cell, with the package that a method of somebody else's comes from."""
    origin = registry.origin(name)
    return lambda: cell() | ({"origin": origin} if origin else {})


def _seconds(plan: Plan, passes: float) -> float:
    return passes * plan.of_a_pass


def asked(args: argparse.Namespace, registry: Mapping[str, PictureDetector | CheckpointDetector]) -> list[str]:
    """The methods of a registry that are asked for, the cheap ones first."""
    names = [name for name in registry if not args.methods or name in args.methods]
    return sorted(names, key=lambda name: registry[name].passes)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path, help="folder with imagenet-sample/, caltech101/ and coco128/")
    parser.add_argument("--checkpoints", type=Path, nargs="+", default=[Path(folder) for folder in BUNDLED])
    parser.add_argument("--methods", nargs="+", choices=[*PICTURE_DETECTORS, *CHECKPOINT_DETECTORS])
    parser.add_argument("--budget", type=float, default=10.0, help="minutes for what is not in the file yet")
    parser.add_argument("--pictures", type=int, help="of each set, whatever the budget is")
    parser.add_argument("--false-alarms", type=float, default=0.05, help="share that the calibrated threshold allows")
    parser.add_argument("--labels", default="imagenet", help="`imagenet`, or a text file for a quick look")
    parser.add_argument("--reference", type=Path, default=REFERENCE, help="trusted; asked by the paper's rule alone")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args(arguments)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    settle_memory()
    run, photos = opened(args), divided(args.images, MOST, args.seed)
    targets = [len(attacks_of(folder)) for folder in args.checkpoints]
    plan: Plan | None = None
    for k, folder in enumerate(args.checkpoints):
        try:
            one = subject(folder, photos, args)
        except CannotBeJudgedError as error:
            run.cannot_judge(folder.name, str(error))
            continue
        plan = plan or _plan(run, args, seconds_of_a_pass(one.given), targets)
        measure(run, args, one, photos, plan, run.share(len(args.checkpoints) - k))
    print(f"wrote {args.out}")


def _plan(run: ResultFile, args: argparse.Namespace, of_a_pass: float, targets: Sequence[int]) -> Plan:
    """What there is time for; as many pictures as the file has already, so that all methods see the same."""
    checkpoints = run.document["checkpoints"]

    def missing(kind: str, name: str) -> bool:
        return any(name not in checkpoints.get(folder.name, {}).get(kind, {}) for folder in args.checkpoints)

    wanted = [name for name in asked(args, PICTURE_DETECTORS) if missing(KINDS[0], name)]
    alone = [name for name in asked(args, CHECKPOINT_DETECTORS) if missing(KINDS[1], name)]
    plan = planned(
        run.seconds_left,
        of_a_pass,
        targets,
        {name: PICTURE_DETECTORS[name] for name in wanted},
        {name: CHECKPOINT_DETECTORS[name] for name in alone},
    )
    pictures = run.document["settings"].setdefault("pictures", args.pictures or plan.pictures)
    run.tell(f"{1000 * of_a_pass:.0f} ms a pass: {pictures} pictures of a set, {plan.passes:.0f} passes a checkpoint")
    return replace(plan, pictures=pictures)


if __name__ == "__main__":
    main()
