"""The command line: parses, calls the pipeline, prints, and says by the exit code what came of it.

Every command exits 0 (complete, nothing found), 1 (something was found) or 2 (could not be decided, failed, wrong
usage). 2 wins over 1: whoever asks whether a folder was judged completely must not read a finding as "yes".
"""

import argparse
import sys
from collections.abc import Sequence

from eftclip.cli import app, check, evaluate, inspect, plant, publish, rectify, scan
from eftclip.cli.progress import printable
from eftclip.console import fit_streams
from eftclip.errors import EftclipError
from eftclip.publish import bound_requests
from eftclip.runtime import settle_memory

COMMANDS = {
    "inspect": inspect,
    "check": check,
    "scan": scan,
    "rectify": rectify,
    "evaluate": evaluate,
    "plant": plant,
    "publish": publish,
    "app": app,
}


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="eftclip",
        description="Judge CLIP checkpoints for backdoors and mend them: find what steers one, and fine-tune it away.",
        epilog="Exit codes: 0 complete and nothing found, 1 something found, 2 could not be decided or failed.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in COMMANDS.items():
        summary = (module.__doc__ or "").splitlines()[0]
        module.add_options(commands.add_parser(name, help=summary, description=summary))
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; wrong usage leaves by `SystemExit(2)`."""
    settle_memory()
    bound_requests()
    fit_streams()  # before the parser, which prints the help
    options = build_parser().parse_args(argv)
    try:
        return COMMANDS[options.command].run(options)
    except EftclipError as error:
        print(printable(f"eftclip: {error}"), file=sys.stderr)
    except OSError as error:
        print(printable(f"eftclip: {error.strerror or error}: {error.filename or 'no file named'}"), file=sys.stderr)
    except KeyboardInterrupt:
        print("eftclip: stopped; nothing more was judged.", file=sys.stderr)
    return 2
