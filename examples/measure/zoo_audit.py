"""Measure the audit of checkpoints alone on the zoo: which labels are named with no poisoned picture at hand.

    OMP_NUM_THREADS=1 python -m examples.measure.zoo_audit --zoo DIR NAME …

writes `examples/results/audits.json`. DIR is what `python -m examples.build.zoo build NAME …` wrote (`--out`). Each is
audited with the defaults of `eftclip rectify CHECKPOINT` without data (ImageNet's labels), without a reference
checkpoint unless `--reference` names one; nothing is mended.

A run that is broken off goes on where it ended: what the file holds already is not measured again.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from eftclip.config import InvertConfig
from eftclip.pipeline import prepare_check
from eftclip.pipeline.audit import audit
from eftclip.pipeline.check import versions
from eftclip.runtime import Stopwatch, settle_memory
from examples.build.zoo.build import entries
from examples.measure.measured_at import commit

SCHEMA_VERSION = 1
OUT = Path("examples/results/audits.json")
Document = dict[str, Any]


def of_checkpoint(folder: Path, entry: Document, reference: str) -> Document:
    """What the audit of one checkpoint names; nothing where the sanity check ends it."""
    setup = prepare_check(str(folder), oracle="superpixel", reference=reference, device="cpu")
    watch = Stopwatch()
    families = audit(setup, InvertConfig()) if setup.sanity.ok else ()
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
        "seconds": round(watch.seconds, 1),
        "commit": commit(),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+", help="of checkpoints, such as resnet-strong-yellow16-0")
    parser.add_argument("--zoo", type=Path, default=Path("build/zoo"))
    parser.add_argument("--reference", default="none", help="a trusted checkpoint; none when left out")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    settle_memory()
    known = entries(args.zoo)
    if unknown := [name for name in args.names if name not in known]:
        raise SystemExit(f"{args.zoo} holds no {', '.join(unknown)}; build them first.")
    checkpoints = _measured(args)
    for name in args.names:
        if name not in checkpoints:
            checkpoints[name] = of_checkpoint(args.zoo / name, known[name], args.reference)
            print(f"{name}: {checkpoints[name]['seconds']} s", file=sys.stderr, flush=True)
            _write(args, checkpoints)


def _measured(args: argparse.Namespace) -> dict[str, Document]:
    """What the file holds already.

    Raises:
        SystemExit: it was measured beside another reference.
    """
    if not args.out.exists():
        return {}
    document = json.loads(args.out.read_text())
    if document["reference"] != args.reference:
        raise SystemExit(f"{args.out} was measured with the reference {document['reference']}; choose another --out.")
    return dict(document["checkpoints"])


def _write(args: argparse.Namespace, checkpoints: Document) -> None:
    """After every checkpoint."""
    told = "" if args.reference == "none" else f" --reference {args.reference}"
    document = {
        "schema_version": SCHEMA_VERSION,
        "kind": "audits",
        "command": f"OMP_NUM_THREADS=1 python -m examples.measure.zoo_audit --zoo DIR{told} {' '.join(checkpoints)}",
        "reference": args.reference,
        "versions": versions(),
        "machine": {"device": "cpu", "cores": os.cpu_count(), "threads": 1},
        "checkpoints": checkpoints,
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
