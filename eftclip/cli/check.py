"""Judge photographs: is a trigger in them steering this checkpoint?"""

import argparse
from itertools import chain
from pathlib import Path

from eftclip.cli.options import add_allow_unread, add_checkpoint, add_common, add_detector, add_judges, add_pictures
from eftclip.cli.outputs import Outputs
from eftclip.cli.prepare import introduce, prepare
from eftclip.cli.progress import Bar, polite_stop
from eftclip.data import list_pictures
from eftclip.pipeline import check_each, check_left_out, record, without_pixels
from eftclip.report import check_document, counts_sentence, kinds_line
from eftclip.types import Checked, CheckRecord, Status

WORDS = {
    Status.FOUND: "FOUND",
    Status.NOT_FOUND: "nothing found",
    Status.INCONCLUSIVE: "undecided",
    Status.ERROR: "FAILED",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Everything that a check can be told."""
    add_pictures(parser)
    add_checkpoint(parser)
    add_judges(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="write pictures, masks and report.md into this folder")
    add_allow_unread(parser)
    add_common(parser)
    add_detector(parser)


def run(options: argparse.Namespace) -> int:
    """Check every picture, write what was asked for, and decide the exit code."""
    paths = list_pictures(options.pictures)
    outputs = Outputs(options.json, options.out)
    outputs.prepare()
    bar = Bar()
    with polite_stop() as cancelled:
        setup = prepare(options, bar, cancelled)
        bar.close()
        introduce(setup, options, bar)
        results, masks = [], {}
        judged = check_each(setup, paths, seed=options.seed, on_progress=bar, cancelled=cancelled)
        for k, checked in enumerate(chain(judged, check_left_out(options.pictures))):
            for line in summary_lines(checked):
                bar.say(line)
            if mask := outputs.write_pictures(k, checked):
                masks[k] = mask
            results.append(without_pixels(checked))
        bar.close()
    finished = record(setup, results, seed=options.seed, allow_unread=options.allow_unread)
    document = check_document(finished, masks)
    outputs.write_document(document)
    bar.say(f"{len(results)} checked: {counts_sentence(document['counts'])}.{_unread(finished)}")
    return exit_code(finished)


def _unread(finished: CheckRecord) -> str:
    """What was not read, as a further sentence; empty where all was."""
    told, allowed = finished.account.unread_sentence(), finished.account.unread <= finished.allow_unread
    return f" {told}{', which was allowed' if allowed else ''}." if told else ""


def summary_lines(checked: Checked) -> tuple[str, str]:
    """Verdict, picture, what is read with and without the trigger, and why; below it what was searched for."""
    detection = checked.detection
    reads = [f"{p.label} {p.probability:.0%}" for p in detection.predictions[:1]]
    reads += [f"without it {p.label} {p.probability:.0%}" for p in detection.purified_predictions[:1]]
    said = f" · {', '.join(reads)}" if reads else ""
    verdict = f"{WORDS[detection.status]:<14}{checked.name}{said} · {detection.reason}"
    return verdict, f"{'':14}{kinds_line(detection.kinds)}"


def exit_code(finished: CheckRecord) -> int:
    """2 when anything is undecided, or more is unread than allowed, else 1 when something was found, else 0."""
    if not finished.account.settled or not finished.account.read:
        return 2
    return 1 if any(checked.detection.status is Status.FOUND for checked in finished.results) else 0
