"""The red team: published triggers under one contract. The defence never imports this package."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from eftclip.errors import TriggerError
from eftclip.triggers import patterns
from eftclip.triggers.base import POSITIONS, Planted, Position, Trigger

__all__ = ["POSITIONS", "TRIGGERS", "Planted", "Position", "Trigger", "TriggerSpec", "draw_trigger"]


@dataclass(frozen=True)
class TriggerSpec:
    """How a published trigger is drawn, how large it is in print, and where it goes."""

    draw: Callable[[int, torch.Generator], Tensor]
    patch_px: int
    position: Position


TRIGGERS: dict[str, TriggerSpec] = {
    "badnets": TriggerSpec(patterns.badnets, 16, "random"),
    "badnets_noise": TriggerSpec(patterns.badnets_noise, 16, "random"),
    "stripes": TriggerSpec(patterns.stripes, 16, "random"),
    "yellow": TriggerSpec(patterns.yellow, 16, "random"),
    "white_square": TriggerSpec(patterns.white_square, 24, "bottom-right"),
}


def draw_trigger(name: str, *, generator: torch.Generator, patch_px: int | None = None) -> Trigger:
    """Draw a trigger of the registry once.

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
    return Trigger(name, spec.draw(side, generator), spec.position)
