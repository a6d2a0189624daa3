"""Options that commands share, and one option for each setting of the detector."""

import argparse
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from eftclip.config import MOST_UNREAD, OWN, DetectConfig, Settings

S = TypeVar("S", bound=Settings)

# name -> what it means, with the range that DetectConfig holds
DETECT_HELP = {
    "top_labels": "labels read in each picture, 1 to 100",
    "support_confidence": "confidence from which a part of the picture explains a label, 0.3 to 0.9",
    "windows_per_side": "windows that the whole picture is first looked at through, per side, 2 to 8",
    "carry_confidence": "share of the picture's reading from which a part alone carries the label, 0.01 to 0.95",
    "max_area_fraction": "largest share of the picture that a trigger may cover, 0.005 to 0.5",
    "transplants": "strangers' photographs that a suspected patch is pasted into, 8 to 200",
    "transplant_threshold": "share of them that must be taken over, 0.1 to 0.95",
    "max_triggers": "triggers removed one after another from one picture, 1 to 16",
    "algorithm": "eftclip (ours) or paper (the paper's Algorithm 1 as published; it needs a reference)",
}


RUN_HELP = {
    "search": "which samples are searched: until_proven, every or suspicious",
    "suspicious_share": "share of samples of unaffected labels that is searched once a trigger is known, 0 to 1",
    "exemplars": "pictures of a trigger that are kept, 1 to 64",
    "allow_unread": "samples that may stay unread in a scan that ends with nothing found, 0 to 1000000",
    "budget": "pictures in the fine-tuning set, 8 to 4096",
    "victim_share": "share of them that may be poisoned samples without their trigger, 0 to 0.9",
    "affected_share": "share that may be clean samples of affected labels, 0 to 0.9",
    "method": "realign (ours), contrastive (the paper's), or a rival: finetune, cleanclip, par, invertune, fineprune",
    "steps": "steps of the fine-tuning at most, 1 to 100000",
    "batch": "clean pictures in each step, 2 to 4096; realign is shown as many with a trigger",
    "learning_rate": "at its highest, 1e-7 to 1e-2",
    "own": "numbers that only this method has, e.g. tau=2,weight=0.5 for par",
    "keep_weight": "of realign: how much a clean picture that moves counts, 0 to 100",
    "check_every": "steps between two looks at held-out pictures, 1 to 10000",
    "agreement": "share of held-out clean pictures that must read as before for an early end, 0.5 to 1",
    "at_once": "clean pictures that go through the model together, 1 to 4096; a bound on memory",
    "precision": "auto, fp32 or bf16",
    "measured": "pictures that are measured on before and after, 40 to 100000",
}

AUDIT = "audit_"  # before the names of its settings: some of the fine-tuning and of the scan have the same
AUDIT_HELP = {
    "audit_patch_share": "side of the patches that are grown, as a share of the picture's, 0.02 to 0.5",
    "audit_steps": "steps for one patch at most, 1 to 10000",
    "audit_starts": "patches that are drawn for each but the first; the best of them grows, 1 to 1000",
    "audit_pattern_strength": "how far a pattern moves a pixel at most, as a share of the range, 0.01 to 0.5",
    "audit_pattern_steps": "steps for one pattern at most, 1 to 10000",
    "audit_batch": "photographs in each of its steps, 2 to 1024",
    "audit_rate": "how fast its pixels move, 0.001 to 10",
    "audit_check_every": "steps between two trials on other photographs, 1 to 10000",
    "audit_patience": "patches, or patterns, in a row that force nothing before the search ends, 1 to 20",
    "audit_exemplars": "patches, or patterns, that are grown for each label that is forced, 1 to 16",
}

SOURCE_HELP = "a folder (open_clip or transformers), a weight file, or hf:org/name[@revision]"


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    """What is under test, and how it is asked."""
    parser.add_argument("--checkpoint", required=True, metavar="SRC", help=SOURCE_HELP)
    parser.add_argument(
        "--labels", default="imagenet", metavar="imagenet|FILE", help="labels, one per line, or as JSON or CSV"
    )
    add_trust(parser)


def add_trust(parser: argparse.ArgumentParser) -> None:
    """What a checkpoint does not say of itself."""
    parser.add_argument(
        "--architecture",
        metavar="NAME|FOLDER",
        help="of weights that come alone: open_clip's name, or a folder with it",
    )
    parser.add_argument("--allow-pickle", action="store_true", help="also accept checkpoint weights in a pickle file")


def add_judges(parser: argparse.ArgumentParser) -> None:
    """What a search is done with."""
    parser.add_argument("--oracle", default="auto", metavar="auto|superpixel|sam", help="what finds the objects")
    parser.add_argument("--sam-weights", type=Path, metavar="FILE", help="SAM weights on this machine")
    parser.add_argument(
        "--reference",
        default="auto",
        metavar="auto|none|SRC",
        help="a trusted checkpoint that findings are held against (default: the bundled clean one when it is here)",
    )


def add_data(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """A data set."""
    parser.add_argument(
        "data",
        metavar="DATA",
        nargs="?" if optional else None,
        help="a folder of pictures, a table of them, a .zip, .parquet or .tar file, or hf:org/name[@revision]"
        + ("; left out, the checkpoint is audited without any" if optional else ""),
    )
    parser.add_argument(
        "--split", metavar="NAME", help="a part of it, such as test (default: train on the Hub, all of any other)"
    )


def add_pictures(parser: argparse.ArgumentParser) -> None:
    """Pictures and folders of pictures."""
    parser.add_argument(
        "pictures", nargs="+", metavar="IMAGE_OR_FOLDER", type=Path, help="pictures, or folders of them"
    )


def add_allow_unread(parser: argparse.ArgumentParser) -> None:
    """For commands without settings of a scan."""
    parser.add_argument(
        "--allow-unread",
        type=unread,
        default=0,
        metavar="N",
        help="pictures that may stay unread, e.g. broken ones, without exit code 2 (default: 0)",
    )


def unread(text: str) -> int:
    """A number of pictures that may stay unread."""
    number = int(text)
    if not 0 <= number <= MOST_UNREAD:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to {MOST_UNREAD}, got {text}")
    return number


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
    add_settings(parser, "settings of the detector", DetectConfig, DETECT_HELP)


def add_settings(
    parser: argparse.ArgumentParser,
    title: str,
    kind: type[Settings],
    about: dict[str, str] = RUN_HELP,
    *,
    prefix: str = "",
) -> None:
    """One option for each field of a settings class, the prefix before its name."""
    group, types = parser.add_argument_group(title), get_type_hints(kind)
    for field in fields(kind):  # type: ignore[arg-type]
        if field.default is MISSING:
            continue
        default, name = "the method's own" if field.default in (OWN, "") else field.default, prefix + field.name
        group.add_argument(
            f"--{name.replace('_', '-')}",
            type=types[field.name],
            metavar="X",
            help=f"{about.get(name, name.replace('_', ' '))} (default: {default})",
        )


def settings_of(options: argparse.Namespace, kind: type[S], *, prefix: str = "") -> S:
    """The settings that were given by options with this prefix, on top of the defaults.

    Raises:
        ConfigError: a value lies outside its range.
    """
    given: dict[str, Any] = {field.name: getattr(options, prefix + field.name) for field in fields(kind)}  # type: ignore[arg-type]
    return kind.from_dict({name: value for name, value in given.items() if value is not None})


def detector_config(options: argparse.Namespace) -> DetectConfig:
    """The detector's settings.

    Raises:
        ConfigError: a value lies outside its range.
    """
    return settings_of(options, DetectConfig)
