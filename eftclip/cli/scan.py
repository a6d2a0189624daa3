"""Scan a data set: which triggers are in it, which labels they force, which pictures are victims?"""

import argparse
from pathlib import Path

from eftclip.cli.options import (
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
from eftclip.cli.run_outputs import SHOWN, RunFiles, exit_code, say_layout, say_source
from eftclip.config import CurateConfig, ScanConfig
from eftclip.data import open_set
from eftclip.pipeline import Plan, RunOptions, run_scan
from eftclip.report import Document, coverage_sentence, share
from eftclip.runtime import all_processes, pick_device

ABOUT = (
    "With --out the scan keeps a journal: the same command takes up a scan that was stopped or killed. "
    "Several processes share the work under `torchrun --nproc_per_node N -m eftclip scan …` or `accelerate launch`."
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Everything that a scan can be told."""
    parser.epilog = ABOUT
    add_data(parser)
    add_checkpoint(parser)
    add_judges(parser)
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="write report.md, pictures and the fine-tuning set into this folder"
    )
    add_common(parser)
    add_settings(parser, "settings of the scan", ScanConfig)
    add_settings(parser, "settings of the fine-tuning set", CurateConfig)
    add_detector(parser)


def run(options: argparse.Namespace) -> int:
    """Scan, write what was asked for, and decide the exit code."""
    plan = Plan(settings_of(options, ScanConfig), settings_of(options, CurateConfig))
    processes = all_processes(pick_device(options.device))
    files = RunFiles(options.json, options.out, "scan")
    files.prepare()
    images = open_set(options.data, split=options.split, token=token())
    bar = Bar(silent=not processes.leads)
    say_layout(images, bar)
    with polite_stop() as cancelled:
        setup = prepare(options, bar, cancelled)
        bar.close()
        introduce(setup, options, bar)
        way = RunOptions(work=options.out, processes=processes, on_progress=bar, cancelled=cancelled)
        record = run_scan(setup, images, plan, seed=options.seed, way=way)
        bar.close()
    if processes.leads:
        say_findings(files.write(record), bar)
    return exit_code(record)


def say_findings(document: Document, bar: Bar) -> None:
    """What was found, for a terminal."""
    say_source(document, bar)
    for family in document["families"]:
        control = f"; the reference: {share(family['control'])}" if family["control"] else ""
        bar.say(
            f"{'TRIGGER':<14}forces “{family['target_label']}”, carried by {family['victims']} pictures, "
            f"takes over {share(family['transplant'])} strangers{control}"
        )
    for victim in document["victims"][:SHOWN]:
        bar.say(f"{'victim':<14}{victim['image']} · shows {victim['shown_label']}, really {victim['restored_label']}")
    if len(document["victims"]) > SHOWN:
        bar.say(f"{'':<14}and {len(document['victims']) - SHOWN:,} more victims")
    bar.say(coverage_sentence(document))
    bar.say(document["reason"])
