"""Plant a published trigger in copies of photographs, to see whether a checkpoint falls for it."""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from eftclip.cli.options import add_common, add_pictures
from eftclip.cli.outputs import write_json
from eftclip.console import printable
from eftclip.data import list_pictures, read_picture
from eftclip.errors import DataError, TriggerError
from eftclip.preprocess import Preprocess
from eftclip.runtime import pick_device, seeded
from eftclip.trigger_kinds import PatchTrigger, Trigger
from eftclip.triggers import POSITIONS, TRIGGERS, draw_trigger

MANIFEST = "planted.json"
ABOUT = (
    "For each picture, the square that a model of --image-px sees is written as PNG with the trigger in it: the square "
    "and not the whole picture, PNG and not JPEG, because resampling or compression would blur a one-pixel pattern, "
    "which would no longer be the trigger. Folders keep their structure; no input file is ever overwritten."
)


@dataclass(frozen=True)
class Item:
    """One copy to make: from where, and to where inside the output folder."""

    source: Path
    target: Path


def add_options(parser: argparse.ArgumentParser) -> None:
    """Everything that planting can be told."""
    parser.epilog = ABOUT
    add_pictures(parser)
    parser.add_argument("--trigger", required=True, metavar="NAME", help=f"one of {', '.join(TRIGGERS)}")
    parser.add_argument("--position", choices=POSITIONS, help="where a patch goes (default: as published)")
    parser.add_argument("--patch-px", type=int, metavar="N", help="side of the patch, 4 to 112 (default: as published)")
    parser.add_argument(
        "--image-px", type=int, default=224, metavar="N", help="side of the square that the model sees (default: 224)"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder, or one of plant's own")
    add_common(parser)


def run(options: argparse.Namespace) -> int:
    """Plant into every picture; a picture that cannot be read is named and fails the command, the others go on."""
    pick_device(options.device)  # planting needs no accelerator, but a wrong name is still told
    generator = seeded(options.seed)
    trigger = draw_trigger(options.trigger, generator=generator, patch_px=options.patch_px)
    square = _square_of(options.image_px, trigger)
    items = _plan(options.pictures, options.out)
    place = str(options.position or (trigger.place if isinstance(trigger, PatchTrigger) else "whole picture"))
    planted, failed = [], 0
    for item in items:
        try:
            image, _ = square.square(read_picture(item.source))
        except DataError as error:
            print(printable(f"eftclip: {error}"), file=sys.stderr)
            failed += 1
            continue
        copies = trigger.plant(image[None], generator=generator, position=options.position)
        _write(copies.images[0], options.out / item.target)
        planted.append(_entry(item, copies.boxes[0], trigger, place))
    document = _document(options, trigger, planted)
    options.out.mkdir(parents=True, exist_ok=True)
    for path in filter(None, (options.out / MANIFEST, options.json)):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, document)
    print(f"{len(planted)} planted in {options.out}, {failed} failed.")
    return 2 if failed or not planted else 0


def _patch_px(trigger: Trigger) -> int | None:
    """Side of a patch; None for what covers the whole picture."""
    return trigger.pixels.shape[-1] if isinstance(trigger, PatchTrigger) else None


def _square_of(image_px: int, trigger: Trigger) -> Preprocess:
    """CLIP's usual way from a picture to its square.

    Raises:
        TriggerError: the square is out of range, or too small for the trigger.
    """
    side = _patch_px(trigger) or 0
    if not 32 <= image_px <= 1024:
        raise TriggerError(f"--image-px must lie between 32 and 1024, got {image_px}.")
    if side > image_px:
        raise TriggerError(f"A patch of {side} pixels does not fit into a square of {image_px}; choose a smaller one.")
    return Preprocess(image_px, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


def _plan(arguments: list[Path], folder: Path) -> list[Item]:
    """Where every copy goes, decided before anything is written.

    Raises:
        DataError: nothing to plant in, or the output folder holds what must not be touched.
    """
    sources: dict[Path, Path] = {}  # picture -> the argument that named it first
    for argument in arguments:
        for path in list_pictures([argument]):
            sources.setdefault(path, argument)
    home = folder.resolve()
    if inside := [path for path in sources if path.resolve().is_relative_to(home)]:
        raise DataError(f"{inside[0]} lies inside the output folder {folder}; choose another folder for --out.")
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / MANIFEST).is_file())):
        raise DataError(f"{folder} already holds something that plant did not write; choose a new folder for --out.")
    items: list[Item] = []
    taken: set[str] = {MANIFEST}
    for path, argument in sources.items():
        inner = path.relative_to(argument) if argument.is_dir() else Path(path.name)
        items.append(Item(path, _free(inner.with_suffix(".png"), taken)))
    return items


def _free(wanted: Path, taken: set[str]) -> Path:
    """The wanted name, or the first numbered one that nobody has yet; some file systems do not tell case apart."""
    target, k = wanted, 2
    while target.as_posix().lower() in taken:
        target, k = wanted.with_stem(f"{wanted.stem}-{k}"), k + 1
    taken.add(target.as_posix().lower())
    return target


def _write(image: torch.Tensor, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = (image * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    Image.fromarray(np.ascontiguousarray(pixels)).save(path)


def _entry(item: Item, box: tuple[int, int, int, int], trigger: Trigger, position: str) -> dict[str, Any]:
    return {
        "image": item.target.as_posix(),
        "source": str(item.source),
        "box_xyxy": list(box),
        "trigger": trigger.name,
        "position": position,
    }


def _document(options: argparse.Namespace, trigger: Trigger, planted: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "kind": "plant",
        "trigger": trigger.name,
        "seed": options.seed,
        "patch_px": _patch_px(trigger),
        "image_px": options.image_px,
        "items": planted,
    }
