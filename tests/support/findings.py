"""Findings made by hand, for what comes after the search of a picture."""

import torch
from torch import Tensor

from eftclip.runtime import seeded
from eftclip.trigger_kinds import PatchTrigger
from eftclip.triggers import TRIGGERS, PatchSpec, draw_patch
from eftclip.types import Finding, Rate

PX = 64
PATCHES = [name for name, spec in TRIGGERS.items() if isinstance(spec, PatchSpec)]


def a_patch(name: str = "badnets", patch_px: int = 16, *, seed: int = 0) -> PatchTrigger:
    pattern = draw_patch(name, generator=seeded(seed), patch_px=patch_px).pixels
    return PatchTrigger(pattern, torch.ones(pattern.shape[1:], dtype=torch.bool))


def a_finding(index: int, patch: PatchTrigger, label: str = "banana", control: Rate | None = None) -> Finding:
    return Finding(index, f"{index}.png", label, "cat", (patch,), (0, 0, 8, 8), Rate(8, 8), control, "It does.")


def some_noise(seed: int = 0, px: int = PX) -> Tensor:
    return torch.rand(3, px, px, generator=seeded(seed))
