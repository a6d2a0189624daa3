"""What every measurement on the zoo has in common: its options, the checkpoints it is told of, and its result file."""

import argparse
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eftclip.pipeline.check import versions
from examples.build.zoo.build import entries

SCHEMA_VERSION = 1
Document = dict[str, Any]


def add_options(parser: argparse.ArgumentParser, out: Path) -> None:
    """Which checkpoints, beside which reference, and where the results go."""
    parser.add_argument("names", nargs="+", help="of checkpoints, such as resnet-strong-yellow16-0")
    parser.add_argument("--zoo", type=Path, default=Path("build/zoo"))
    parser.add_argument("--reference", default="none", help="a trusted checkpoint; none when left out")
    parser.add_argument("--out", type=Path, default=out)


def known_checkpoints(args: argparse.Namespace) -> dict[str, Document]:
    """What `zoo.json` says of the checkpoints.

    Raises:
        SystemExit: one that is asked for was not built.
    """
    known: dict[str, Document] = entries(args.zoo)
    if unknown := [name for name in args.names if name not in known]:
        raise SystemExit(f"{args.zoo} holds no {', '.join(unknown)}; build them first.")
    return known


def measured(out: Path, settings: Document) -> dict[str, Document]:
    """What a result file holds already, by the names of checkpoints.

    Raises:
        SystemExit: it was measured with other settings.
    """
    if not out.exists():
        return {}
    document = json.loads(out.read_text())
    if document.get("settings") != settings:
        raise SystemExit(f"{out} was measured with {document.get('settings', 'others')}; choose another --out.")
    return dict(document["checkpoints"])


def told(reference: str) -> str:
    """The option of a command that names the reference."""
    return "" if reference == "none" else f" --reference {reference}"


def write(out: Path, kind: str, command: str, about: Document, checkpoints: Mapping[str, Document]) -> None:
    """Write a result file, so that a run that is broken off leaves what it measured.

    Args:
        out: the file.
        kind: of document.
        command: that makes it again, without its environment.
        about: how it was measured.
        checkpoints: what was measured, by their names.
    """
    document = {
        "schema_version": SCHEMA_VERSION,
        "kind": kind,
        "command": f"OMP_NUM_THREADS=1 {command}",
        **about,
        "versions": versions(),
        "machine": {"device": "cpu", "cores": os.cpu_count(), "threads": 1},
        "checkpoints": checkpoints,
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
