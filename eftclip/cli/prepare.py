"""From the options of a command to what the pipeline needs, and a few lines that say what judges."""

import argparse
import os
from pathlib import Path

from eftclip.cli.options import detector_config
from eftclip.cli.progress import Bar
from eftclip.pipeline import CheckSetup, prepare_check
from eftclip.runtime import Cancelled
from eftclip.types import CheckpointRef


def token() -> str | None:
    """The user's own token for the Hub; None without one."""
    return os.environ.get("HF_TOKEN") or None


def prepare(options: argparse.Namespace, bar: Bar, cancelled: Cancelled) -> CheckSetup:
    """Load and read all that a search needs.

    Raises:
        EftclipError: something cannot be used.
    """
    return prepare_check(
        options.checkpoint,
        labels="imagenet" if options.labels == "imagenet" else Path(options.labels),
        oracle=options.oracle,
        sam_weights=options.sam_weights,
        reference=options.reference,
        config=detector_config(options),
        device=options.device,
        token=token(),
        allow_pickle=options.allow_pickle,
        architecture=options.architecture,
        seed=options.seed,
        on_progress=bar,
        cancelled=cancelled,
    )


def about_weights(ref: CheckpointRef) -> str:
    """Which weights are judged, and where they lay where that is not plain."""
    remark = f" ({ref.remark})" if ref.remark else ""
    return f"Checkpoint: {ref.source}, sha256 {ref.sha256[:12]}…{remark}."


def introduce(setup: CheckSetup, options: argparse.Namespace, bar: Bar) -> None:
    """Say what judges, before it does."""
    why = {"sam": "its weights are on this machine", "superpixel": "no SAM weights are on this machine"}
    kind = setup.oracle.name.partition(":")[0]
    chosen = f" ({why[kind]})" if options.oracle == "auto" and kind in why else ""
    trusted = setup.reference[0].ref.source if setup.reference else "none"
    bar.say(f"{about_weights(setup.clip.ref)} {setup.sanity.reason}")
    bar.say(f"Labels: {len(setup.classes.labels):,} from {setup.labels_source}. Oracle: {setup.oracle.name}{chosen}.")
    bar.say(f"Trusted reference: {trusted}. Algorithm: {setup.config.algorithm}.")
