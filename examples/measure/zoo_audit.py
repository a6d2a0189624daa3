"""Measure the audit of checkpoints alone on the zoo: which labels are named with no poisoned picture at hand.

    OMP_NUM_THREADS=1 python -m examples.measure.zoo_audit --zoo DIR NAME …

writes `examples/results/audits.json`. DIR is what `python -m examples.build.zoo build NAME …` wrote (`--out`). Each is
audited with the defaults of `eftclip rectify CHECKPOINT` without data (ImageNet's labels), without a reference
checkpoint unless `--reference` names one; nothing is mended.

A run that is broken off goes on where it ended: what the file holds already is not measured again.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from eftclip.config import InvertConfig
from eftclip.invert import Grown
from eftclip.pipeline import prepare_check
from eftclip.pipeline.audit import audit
from eftclip.runtime import Stopwatch, settle_memory
from examples.measure.measured_at import commit
from examples.measure.zoo_files import Document, add_options, known_checkpoints, measured, told, write

OUT = Path("examples/results/audits.json")


def of_checkpoint(folder: Path, entry: Document, reference: str) -> Document:
    """What the audit of one checkpoint names; nothing where the sanity check ends it."""
    setup = prepare_check(str(folder), oracle="superpixel", reference=reference, device="cpu")
    watch = Stopwatch()
    grown = audit(setup, InvertConfig()) if setup.sanity.ok else Grown(())
    families = grown.families
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
        "seconds": round(watch.seconds, 1),
        "commit": commit(),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_options(parser, OUT)
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    settle_memory()
    known, settings = known_checkpoints(args), {"reference": args.reference}
    checkpoints = measured(args.out, settings)
    for name in args.names:
        if name not in checkpoints:
            checkpoints[name] = of_checkpoint(args.zoo / name, known[name], args.reference)
            print(f"{name}: {checkpoints[name]['seconds']} s", file=sys.stderr, flush=True)
            command = f"python -m examples.measure.zoo_audit --zoo DIR{told(args.reference)} {' '.join(checkpoints)}"
            write(args.out, "audits", command, {"settings": settings}, checkpoints)


if __name__ == "__main__":
    main()
