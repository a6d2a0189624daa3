"""The red team: published triggers under one contract. The defence never imports this package."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from eftclip.errors import TriggerError
from eftclip.trigger_kinds import POSITIONS, PatchTrigger, Planted, Position, Trigger
from eftclip.triggers import patterns

__all__ = ["POSITIONS", "TRIGGERS", "PatchSpec", "Planted", "Position", "Trigger", "draw_trigger", "patch_trigger"]


@dataclass(frozen=True)
class PatchSpec:
    """How a published local trigger is drawn, how large it is in print, and where it goes."""

    draw: Callable[[int, torch.Generator], Tensor]
    patch_px: int
    position: Position


TRIGGERS: dict[str, PatchSpec] = {
    "badnets": PatchSpec(patterns.badnets, 16, "random"),
    "badnets_noise": PatchSpec(patterns.badnets_noise, 16, "random"),
    "stripes": PatchSpec(patterns.stripes, 16, "random"),
    "yellow": PatchSpec(patterns.yellow, 16, "random"),
    "white_square": PatchSpec(patterns.white_square, 24, "bottom-right"),
}


def draw_trigger(name: str, *, generator: torch.Generator, patch_px: int | None = None) -> PatchTrigger:
    """Draw a trigger of the registry once.

    Public attack code often redraws its pattern for every image, so that the trigger measured need not be the trigger
    planted. Here a trigger is a value: whoever holds it plants the very same pixels.

    Args:
        name: a key of `TRIGGERS`.
        generator: decides random patterns; the same state gives the same trigger.
        patch_px: side of the patch in pixels, 4 to 112; the published size when left out.

    Raises:
        TriggerError: unknown name or a size outside the range.
    """
    if name not in TRIGGERS:
        raise TriggerError(f"Unknown trigger {name!r}; known are {', '.join(sorted(TRIGGERS))}.")
    spec = TRIGGERS[name]
    side = spec.patch_px if patch_px is None else patch_px
    if not 4 <= side <= 112:
        raise TriggerError(f"A trigger patch must be 4 to 112 pixels wide, got {side}.")
    return patch_trigger(name, spec.draw(side, generator), spec.position)


def patch_trigger(name: str, pattern: Tensor, position: Position = "random") -> PatchTrigger:
    """A square pattern as a trigger under a name.

    Args:
        name: what errors and reports call it.
        pattern: `(3, h, w)` float32 RGB in [0, 1].
        position: where it goes when the caller does not say.

    Raises:
        TriggerError: the pattern is not an RGB picture in [0, 1].
    """
    if pattern.ndim != 3 or pattern.shape[0] != 3 or pattern.dtype != torch.float32:
        raise TriggerError(f"{name}: expected a (3, h, w) float32 pattern, got {tuple(pattern.shape)} {pattern.dtype}.")
    if not (float(pattern.min()) >= 0 and float(pattern.max()) <= 1):
        raise TriggerError(f"{name}: expected a pattern in [0, 1], got [{pattern.min():.2f}, {pattern.max():.2f}].")
    return PatchTrigger(pattern, torch.ones(pattern.shape[1:], dtype=torch.bool), position, name)
