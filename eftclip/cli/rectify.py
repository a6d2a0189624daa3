"""Mend a checkpoint: find its triggers, fine-tune them away, and measure before and after."""

import argparse
from pathlib import Path

from eftclip.cli.evaluate import say_rates
from eftclip.cli.options import (
    AUDIT,
    AUDIT_HELP,
    RUN_HELP,
    add_checkpoint,
    add_common,
    add_data,
    add_detector,
    add_judges,
    add_settings,
    settings_of,
)
from eftclip.cli.prepare import introduce, prepare, token
from eftclip.cli.progress import Bar, polite_stop
from eftclip.cli.publish import add_terms, publish_folder, ready
from eftclip.cli.run_outputs import RunFiles, exit_code, say_layout
from eftclip.cli.scan import say_findings
from eftclip.config import CurateConfig, InvertConfig, MeasureConfig, RectifyConfig, ScanConfig
from eftclip.data import open_set
from eftclip.errors import DataError, PublishError
from eftclip.pipeline import METHODS, SCAN_JOURNAL, Plan, RunOptions, run_rectify
from eftclip.report import Document, model_card
from eftclip.runtime import all_processes, pick_device
from eftclip.types import TuningStep

ABOUT = (
    "The folder given with --out becomes an ordinary folder of the format that came in, with a model card, a report "
    "and pictures. The same command takes up a run that was stopped or killed. Exit code 1 means that a trigger was "
    "found and rectified."
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Everything that a rectification can be told."""
    parser.epilog = ABOUT
    add_data(parser, optional=True)
    add_checkpoint(parser)
    add_judges(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the mended checkpoint goes")
    parser.add_argument(
        "--scanned",
        type=Path,
        metavar="DIR",
        help="where `eftclip scan DATA --out DIR` wrote; spares a second scan",
    )
    parser.add_argument("--publish", metavar="ORG/NAME", help="publish the result on the Hub, see `eftclip publish`")
    add_terms(parser)
    add_common(parser)
    add_settings(parser, "settings of the fine-tuning", RectifyConfig, RUN_HELP | {"method": method_help()})
    add_settings(parser, "settings of the fine-tuning set", CurateConfig)
    add_settings(parser, "settings of the scan", ScanConfig)
    add_settings(parser, "settings of the measuring", MeasureConfig)
    add_settings(parser, "settings of the audit, without DATA", InvertConfig, AUDIT_HELP, prefix=AUDIT)
    add_detector(parser)


def method_help() -> str:
    """Every method by its name; what installed packages bring is not imported for that."""
    brought = [name for name in METHODS.names() if name not in METHODS.ours]
    return RUN_HELP["method"] + (f"; of other packages: {', '.join(brought)}" if brought else "")


def run(options: argparse.Namespace) -> int:
    """Scan, rectify, measure, write, and decide the exit code."""
    scan, curate = settings_of(options, ScanConfig), settings_of(options, CurateConfig)
    rectify, measure = settings_of(options, RectifyConfig), settings_of(options, MeasureConfig)
    plan = Plan(scan, curate, rectify, settings_of(options, InvertConfig, prefix=AUDIT), measure)
    processes = all_processes(pick_device(options.device))
    check_scanned(options)
    files = RunFiles(options.json, options.out, "rectify")
    files.prepare()
    if options.publish and processes.leads:
        ready(options.publish)
    work = options.out / "work"
    work.mkdir(exist_ok=True)
    images = open_set(options.data, split=options.split, token=token()) if options.data else None
    bar = Bar(silent=not processes.leads)
    say_layout(images, bar)
    with polite_stop() as cancelled:
        setup = prepare(options, bar, cancelled)
        bar.close()
        introduce(setup, options, bar)
        way = RunOptions(
            work,
            processes,
            bar,
            on_step=lambda look: bar.say(step_line(look)),
            cancelled=cancelled,
            scanned=options.scanned,
        )
        record = run_rectify(setup, images, plan, options.out, seed=options.seed, way=way)
        bar.close()
    if processes.leads:
        document = files.write(record)
        say_findings(document, bar)
        say_measured(document, bar)
        if record.rectified is not None and record.rectified.folder:
            card = model_card(document)
            (options.out / "README.md").write_text(card, encoding="utf-8", errors="replace")
            if options.publish:
                publish_result(options, document, bar)
        elif options.publish:
            bar.say("Nothing was rectified, so nothing was published.")
    return exit_code(record)


def check_scanned(options: argparse.Namespace) -> None:
    """Whether there is a scan that can be gone on from, before anything is begun.

    Raises:
        DataError: there is none, or no data that it could be of.
    """
    if options.scanned is None:
        return
    if not options.data:
        raise DataError("--scanned is the scan of a data set; name that DATA too.")
    if not (options.scanned / SCAN_JOURNAL).is_file():
        raise DataError(f"{options.scanned} holds no scan; `eftclip scan DATA --out {options.scanned}` makes one.")


def publish_result(options: argparse.Namespace, document: Document, bar: Bar) -> None:
    """Publish; whatever happens, the mended checkpoint is kept, and the error says how to go on."""
    try:
        with polite_stop() as cancelled:
            publish_folder(options.out, document, options.publish, options, bar, cancelled)
    except PublishError as error:
        again = f"`eftclip publish {options.out} {options.publish}`"
        raise PublishError(f"{error} The mended checkpoint is in {options.out}; {again} goes on from there.") from error


def step_line(look: TuningStep) -> str:
    """One look at the held-out pictures."""
    return (
        f"{f'step {look.step}':<14}loss {look.loss:.4f} · held out: {look.attack} taken over, "
        f"{look.agreement} read as before"
    )


def say_measured(document: Document, bar: Bar) -> None:
    """Before and after, for a terminal."""
    for stage in ("before", "after"):
        if stage in document:
            say_rates(stage, document[stage], bar)
    if remark := document.get("rectified", {}).get("remark"):
        bar.say(remark)
    bar.say(document["conclusion"])
