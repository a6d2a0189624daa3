"""What is judged: photographs that nothing was trained on, clean and hijacked, and what is known of the checkpoints."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from eftclip.pipeline import CheckSetup
from eftclip.runtime import seeded
from eftclip.trigger_kinds import Trigger
from eftclip.types import Rate
from eftclip.zeroshot import probabilities
from examples.build.zoo.build import RESULTS, entries
from examples.build.zoo.build import triggers_of as zoo_triggers
from examples.build.zoo.triggers import planted_from
from examples.measure.photo_sets import Photo, read_square, unseen
from examples.measure.poisoned_sets import KNOWN, shuffled, triggers_of

DEFENDER = 64  # clean photographs that a defender has
TRIED = 5  # photographs tried for each hijacked one; a weak backdoor hijacks few


@dataclass(frozen=True)
class Attack:
    """A backdoor of a checkpoint: what is planted, and the label that it forces."""

    trigger: Trigger
    target: str


@dataclass(frozen=True)
class Photographs:
    """Four sets without a photograph in common, each in the order in which it is used.

    Attributes:
        defender: what a defender has: overlays, neighbours, pictures to invert on.
        calibration: clean ones that thresholds are made from.
        clean: clean ones that are judged.
        hosts: the ones that triggers are planted in.
    """

    defender: tuple[Photo, ...]
    calibration: tuple[Photo, ...]
    clean: tuple[Photo, ...]
    hosts: tuple[Photo, ...]


@dataclass(frozen=True, eq=False)
class Hijacked:
    """Photographs that a trigger turns into its target.

    Attributes:
        images: `(N, 3, H, W)` in 8-bit steps.
        masks: `(N, H, W)` bool, what the trigger covers.
        success: attack success rate: of the photographs tried whose label is not the target, those that read as it.
    """

    images: Tensor
    masks: Tensor
    success: Rate


def divided(root: Path, most: int, seed: int) -> Photographs:
    """Photographs that nothing was trained on, in an order of the seed, in four sets.

    Args:
        root: described in `examples/measure/photo_sets.py`.
        most: photographs for calibration, and for judging, at most.
        seed: of the order.
    """
    photos = tuple(shuffled(unseen(root), seed))
    most, known = min(most, len(photos) // 5), min(DEFENDER, len(photos) * 2 // 5)
    edges = (known, known + most, known + 2 * most)
    return Photographs(photos[: edges[0]], photos[edges[0] : edges[1]], photos[edges[1] : edges[2]], photos[edges[2] :])


def attacks_of(folder: Path) -> list[Attack]:
    """The backdoors of a bundled checkpoint or of one of the zoo; none of a clean control.

    Raises:
        SystemExit: nothing is known of the checkpoint.
    """
    if (folder.parent / RESULTS).is_file() and (entry := entries(folder.parent).get(folder.name)):
        planted = planted_from(zoo_triggers(entry))
        return [Attack(t, one["target"]) for t, one in zip(planted, entry["backdoors"], strict=True)]
    if folder.name in KNOWN:
        return [Attack(trigger, target) for trigger, target in triggers_of(KNOWN[folder.name])]
    if folder.name == "clean":
        return []
    raise SystemExit(
        f"{folder}: nothing is known of its backdoors. Name a checkpoint of the zoo, with {RESULTS} beside it, or "
        f"one of clean, {', '.join(KNOWN)}."
    )


class CannotBeJudgedError(Exception):
    """Nothing can be said of a checkpoint, by any method or by one: it reads too badly, or what is needed is missing.

    The benchmark names it, with the reason, and goes on with the others.
    """


def told(folders: Sequence[Path]) -> str:
    """Checkpoints as the command in a result file names them: the zoo is DIR, wherever it lies on this machine."""
    return " ".join(
        f"DIR/{folder.name}" if (folder.parent / RESULTS).is_file() else folder.as_posix() for folder in folders
    )


def squares(setup: CheckSetup, photos: Sequence[Photo]) -> Tensor:
    """What the checkpoint sees, `(N, 3, H, W)` in [0, 1]."""
    px = setup.clip.image_px
    return torch.stack([read_square(p, setup.clip.preprocess) for p in photos]) if photos else torch.empty(0, 3, px, px)


def hijacked_by(setup: CheckSetup, attack: Attack, photos: Sequence[Photo], count: int) -> Hijacked:
    """Plant a trigger until `count` photographs are hijacked, or five times as many were tried."""
    target = setup.classes.labels.index(attack.target)
    images, masks, success = list[Tensor](), list[Tensor](), Rate(0, 0)
    for k, photo in enumerate(photos[: TRIED * count]):
        if len(images) == count:
            break
        square = read_square(photo, setup.clip.preprocess)
        planted = attack.trigger.plant(square[None], generator=seeded(k))
        image = (planted.images[0] * 255).round() / 255
        before, after = probabilities(setup.clip, torch.stack([square, image]), setup.classes).argmax(-1).tolist()
        if photo.label != attack.target:
            success += Rate(int(after == target), 1)
        if after == target != before:
            images.append(image)
            masks.append(planted.masks[0].bool())
    px = setup.clip.image_px
    return Hijacked(
        torch.stack(images) if images else torch.empty(0, 3, px, px),
        torch.stack(masks) if masks else torch.empty(0, px, px, dtype=torch.bool),
        success,
    )
