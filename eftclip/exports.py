"""Results as files that other tools read; the command line and the page write the same ones."""

import csv
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from eftclip.trigger_kinds import Trigger
from eftclip.types import CuratedSet


def write_curated(curated: CuratedSet, folder: Path) -> None:
    """Export a fine-tuning set: pictures as the model sees them, and `metadata.csv`, which any tool can read."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "metadata.csv").open("w", newline="", encoding="utf-8", errors="replace") as stream:
        table = csv.writer(stream)
        table.writerow(["file_name", "label", "role", "reason", "source", "index"])
        for k, item in enumerate(curated.items):
            name = f"{k:04d}_{item.role}.png"
            Image.fromarray(_to_array(item.image)).save(folder / name)
            table.writerow(
                [name, item.label, item.role, item.reason, item.name, "" if item.index is None else item.index]
            )


def trigger_image(trigger: Trigger) -> NDArray[np.uint8]:
    """What a person is shown of a trigger, `(h, w, 4)` uint8 RGBA; a patch is transparent where it is not."""
    return _to_array(trigger.preview())


def _to_array(image: Tensor) -> NDArray[np.uint8]:
    return np.ascontiguousarray((image * 255).round().to(torch.uint8).permute(1, 2, 0).numpy())
