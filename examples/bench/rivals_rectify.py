"""Rectification methods side by side: ours and its rivals on the same checkpoints, photographs and image-steps.

    OMP_NUM_THREADS=1 python -m examples.bench.rivals_rectify IMAGES_DIR --budget 10

writes `examples/results/rivals_rectify.json`. IMAGES_DIR is described in `examples/measure/photo_sets.py`;
`--checkpoints` are poisoned ones, bundled or of the zoo with `zoo.json` beside them.

Every method gets the 64 photographs of `examples/measure/tuning.py` with their true labels. Those that see triggers get
what a scan of other photographs found, a tenth of which carry the trigger; where it finds nothing they cannot begin,
and the row says so. Measured on photographs that nobody was shown, as in `examples/measure/rectify.py`: ASR, CA and PA,
and *kept*, those that read as before among 1,000 labels. *Rebound*: ASR once more after clean fine-tuning of both
towers, of the methods that had brought it to a tenth; the others have nothing that could come back.

A method takes as many steps as the image-steps allow, whatever it asks for itself; what it does before the first step
comes on top and is counted. The learning rates of the rivals are for far longer runs, so each is also tried with higher
ones (`--rates`, times its own).

The budget, in minutes, decides how many image-steps there are, the same for all; a row that there is no time for is
named as left out. What is finished stays in the file: the same command again, with more time, does what is missing.
"""

import argparse
import json
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from eftclip.pipeline.check import versions
from eftclip.rectify import METHODS
from eftclip.runtime import settle_memory
from examples.bench.rivals.contract import BACKWARD, given
from examples.bench.rivals.material import CannotBeJudgedError, squares, told
from examples.bench.rivals.plan import seconds_of_a_pass
from examples.bench.rivals.result_file import ResultFile
from examples.bench.rivals.rows import Rows, Subject, keys_of, subject
from examples.measure.measured_at import commit
from examples.measure.photo_sets import unseen
from examples.measure.poisoned_sets import shuffled

SCHEMA_VERSION = 2
OUT = Path("examples/results/rivals_rectify.json")
BUNDLED = ("examples/checkpoints/badnets", "examples/checkpoints/multi")
OURS = "realign"
FEWEST, MOST = 320, 3200  # image-steps; with fewer no method does anything, more is more than ours asks for
MENDED = 0.1  # of the ASR before; from there on it is asked whether it comes back
SCAN = "scan"
Document = dict[str, Any]


def measure(run: ResultFile, one: Subject, of_a_pass: float, args: argparse.Namespace, deadline: float) -> None:
    """Every row of a checkpoint that is not in the file yet and ends before the deadline."""
    fresh: Document = {
        "sha256": one.setup.clip.ref.sha256,
        "attacks": {attack.target: {"kind": attack.trigger.kind} for attack in one.attacks},
        "rows": {},
        "rebounds": {},
    }
    entry, keys = run.entry(one.name, fresh), keys_of(args.methods, args.rates)
    image_steps = run.document["settings"]["image_steps"]
    rows, reading = Rows(one, image_steps, args), args.measured * (4 + len(one.attacks)) * of_a_pass
    tuning, missing = image_steps * BACKWARD * of_a_pass, [key for key in keys if key not in entry["rows"]]
    if "before" not in entry:
        entry["before"] = one.bench(one.setup.clip)
        run.write()
    if rows.needs_the_scan([key for key in keys if key in missing or _to_rebound(entry, key, args)]):
        run.tell(f"{one.name}: scanning")
        entry[SCAN] = rows.scan()
        run.write()
    for key in keys:
        if key in missing and not run.fits(tuning + reading, deadline):
            run.leave_out(one.name, key)
            continue
        if key in missing:
            run.keep(one.name, "rows", key, tuning + reading, partial(rows.row, key))
        expected = args.rebound_steps * 32 * BACKWARD * of_a_pass
        if _to_rebound(entry, key, args):
            if run.fits(expected, deadline):
                run.keep(one.name, "rebounds", key, expected, partial(rows.rebound, key))
            else:
                run.leave_out(one.name, f"{key}, rebound")
    run.write()


def _to_rebound(entry: Document, key: str, args: argparse.Namespace) -> bool:
    """Whether a row brought the ASR down and nobody knows yet whether it comes back."""
    row = entry["rows"].get(key, {})
    if not args.rebound_steps or key in entry["rebounds"] or "after" not in row:
        return False
    before, after = (one["attack_worst"] for one in (entry["before"], row["after"]))
    return bool(after["hits"] / after["total"] <= MENDED * before["hits"] / before["total"])


def image_steps_for(seconds: float, of_a_pass: float, rows: int) -> int:
    """As many as a budget is good for, in whole batches, when half of it goes into scans, measuring and rebounds."""
    affordable = seconds / 2 / max(1, rows) / of_a_pass / BACKWARD
    return max(FEWEST, min(MOST, int(affordable) // 64 * 64))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path, help="folder with imagenet-sample/, caltech101/ and coco128/")
    parser.add_argument("--checkpoints", type=Path, nargs="+", default=[Path(folder) for folder in BUNDLED])
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--rates", nargs="+", type=float, default=[10.0], help="times a rival's learning rate")
    parser.add_argument("--own", type=json.loads, default={}, help="numbers of a method's own, as JSON by its name")
    parser.add_argument("--budget", type=float, default=10.0, help="minutes for what is not in the file yet")
    parser.add_argument("--image-steps", type=int, help="of each method, whatever the budget is")
    parser.add_argument("--scanned", type=int, default=60, help="photographs in the scan")
    parser.add_argument("--measured", type=int, default=100, help="photographs to measure on")
    parser.add_argument("--rebound-steps", type=int, default=300, help="of clean fine-tuning; 0 measures no rebound")
    parser.add_argument("--labels", default="imagenet", help="`imagenet`, or a text file for a quick look")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args(arguments)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    settle_memory()
    run, photos = opened(args), shuffled(unseen(args.images), args.seed)
    of_a_pass = 0.0
    for k, folder in enumerate(args.checkpoints):
        try:
            one = subject(folder, photos, args)
        except CannotBeJudgedError as error:
            run.cannot_judge(folder.name, str(error))
            continue
        of_a_pass = of_a_pass or seconds_of_a_pass(given(one.setup, squares(one.setup, one.measuring[:8])))
        rows = len(args.checkpoints) * len(keys_of(args.methods, args.rates))
        affordable = args.image_steps or image_steps_for(run.seconds_left, of_a_pass, rows)
        image_steps = run.document["settings"].setdefault("image_steps", affordable)
        run.tell(f"{folder.name}: {image_steps} image-steps a method, {1000 * of_a_pass:.0f} ms a pass")
        measure(run, one, of_a_pass, args, run.share(len(args.checkpoints) - k))
    print(f"wrote {args.out}")


def opened(args: argparse.Namespace) -> ResultFile:
    """The file of this run.

    Raises:
        SystemExit: it was measured with other settings.
    """
    settings = {"labels": args.labels, "seed": args.seed, "scanned": args.scanned, "measured": args.measured}
    settings |= {"image_steps": args.image_steps} if args.image_steps else {}
    fresh: Document = {
        "schema_version": SCHEMA_VERSION,
        "kind": "rivals_rectify",
        "command": _command(args),
        "commit": commit(),
        "versions": versions(),
        "machine": {"device": "cpu", "cores": os.cpu_count(), "threads": torch.get_num_threads()},
        "ours": OURS,
        "settings": settings,
    }
    return ResultFile(args.out, fresh, args.budget)


def _command(args: argparse.Namespace) -> str:
    """The command with what is not as it is when left out."""
    options = [f"--budget {args.budget:g}"]
    if list(args.checkpoints) != [Path(folder) for folder in BUNDLED]:
        options.append(f"--checkpoints {told(args.checkpoints)}")
    if args.methods != list(METHODS.ours):
        options.append(f"--methods {' '.join(args.methods)}")
    if args.rates != [10.0]:
        options.append(f"--rates {' '.join(f'{rate:g}' for rate in args.rates)}")
    options += [f"--own '{json.dumps(args.own)}'"] if args.own else []
    options += [f"--image-steps {args.image_steps}"] if args.image_steps else []
    usual = {"scanned": 60, "measured": 100, "rebound_steps": 300}
    changed = {name: getattr(args, name) for name, value in usual.items() if getattr(args, name) != value}
    options += [f"--{name.replace('_', '-')} {value}" for name, value in changed.items()]
    return f"OMP_NUM_THREADS=1 python -m examples.bench.rivals_rectify IMAGES_DIR {' '.join(options)}"


if __name__ == "__main__":
    main()
