"""Look at a checkpoint before loading it: files, format, architecture, licence, revision, what is wrong."""

import argparse
from pathlib import Path
from typing import Any

from eftclip.checkpoint import CheckpointReport, inspect
from eftclip.cli.options import SOURCE_HELP, add_trust
from eftclip.cli.outputs import write_json
from eftclip.cli.prepare import token
from eftclip.cli.progress import Bar
from eftclip.report import size

ABOUT = (
    "From the Hub come only small text files, and names and shapes of tensors. "
    "Exit code 0: it would load; 2: it would not, or has to be doubted."
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What to look at."""
    parser.epilog = ABOUT
    parser.add_argument("checkpoint", metavar="SRC", help=SOURCE_HELP)
    add_trust(parser)
    parser.add_argument("--json", type=Path, metavar="OUT", help="write what was found as JSON")


def run(options: argparse.Namespace) -> int:
    """Print what was found."""
    report, bar = look(options), Bar()
    document = inspect_document(report)
    if options.json:
        write_json(options.json, document)
    for name in ("source", "revision", "licence", "layout", "format", "weight_file", "architecture"):
        bar.say(f"{name.replace('_', ' '):<14}{_plain(document[name])}")
    for name, count in report.files.items():
        bar.say(f"  {size(count):>8}  {name}")
    if report.left_out:
        bar.say(f"            and {report.left_out:,} more")
    for problem in report.problems:
        bar.say(f"! {problem}")
    return 2 if report.problems else 0


def look(options: argparse.Namespace) -> CheckpointReport:
    """What can be known without loading."""
    return inspect(
        options.checkpoint,
        token=token(),
        allow_pickle=options.allow_pickle,
        architecture=options.architecture,
    )


def inspect_document(report: CheckpointReport) -> dict[str, Any]:
    """The same as plain values."""
    tower = report.architecture
    return {
        "source": report.source,
        "repo_id": report.repo_id,
        "revision": report.revision,
        "licence": report.licence,
        "layout": report.layout,
        "format": report.format,
        "weight_file": report.weight_file,
        "architecture": None
        if tower is None
        else {
            "vision": tower.vision,
            "text": tower.text,
            "embed_dim": tower.embed_dim,
            "image_px": tower.image_px,
        },
        "files": dict(report.files),
        "files_left_out": report.left_out,
        "problems": list(report.problems),
    }


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {one}" for name, one in value.items())
    return "–" if value is None else str(value)
