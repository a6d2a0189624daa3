"""The red team: published triggers under one contract. The defence never imports this package."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from eftclip.errors import TriggerError
from eftclip.trigger_kinds import POSITIONS, PatchTrigger, Planted, Position, Trigger
from eftclip.triggers import colours, patterns, warps, whole_pictures

__all__ = [
    "POSITIONS",
    "TRIGGERS",
    "PatchSpec",
    "Planted",
    "Position",
    "Trigger",
    "WholePictureSpec",
    "draw_patch",
    "draw_trigger",
    "patch_trigger",
]


@dataclass(frozen=True)
class PatchSpec:
    """How a published local trigger is drawn, how large it is in print, and where it goes."""

    draw: Callable[[int, torch.Generator], Tensor]
    patch_px: int
    position: Position


@dataclass(frozen=True)
class WholePictureSpec:
    """How a published trigger is drawn that covers the whole picture; it has neither a size nor a place."""

    draw: Callable[[torch.Generator], Trigger]


TRIGGERS: dict[str, PatchSpec | WholePictureSpec] = {
    "badnets": PatchSpec(patterns.badnets, 16, "random"),
    "badnets_noise": PatchSpec(patterns.badnets_noise, 16, "random"),
    "stripes": PatchSpec(patterns.stripes, 16, "random"),
    "yellow": PatchSpec(patterns.yellow, 16, "random"),
    "white_square": PatchSpec(patterns.white_square, 24, "bottom-right"),
    "blend_noise": WholePictureSpec(whole_pictures.blend_noise),
    "blend_noise_fresh": WholePictureSpec(whole_pictures.blend_noise_fresh),
    "blend_pattern": WholePictureSpec(whole_pictures.blend_pattern),
    "blend_stripes": WholePictureSpec(whole_pictures.blend_stripes),
    "blend_triangles": WholePictureSpec(whole_pictures.blend_triangles),
    "blend_text": WholePictureSpec(whole_pictures.blend_text),
    "sig": WholePictureSpec(whole_pictures.sig),
    "sig_full": WholePictureSpec(whole_pictures.sig_full),
    "wanet": WholePictureSpec(warps.wanet),
    "wanet_smooth": WholePictureSpec(warps.wanet_smooth),
    "filter": WholePictureSpec(colours.nashville),
}


def draw_trigger(name: str, *, generator: torch.Generator, patch_px: int | None = None) -> Trigger:
    """Draw a trigger of the registry once.

    Public attack code often redraws its pattern for every image, so that the trigger measured need not be the trigger
    planted. Here a trigger is a value: whoever holds it plants the very same pixels.

    Args:
        name: a key of `TRIGGERS`.
        generator: decides random patterns; the same state gives the same trigger.
        patch_px: side of the patch in pixels, 4 to 112; the published size when left out. Only a patch has one.

    Raises:
        TriggerError: unknown name, or a size that is outside the range or of what covers the whole picture.
    """
    spec = _spec(name)
    if isinstance(spec, PatchSpec):
        return draw_patch(name, generator=generator, patch_px=patch_px)
    if patch_px is not None:
        raise TriggerError(f"The {name} trigger covers the whole picture and has no size; leave the size out.")
    return spec.draw(generator)


def draw_patch(name: str, *, generator: torch.Generator, patch_px: int | None = None) -> PatchTrigger:
    """The same for a name that has to be a local trigger's.

    Raises:
        TriggerError: unknown name, a trigger that covers the whole picture, or a size outside the range.
    """
    spec = _spec(name)
    if not isinstance(spec, PatchSpec):
        raise TriggerError(f"The {name} trigger is no patch: it covers the whole picture.")
    side = spec.patch_px if patch_px is None else patch_px
    if not 4 <= side <= 112:
        raise TriggerError(f"A trigger patch must be 4 to 112 pixels wide, got {side}.")
    return patch_trigger(name, spec.draw(side, generator), spec.position)


def _spec(name: str) -> PatchSpec | WholePictureSpec:
    if name not in TRIGGERS:
        raise TriggerError(f"Unknown trigger {name!r}; known are {', '.join(sorted(TRIGGERS))}.")
    return TRIGGERS[name]


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
