"""Measure the audit of checkpoints alone on the zoo: which labels are named with no poisoned picture at hand.

    OMP_NUM_THREADS=1 python -m examples.measure.zoo_audit --zoo DIR NAME …

writes `examples/results/audits.json`. DIR is what `python -m examples.build.zoo build NAME …` wrote (`--out`). Each is
audited with the defaults of `eftclip rectify CHECKPOINT` without data (ImageNet's labels), without a reference
checkpoint unless `--reference` names one. With `--images IMAGES_DIR`, described in `examples/measure/photo_sets.py`,
what was named is mended, too, and measured with the true triggers on photographs that nobody was shown.

A run that is broken off goes on where it ended: what the file holds already is not measured again.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from eftclip.checkpoint import load_clip
from eftclip.config import LEAST_MEASURED, InvertConfig, MeasureConfig
from eftclip.invert import Grown
from eftclip.pipeline import CheckSetup, Plan, prepare_check, run_rectify
from eftclip.pipeline.audit import audit
from eftclip.runtime import Stopwatch, settle_memory
from eftclip.types import Coverage, Identification, Status
from examples.build.zoo.build import triggers_of
from examples.build.zoo.triggers import planted_from
from examples.measure.measured_at import commit
from examples.measure.photo_sets import spread, unseen
from examples.measure.rectify import Bench
from examples.measure.zoo_files import Document, add_options, known_checkpoints, measured, told, write

OUT = Path("examples/results/audits.json")


def of_checkpoint(folder: Path, entry: Document, args: argparse.Namespace) -> Document:
    """What the audit of one checkpoint names; nothing where the sanity check ends it."""
    reference = args.reference
    setup = prepare_check(str(folder), oracle="superpixel", reference=reference, device="cpu")
    watch = Stopwatch()
    grown = audit(setup, InvertConfig()) if setup.sanity.ok else Grown(())
    families = grown.families
    seconds = round(watch.seconds, 1)
    return {
        "sha256": entry["sha256"],
        "sanity": setup.sanity.ok,
        "targets": sorted({backdoor["target"] for backdoor in entry["backdoors"]}),
        "named": sorted({family.target_label for family in families}),
        "families": [
            {
                "label": family.target_label,
                "kind": family.exemplars[0].kind,
                "transplant": {"hits": family.transplant.hits, "total": family.transplant.total},
            }
            for family in families
        ],
        "followed": list(grown.followed),
        "seconds": seconds,
        **(_mended(setup, grown, entry, args) if args.images and families and entry["backdoors"] else {}),
        "commit": commit(),
    }


def _mended(setup: CheckSetup, grown: Grown, entry: Document, args: argparse.Namespace) -> Document:
    """The checkpoint before and after it was rectified with nothing but what was grown."""
    photos = spread([photo for photo in unseen(args.images) if photo.kind != "coco"], args.measured)
    planted = zip(planted_from(triggers_of(entry)), (one["target"] for one in entry["backdoors"]), strict=True)
    bench = Bench(args.images, photos, list(planted))
    found = Identification(Status.FOUND, "Grown out of the weights.", grown.families, (), Coverage(complete=True))
    plan = Plan(measure=MeasureConfig(measured=LEAST_MEASURED))  # these few are views of bundled photographs
    with tempfile.TemporaryDirectory() as folder:
        run_rectify(setup, None, plan, Path(folder), found=found)
        after = load_clip(folder, device=setup.clip.device)
        return {"before": bench(setup.clip), "after": bench(replace(after, preprocess=setup.clip.preprocess))}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_options(parser, OUT)
    parser.add_argument("--images", type=Path, help="photographs to measure on; what is named is mended then")
    parser.add_argument("--measured", type=int, default=200, help="photographs to measure on at most")
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    settle_memory()
    known, settings = known_checkpoints(args), {"reference": args.reference}
    checkpoints = measured(args.out, settings)
    for name in args.names:
        if name not in checkpoints:
            checkpoints[name] = of_checkpoint(args.zoo / name, known[name], args)
            print(f"{name}: {checkpoints[name]['seconds']} s", file=sys.stderr, flush=True)
            options = f"--zoo DIR{told(args.reference)}{' --images IMAGES_DIR' if args.images else ''}"
            command = f"python -m examples.measure.zoo_audit {options} {' '.join(checkpoints)}"
            write(args.out, "audits", command, {"settings": settings}, checkpoints)


if __name__ == "__main__":
    main()
