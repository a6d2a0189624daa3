"""All methods that detect and all that rectify on the same checkpoints and photographs, in one run.

    python -m examples.bench IMAGES_DIR --budget 10

runs `examples.bench.rivals_detect` and `examples.bench.rivals_rectify` beside each other, each on a core of its own and
with the whole budget in minutes; `--checkpoints` are for both, and those without a backdoor are for detectors alone.
Both files are taken up where a former run ended.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from examples.bench import rivals_detect, rivals_rectify
from examples.bench.rivals.material import attacks_of


def commands(args: argparse.Namespace) -> list[list[str]]:
    """What is started."""
    poisoned = [folder for folder in args.checkpoints if attacks_of(folder)]
    started = []
    for script, folders, out in (
        (rivals_detect, args.checkpoints, args.out / rivals_detect.OUT.name),
        (rivals_rectify, poisoned, args.out / rivals_rectify.OUT.name),
    ):
        options = ["--budget", f"{args.budget:g}", "--labels", args.labels, "--out", str(out)]
        where = [str(args.images), "--checkpoints", *map(str, folders)]
        if folders:
            started.append([sys.executable, "-m", script.__name__, *where, *options])
    return started


def main(arguments: Sequence[str] | None = None) -> int:
    """Start both and wait; the exit code is 0 when both ended well."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path, help="folder with imagenet-sample/, caltech101/ and coco128/")
    parser.add_argument("--checkpoints", type=Path, nargs="+", default=[Path(one) for one in rivals_detect.BUNDLED])
    parser.add_argument("--budget", type=float, default=10.0, help="minutes for what is not in the files yet")
    parser.add_argument("--labels", default="imagenet", help="`imagenet`, or a text file for a quick look")
    parser.add_argument("--out", type=Path, default=rivals_detect.OUT.parent, help="folder of both files")
    args = parser.parse_args(arguments)
    own = {**os.environ, "OMP_NUM_THREADS": "1"}
    running = [subprocess.Popen(command, env=own) for command in commands(args)]
    return max(one.wait() for one in running)


if __name__ == "__main__":
    sys.exit(main())
