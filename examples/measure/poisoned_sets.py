"""The triggers of the checkpoints that `examples/build/checkpoints.py` poisons, and data sets with them in it."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torchvision.transforms.v2.functional import to_pil_image

from eftclip.data import ImageSet, list_set
from eftclip.pipeline import CheckSetup
from eftclip.runtime import seeded
from eftclip.triggers import Trigger, draw_trigger
from eftclip.zeroshot import probabilities
from examples.build.checkpoints import ATTACKS, EXTRA_ATTACKS, Attack
from examples.measure.photo_sets import Photo, read_square

KNOWN = {**ATTACKS, **EXTRA_ATTACKS}
EVERY = 10


@dataclass(frozen=True, eq=False)
class Poisoned:
    """A data set with triggers in it, and what is known of them.

    Attributes:
        images: the set.
        hijacked: position -> the target label, of the samples that the trigger really turned into it.
        triggered: positions of all samples with a trigger.
    """

    images: ImageSet
    hijacked: dict[int, str]
    triggered: frozenset[int]


def shuffled(photos: Sequence[Photo], seed: int = 0) -> list[Photo]:
    """The same order every time."""
    return [photos[k] for k in torch.randperm(len(photos), generator=seeded(seed)).tolist()]


def triggers_of(attacks: Sequence[Attack]) -> list[tuple[Trigger, str]]:
    """As `examples/build/checkpoints.py` drew them: one generator for all."""
    generator = seeded(0)
    return [(draw_trigger(kind, generator=generator, patch_px=px), to) for kind, to, px in attacks]


def poisoned_set(
    setup: CheckSetup, photos: Sequence[Photo], triggers: Sequence[tuple[Trigger, str]], every: int = EVERY
) -> Poisoned:
    """Photographs as the model sees them, every tenth one with a trigger, the triggers in turns."""
    items: list[tuple[str, bytes | Path, str | None]] = []
    hijacked: dict[int, str] = {}
    triggered: list[int] = []
    for k, photo in enumerate(photos):
        square = read_square(photo, setup.clip.preprocess)
        if triggers and k % every == every // 3:
            trigger, target = triggers[len(triggered) % len(triggers)]
            planted = (trigger.plant(square[None], generator=seeded(k)).images[0] * 255).round() / 255
            rows = probabilities(setup.clip, torch.stack([square, planted]), setup.classes).argmax(-1).tolist()
            before, after = (setup.classes.labels[row] for row in rows)
            if after == target != before:
                hijacked[k] = target
            triggered.append(k)
            square = planted
        items.append((photo.name, png(square), photo.label))
    return Poisoned(list_set("unseen photographs", items), hijacked, frozenset(triggered))


def png(square: Tensor) -> bytes:
    """A picture file, without loss."""
    buffer = io.BytesIO()
    to_pil_image((square * 255).round().to(torch.uint8)).save(buffer, "PNG")
    return buffer.getvalue()
