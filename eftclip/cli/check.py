"""Judge photographs: is a trigger in them steering this checkpoint?"""

import argparse
import os
from pathlib import Path

from eftclip.cli.options import add_common, add_detector, add_pictures, detector_config
from eftclip.cli.outputs import Outputs
from eftclip.cli.progress import Bar, polite_stop
from eftclip.data import list_pictures
from eftclip.pipeline import CheckSetup, check_each, prepare_check, record, without_pixels
from eftclip.report import check_document, counts_sentence
from eftclip.runtime import Cancelled
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
    parser.add_argument(
        "--checkpoint", required=True, metavar="SRC", help="a local open_clip folder, or hf:org/name[@revision]"
    )
    parser.add_argument("--labels", default="imagenet", metavar="imagenet|FILE", help="labels, one per line")
    parser.add_argument("--oracle", default="auto", metavar="auto|superpixel|sam", help="what finds the objects")
    parser.add_argument("--sam-weights", type=Path, metavar="FILE", help="SAM weights on this machine")
    parser.add_argument(
        "--reference",
        default="auto",
        metavar="auto|none|SRC",
        help="a trusted checkpoint that findings are held against (default: the bundled clean one when it is here)",
    )
    parser.add_argument("--allow-pickle", action="store_true", help="also accept checkpoint weights in a pickle file")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write pictures, masks and report.md into this folder")
    add_common(parser)
    add_detector(parser)


def run(options: argparse.Namespace) -> int:
    """Check every picture, write what was asked for, and decide the exit code."""
    paths = list_pictures(options.pictures)
    outputs = Outputs(options.json, options.out)
    outputs.prepare()
    bar = Bar()
    with polite_stop() as cancelled:
        setup = _prepare(options, bar, cancelled)
        bar.close()
        _introduce(setup, options, bar)
        results, masks = [], {}
        for k, checked in enumerate(check_each(setup, paths, seed=options.seed, on_progress=bar, cancelled=cancelled)):
            bar.say(summary_line(checked))
            if mask := outputs.write_pictures(k, checked):
                masks[k] = mask
            results.append(without_pixels(checked))
        bar.close()
    finished = record(setup, results, seed=options.seed)
    document = check_document(finished, masks)
    outputs.write_document(document)
    bar.say(f"{len(results)} checked: {counts_sentence(document['counts'])}.")
    return exit_code(finished)


def _prepare(options: argparse.Namespace, bar: Bar, cancelled: Cancelled) -> CheckSetup:
    return prepare_check(
        options.checkpoint,
        labels="imagenet" if options.labels == "imagenet" else Path(options.labels),
        oracle=options.oracle,
        sam_weights=options.sam_weights,
        reference=options.reference,
        config=detector_config(options),
        device=options.device,
        token=os.environ.get("HF_TOKEN") or None,
        allow_pickle=options.allow_pickle,
        seed=options.seed,
        on_progress=bar,
        cancelled=cancelled,
    )


def _introduce(setup: CheckSetup, options: argparse.Namespace, bar: Bar) -> None:
    """Say what judges, before it does."""
    why = {"sam": "its weights are on this machine", "superpixel": "no SAM weights are on this machine"}
    kind = setup.oracle.name.partition(":")[0]
    chosen = f" ({why[kind]})" if options.oracle == "auto" and kind in why else ""
    trusted = setup.reference[0].ref.source if setup.reference else "none"
    bar.say(f"Checkpoint: {setup.clip.ref.source}, sha256 {setup.clip.ref.sha256[:12]}…. {setup.sanity.reason}")
    bar.say(f"Labels: {len(setup.classes.labels):,} from {setup.labels_source}. Oracle: {setup.oracle.name}{chosen}.")
    bar.say(f"Trusted reference: {trusted}.")


def summary_line(checked: Checked) -> str:
    """One line: verdict, picture, what is read with and without the trigger, and why."""
    detection = checked.detection
    reads = [f"{p.label} {p.probability:.0%}" for p in detection.predictions[:1]]
    reads += [f"without it {p.label} {p.probability:.0%}" for p in detection.purified_predictions[:1]]
    said = f" · {', '.join(reads)}" if reads else ""
    return f"{WORDS[detection.status]:<14}{checked.name}{said} · {detection.reason}"


def exit_code(finished: CheckRecord) -> int:
    """2 when anything is undecided or failed, else 1 when something was found, else 0."""
    statuses = {checked.detection.status for checked in finished.results}
    if statuses & {Status.INCONCLUSIVE, Status.ERROR} or not statuses:
        return 2
    return 1 if Status.FOUND in statuses else 0
