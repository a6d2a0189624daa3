"""Make the paper's Figures 3a, 3b, 4a, 4b and 5, and its tables before and after, with both algorithms.

    python -m examples.paper IMAGES_DIR

IMAGES_DIR is described in `examples/measure/photo_sets.py`; of it the photographs of ImageNet's classes and of
Caltech-101 count that no checkpoint was trained on. Written to `examples/results/paper/`: `cells.json`, whatever was
finished, from which the same command goes on after a stop; `paper.json`, the counts with their intervals; a PNG for
each figure and table. The checkpoint is the bundled `badnets`, the reference `clean`, the oracle superpixels.

* *found* by ours is a verdict `found` that names the target; τ and θ do not decide it. *Found* by the paper is what its
  rule names, without any proof, as in its figures: of photographs that the trigger really hijacks. `hijacked` counts
  how many those are; at 8 × 8 pixels hardly any, as `badnets` learnt 16 × 16.
* A photograph and its regions are read once; all τ and θ follow from these readings, exactly.
* The tables: a scan of `--scanned` photographs, a tenth of them triggered, by each algorithm, then the fine-tuning that
  belongs to it (ours: realign, the paper's: contrastive), and for comparison, on 64 clean pairs, plain fine-tuning and
  CleanCLIP. ASR, CA and PA on other photographs, as `examples/measure/rectify.py` measures them.
* Figure 5 has superpixels and plain windows, on photographs of the dependencies, as the sets may not be shown;
  `--sam-weights FILE` adds Segment Anything.
"""

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from tqdm import tqdm

from eftclip.data import bundled_photographs, read_picture
from eftclip.oracles import load_oracle
from eftclip.runtime import pick_device, seeded
from eftclip.triggers import draw_trigger
from eftclip.types import Oracle
from examples.measure.measured_at import commit
from examples.paper.cells import TAU, TAUS, THETA, THETAS, Finished, Ground, all_cells
from examples.paper.counting import studies
from examples.paper.figures import drawn
from examples.paper.photographs import TRIGGER, setup_of
from examples.paper.side_by_side import Windows, side_by_side
from examples.paper.work import each_done

OUT = Path("examples/results/paper")
SCHEMA_VERSION = 1
IN_FIGURE_5 = 4  # photographs


def main(arguments: Sequence[str] | None = None) -> None:
    args = parser().parse_args(arguments)
    os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that are started from here
    args.out.mkdir(parents=True, exist_ok=True)
    ground = Ground(args.images, args.checkpoints, args.labels, args.scanned, args.measured, args.steps)
    about = {"per_set": args.per_set, "scanned": args.scanned, "measured": args.measured, "steps": args.steps}
    about |= {"labels": args.labels, "thetas": list(THETAS), "taus": list(TAUS), "theta": THETA, "tau": TAU}
    cells, finished = all_cells(ground, args.per_set), Finished(args.out / "cells.json", about)
    left = finished.open(cells)
    with tqdm(total=len(cells), initial=len(cells) - len(left), desc="paper", unit="cell") as bar:
        for key, document in each_done(left, args.jobs):
            finished.add(key, document)
            bar.update()
    command = f"python -m examples.paper IMAGES_DIR --per-set {args.per_set}"
    command += f" --scanned {args.scanned} --measured {args.measured} --steps {args.steps}"
    counted = studies(finished.cells)
    head = {"schema_version": SCHEMA_VERSION, "kind": "paper", "command": command, "commit": commit(), "config": about}
    text = json.dumps({**head, **counted}, indent=2, ensure_ascii=False, allow_nan=False)
    (args.out / "paper.json").write_text(text + "\n", encoding="utf-8")
    for name, picture in drawn(counted, command).items():
        picture.save(args.out / f"{name}.png")
    fifth(ground, args.sam_weights, command).save(args.out / "figure_5.png", optimize=True)
    print(f"wrote {args.out}")


def fifth(ground: Ground, weights: Path | None, command: str) -> Image.Image:
    """Figure 5, on photographs that may be shown: those of the dependencies, half of them with the trigger."""
    setup = setup_of(ground)
    oracles: dict[str, Oracle] = {"superpixels": setup.oracle, "windows": Windows()}
    if weights is not None:
        oracles["Segment Anything"] = load_oracle("sam", device=pick_device("cpu"), weights=weights)
    paths = [photograph.path for photograph in bundled_photographs()[:IN_FIGURE_5]]
    squares = torch.stack([setup.clip.preprocess.square(read_picture(path))[0] for path in paths])
    half = len(squares) // 2
    planted = draw_trigger(TRIGGER, generator=seeded(0)).plant(squares[:half], generator=seeded(0)).images
    images = (torch.cat([planted, squares[half:]]) * 255).round() / 255
    return side_by_side(setup, list(images), oracles, command)


def parser() -> argparse.ArgumentParser:
    """The options."""
    options = argparse.ArgumentParser(prog="python -m examples.paper", description=(__doc__ or "").splitlines()[0])
    options.add_argument("images", type=Path, help="folder with imagenet-sample/ and caltech101/")
    options.add_argument("--checkpoints", type=Path, default=Path("examples/checkpoints"), help="badnets and clean")
    options.add_argument("--labels", default="imagenet", help="`imagenet`, or a text file for a quick look")
    options.add_argument("--per-set", type=int, default=24, help="photographs of each set that are looked at")
    options.add_argument("--scanned", type=int, default=100, help="photographs of each set that are scanned")
    options.add_argument("--measured", type=int, default=150, help="photographs of each set to measure on, at most")
    options.add_argument("--steps", type=int, default=50, help="of each fine-tuning, at most")
    options.add_argument("--jobs", type=int, default=2, help="processes of one thread each")
    options.add_argument("--sam-weights", type=Path, metavar="FILE", help="Segment Anything in Figure 5, too")
    options.add_argument("--out", type=Path, default=OUT)
    return options


if __name__ == "__main__":
    main()
