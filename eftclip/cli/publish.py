"""Publish a mended checkpoint on the Hugging Face Hub: a new repository, or a pull request."""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from eftclip.checkpoint import licence_of
from eftclip.cli.prepare import token
from eftclip.cli.progress import Bar, polite_stop
from eftclip.errors import PublishError
from eftclip.publish import PICTURES, RECORD, check_name, doubts, publish, stage, writer
from eftclip.report import Document, model_card, pinned_source
from eftclip.runtime import Cancelled

ABOUT = (
    "DIR is what `eftclip rectify --out DIR` wrote. Only weights, configuration, tokenizer, model card, record and "
    "three pictures without photographs are published. The token is that of HF_TOKEN. Exit code 0: it is published."
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What goes where."""
    parser.epilog = ABOUT
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder that `rectify` wrote")
    parser.add_argument("repo", metavar="ORG/NAME", help="the repository; made if there is none")
    add_terms(parser)


def add_terms(parser: argparse.ArgumentParser) -> None:
    """How it is published; shared with `rectify --publish`."""
    parser.add_argument("--private", action="store_true", help="make a new repository private")
    parser.add_argument("--licence", help="of the checkpoint (default: that of the one it was made from)")
    parser.add_argument("--publish-anyway", action="store_true", help="even if the evaluation speaks against it")


def run(options: argparse.Namespace) -> int:
    """Publish a folder."""
    ready(options.repo)
    document = read_record(options.folder)
    with polite_stop() as cancelled:
        publish_folder(options.folder, document, options.repo, options, Bar(), cancelled)
    return 0


def ready(repo: str) -> None:
    """Fail now rather than after the work: the name, the token, and whether it writes.

    Raises:
        PublishError: it could never be published.
    """
    check_name(repo)
    writer(token() or "")


def read_record(folder: Path) -> Document:
    """The document that `rectify` left in its folder.

    Raises:
        PublishError: there is none.
    """
    try:
        document: Any = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        if document["kind"] != "rectify" or not document["checkpoint"]["sha256"]:
            raise ValueError(document["kind"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PublishError(
            f"{folder} holds no record of a rectification ({RECORD}); run `eftclip rectify … --out {folder}` first."
        ) from error
    return dict(document)


def publish_folder(
    folder: Path, document: Document, repo: str, options: argparse.Namespace, bar: Bar, cancelled: Cancelled
) -> None:
    """Stage, publish, and say where it is.

    Raises:
        PublishError: it was not published; its text says what is on the Hub now.
    """
    if (against := doubts(document)) and not options.publish_anyway:
        raise PublishError(f"Not published. {' '.join(against)} To publish it all the same, add --publish-anyway.")
    card = model_card(
        document,
        licence=options.licence or licence_of(pinned_source(document), token=token()),
        repo_id=repo,
        pictures=[name for name in PICTURES if (folder / name).is_file()],
    )
    with tempfile.TemporaryDirectory(prefix="eftclip-publish-") as scratch:
        staged = stage(folder, Path(scratch) / "staged", repo, document, card)
        done = publish(staged, token=token() or "", private=options.private, on_progress=bar, cancelled=cancelled)
    bar.close()
    kind = "as a pull request: " if done.pull_request else ""
    bar.say(f"Published {kind}{done.url} (commit {done.revision[:12]}, weights {done.sha256[:12]}…, compared).")
