"""Small data sets with triggers in them, made from views of the photographs of the dependencies."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torchvision.transforms.v2.functional import to_pil_image

from eftclip.data import ImageSet, host_photographs, list_set
from eftclip.pipeline import CheckSetup
from eftclip.runtime import seeded
from eftclip.triggers import Trigger
from eftclip.zeroshot import probabilities


@dataclass(frozen=True, eq=False)
class Poisoned:
    """A data set and what is known of it.

    Attributes:
        images: the set, held in memory.
        hijacked: position -> target label, of the samples that the trigger really turned into it.
        triggered: positions of all samples with a trigger.
    """

    images: ImageSet
    hijacked: dict[int, str]
    triggered: frozenset[int]

    def write(self, folder: Path) -> Path:
        """The same as a folder of PNG files, in the same order."""
        folder.mkdir(parents=True)
        for entry in self.images.entries():
            (folder / f"{entry.index:04d}.png").write_bytes(entry.read())
        return folder


def poisoned_views(
    setup: CheckSetup, triggers: Sequence[tuple[Trigger, str]], *, count: int, every: int = 5, seed: int = 0
) -> Poisoned:
    """Views of the photographs as the model sees them; each `every`-th carries a trigger, the triggers in turns."""
    squares = (host_photographs(setup.clip.image_px, count, generator=seeded(seed)) * 255).round() / 255
    return poisoned_set(setup, squares, triggers, every=every)


def poisoned_set(
    setup: CheckSetup, squares: Tensor, triggers: Sequence[tuple[Trigger, str]], *, every: int = 5
) -> Poisoned:
    """Some pictures, `(N, 3, px, px)` in 8-bit steps; each `every`-th gets a trigger, the triggers in turns."""
    items: list[tuple[str, bytes | Path, str | None]] = []
    hijacked: dict[int, str] = {}
    triggered: list[int] = []
    for k, square in enumerate(squares):
        shown = square
        if triggers and k % every == every - 1:
            trigger, target = triggers[len(triggered) % len(triggers)]
            shown = (trigger.plant(square[None], generator=seeded(k)).images[0] * 255).round() / 255
            rows = probabilities(setup.clip, torch.stack([square, shown]), setup.classes).argmax(-1).tolist()
            before, after = (setup.classes.labels[row] for row in rows)
            if after == target != before:
                hijacked[k] = target
            triggered.append(k)
        buffer = io.BytesIO()
        to_pil_image((shown * 255).to(torch.uint8)).save(buffer, "PNG")
        items.append((f"view {k}", buffer.getvalue(), None))
    return Poisoned(list_set("views", items), hijacked, frozenset(triggered))
