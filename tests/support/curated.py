"""A curated set and a trigger family for the tiny CLIP."""

import torch

from eftclip.data import host_photographs
from eftclip.rectify import METHODS
from eftclip.runtime import seeded
from eftclip.trigger_kinds import PatchTrigger
from eftclip.triggers import draw_patch
from eftclip.types import ClipModel, CuratedItem, CuratedSet, Rate, TriggerFamily


def fewest(method: str) -> str:
    """A method's own numbers with which it does no more before the first step than it must."""
    own = METHODS[method].own
    return ",".join(f"{number}={own[number].low:g}" for number in own if number.endswith("steps"))


def family(label: str = "banana", name: str = "badnets", px: int = 8) -> TriggerFamily:
    pattern = draw_patch(name, generator=seeded(0), patch_px=px).pixels
    return TriggerFamily(label, (PatchTrigger(pattern, torch.ones(px, px, dtype=torch.bool)),), Rate(8, 8))


def curated_of(clip: ClipModel, count: int = 12) -> CuratedSet:
    """Views of the bundled photographs; the first three are victims."""
    pictures = host_photographs(clip.image_px, count, generator=seeded(0))
    poisoned = draw_patch("badnets", generator=seeded(0), patch_px=8).plant(pictures, generator=seeded(1)).images
    labels = ("cat", "dog", "pizza")
    return CuratedSet(
        tuple(
            CuratedItem(f"{k}", k, "victim", "It is one.", labels[k % 3], picture, poisoned[k])
            if k < 3
            else CuratedItem(f"{k}", k, "control", "It is not.", labels[k % 3], picture)
            for k, picture in enumerate(pictures)
        ),
        64,
        "bundled",
    )
