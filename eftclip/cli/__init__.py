"""The command line: parses, calls the pipeline, prints, and says by the exit code what came of it.

Every command exits 0 (complete, nothing found), 1 (something was found) or 2 (could not be decided, failed, wrong
usage). 2 wins over 1: whoever asks whether a folder was judged completely must not read a finding as "yes".
"""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from eftclip.console import fit_streams, printable
from eftclip.errors import EftclipError

# Each is a module of this package, which is not imported before it is asked for: torch alone takes seconds.
COMMANDS = {
    "inspect": "Look at a checkpoint before loading it: files, format, architecture, licence, revision, what is wrong.",
    "check": "Judge photographs: is a trigger in them steering this checkpoint?",
    "scan": "Scan a data set: which triggers are in it, which labels they force, which pictures are victims?",
    "rectify": "Mend a checkpoint: find its triggers, fine-tune them away, and measure before and after.",
    "evaluate": "Measure a checkpoint: clean accuracy, attack success and poisoned accuracy for published triggers.",
    "plant": "Plant a published trigger in copies of photographs, to see whether a checkpoint falls for it.",
    "publish": "Publish a mended checkpoint on the Hugging Face Hub: a new repository, or a pull request.",
    "app": "Open the page in a browser.",
}


def build_parser(typed: Sequence[str] = tuple(COMMANDS)) -> argparse.ArgumentParser:
    """The parser of all commands; it knows the options of those only that are among the words `typed`."""
    parser = argparse.ArgumentParser(
        prog="eftclip",
        description="Judge CLIP checkpoints for backdoors and mend them: find what steers one, and fine-tune it away.",
        epilog="Exit codes: 0 complete and nothing found, 1 something found, 2 could not be decided or failed.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary)
        if name in typed:
            import_module(f"{__name__}.{name}").add_options(command)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; wrong usage leaves by `SystemExit(2)`."""
    fit_streams()  # before the parser, which prints the help
    typed = sys.argv[1:] if argv is None else argv
    options = build_parser(typed).parse_args(typed)
    try:
        if options.command != "app":  # which does so when nothing stands in the way of the page
            _settle()
        code: int = import_module(f"{__name__}.{options.command}").run(options)
        return code
    except EftclipError as error:
        print(printable(f"eftclip: {error}"), file=sys.stderr)
    except OSError as error:
        print(printable(f"eftclip: {error.strerror or error}: {error.filename or 'no file named'}"), file=sys.stderr)
    except KeyboardInterrupt:
        print("eftclip: stopped; nothing more was judged.", file=sys.stderr)
    return 2


def _settle() -> None:
    from eftclip.publish import bound_requests
    from eftclip.runtime import settle_memory

    settle_memory()
    bound_requests()
