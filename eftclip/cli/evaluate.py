"""Measure a checkpoint: clean accuracy, attack success and poisoned accuracy for published triggers."""

import argparse
from pathlib import Path

from eftclip.cli.options import add_allow_unread, add_checkpoint, add_common, add_data
from eftclip.cli.prepare import about_weights, token
from eftclip.cli.progress import Bar, polite_stop
from eftclip.cli.run_outputs import RunFiles, exit_code, say_layout, say_source
from eftclip.data import open_set
from eftclip.errors import ConfigError
from eftclip.pipeline import Attack, Rebound, RunOptions, load_checkpoint, run_evaluate
from eftclip.report import Document, share
from eftclip.runtime import pick_device, seeded
from eftclip.triggers import POSITIONS, TRIGGERS, draw_trigger
from eftclip.types import measure_names


def add_options(parser: argparse.ArgumentParser) -> None:
    """Everything that an evaluation can be told."""
    add_data(parser)
    add_checkpoint(parser)
    parser.set_defaults(labels="auto")
    parser.add_argument("--trigger", action="append", default=[], metavar="NAME", help=f"one of {', '.join(TRIGGERS)}")
    parser.add_argument("--target", action="append", default=[], metavar="LABEL", help="the label that it forces")
    parser.add_argument("--position", choices=POSITIONS, help="where triggers go (default: as published)")
    parser.add_argument("--patch-px", type=int, metavar="N", help="side of the patch, 4 to 112 (default: as published)")
    parser.add_argument("--rebound", metavar="DATA", help="fine-tune on this labelled set, then measure once more")
    parser.add_argument("--rebound-steps", type=int, default=300, metavar="N", help="steps of it (default: 300)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write report.md and pictures into this folder")
    add_allow_unread(parser)
    add_common(parser)


def run(options: argparse.Namespace) -> int:
    """Measure, write what was asked for; 0 when it is done, 2 when the measurement decides nothing."""
    attacks = _attacks(options)
    files = RunFiles(options.json, options.out, "evaluate")
    files.prepare()
    images = open_set(options.data, split=options.split, token=token())
    rebound = None
    if options.rebound:
        tuned = open_set(options.rebound, split=options.split, token=token())
        rebound = Rebound(tuned, options.rebound_steps)
    labels = None if options.labels == "auto" else options.labels
    labels = Path(labels) if labels not in (None, "imagenet") else labels
    bar = Bar()
    say_layout(images, bar)
    with polite_stop() as cancelled:
        clip, found = load_checkpoint(
            options.checkpoint,
            device=pick_device(options.device),
            token=token(),
            allow_pickle=options.allow_pickle,
            architecture=options.architecture,
        )
        bar.say(f"{about_weights(clip.ref)} {found.reason}")
        way = RunOptions(on_progress=bar, cancelled=cancelled)
        record = run_evaluate(
            clip,
            found,
            images,
            attacks,
            labels=labels,
            rebound=rebound,
            seed=options.seed,
            allow_unread=options.allow_unread,
            way=way,
        )
        bar.close()
    document = files.write(record)
    say_source(document, bar)
    for stage in ("before", "rebound"):
        if stage in document:
            say_rates("measured" if stage == "before" else stage, document[stage], bar)
    for doubt in document["before"]["warnings"]:
        bar.say(doubt)
    if record.undecided:
        bar.say(f"{'undecided':<14}{record.undecided}")
    return exit_code(record)


def say_rates(name: str, measured: Document, bar: Bar) -> None:
    """One line of rates."""
    told = [f"{short} {share(measured[key])}" for key, short, _ in measure_names(measured["truth"])]
    bar.say(f"{name:<14}{', '.join(told if measured['attack']['total'] else told[:1])}")


def _attacks(options: argparse.Namespace) -> list[Attack]:
    """A trigger with its target each; drawn once, planted at places drawn from the seed.

    Raises:
        ConfigError: not one target for each trigger.
        TriggerError: an unknown trigger.
    """
    if len(options.trigger) != len(options.target):
        raise ConfigError(
            f"Each --trigger needs its --target, got {len(options.trigger)} triggers and {len(options.target)} targets."
        )
    return [
        _attack(options, name, target, k)
        for k, (name, target) in enumerate(zip(options.trigger, options.target, strict=True))
    ]


def _attack(options: argparse.Namespace, name: str, target: str, number: int) -> Attack:
    trigger = draw_trigger(name, generator=seeded(options.seed), patch_px=options.patch_px)
    places = seeded(options.seed + 1 + number)
    return Attack(target, lambda images: trigger.plant(images, generator=places, position=options.position).images)
