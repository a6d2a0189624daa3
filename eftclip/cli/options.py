"""Options that commands share, and one option for each setting of the detector."""

import argparse
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from eftclip.config import DetectConfig

# name -> what it means, with the range that DetectConfig holds
DETECT_HELP = {
    "top_labels": "labels read in each picture, 1 to 100",
    "support_confidence": "confidence from which a part of the picture explains a label, 0.3 to 0.9",
    "windows_per_side": "windows that the whole picture is first looked at through, per side, 2 to 8",
    "carry_confidence": "probability from which a part read alone carries the label, 0.01 to 0.95",
    "max_area_fraction": "largest share of the picture that a trigger may cover, 0.005 to 0.5",
    "transplants": "strangers' photographs that a suspected patch is pasted into, 8 to 200",
    "transplant_threshold": "share of them that must be taken over, 0.1 to 0.95",
    "max_triggers": "triggers removed one after another from one picture, 1 to 16",
}


def add_pictures(parser: argparse.ArgumentParser) -> None:
    """Pictures and folders of pictures."""
    parser.add_argument(
        "pictures", nargs="+", metavar="IMAGE_OR_FOLDER", type=Path, help="pictures, or folders of them"
    )


def add_common(parser: argparse.ArgumentParser) -> None:
    """What every command that works on pictures takes."""
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the full result to this JSON file")
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="of all random choices (default: 0)")
    parser.add_argument("--device", metavar="D", help="cpu, cuda, mps … (default: the best one here)")


def seed(text: str) -> int:
    """A seed that every generator takes: 0 to 4,294,967,295."""
    number = int(text)
    if not 0 <= number < 2**32:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to {2**32 - 1}, got {text}")
    return number


def add_detector(parser: argparse.ArgumentParser) -> None:
    """One option for each field of `DetectConfig`; left out, the default stays the one of the class."""
    group = parser.add_argument_group("settings of the detector")
    for field in fields(DetectConfig):
        if field.default is MISSING:
            continue
        about = DETECT_HELP.get(field.name, field.name.replace("_", " "))
        group.add_argument(
            f"--{field.name.replace('_', '-')}",
            type=type(field.default),
            metavar="X",
            help=f"{about} (default: {field.default})",
        )


def detector_config(options: argparse.Namespace) -> DetectConfig:
    """The settings that were given, on top of the defaults.

    Raises:
        ConfigError: a value lies outside its range.
    """
    given: dict[str, Any] = {field.name: getattr(options, field.name) for field in fields(DetectConfig)}
    return DetectConfig.from_dict({name: value for name, value in given.items() if value is not None})
