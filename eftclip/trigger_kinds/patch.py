"""The first kind of trigger: a part of a picture, opaque along its mask, that is pasted into others."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from eftclip.errors import TriggerError
from eftclip.inpaint import remove
from eftclip.trigger_kinds.base import Located, Position, Trigger, box_of
from eftclip.trigger_kinds.matching import MATCH_RMS, best_place
from eftclip.trigger_kinds.png import from_png, to_png

NUDGE_PX = 8
SCALE, OPACITY = (0.8, 1.25), (0.5, 1.0)  # of a varied patch: what was cut out may be a little off
# A checker that was cut out too large holds the planted one with a difference of 0.16; parts of photographs that act
# like a checker differ by 0.42 or more from it.
HELD_RMS = 0.25
LOOSE_PX = 2  # how far a trigger with a place of its own may be off
Place = tuple[int, int] | Position


@dataclass(frozen=True, eq=False)
class PatchTrigger(Trigger):
    """A local trigger: some pixels that replace those of the picture.

    Attributes:
        pixels: `(3, h, w)` float32 RGB in [0, 1].
        mask: `(h, w)` bool, true where the trigger is; the box is tight around it.
        place: where it goes: `random`, one of the named positions, or (x, y) pixels of its top-left corner in what the
            model sees, for a trigger that was found to work only there.
        name: of a published trigger; empty for one that was found.
    """

    pixels: Tensor
    mask: Tensor
    place: Place = "random"
    name: str = ""
    kind: ClassVar[str] = "patch"

    def __post_init__(self) -> None:
        """Refuse pixels and a mask that do not belong together."""
        if self.pixels.ndim != 3 or self.pixels.shape[0] != 3 or self.pixels.shape[1:] != self.mask.shape:
            raise ValueError(
                f"expected (3, h, w) pixels with an (h, w) mask, got {tuple(self.pixels.shape)} and "
                f"{tuple(self.mask.shape)}"
            )
        if not self.mask.any():
            raise ValueError("a patch needs at least one pixel")

    @property
    def in_place(self) -> bool:
        """Whether it works at one place of the picture only."""
        return self.place != "random"

    @property
    def area_px(self) -> int:
        """Pixels that it replaces."""
        return int(self.mask.sum())

    def at(self, position: Position) -> "PatchTrigger":
        """The same patch at another position."""
        return replace(self, place=position)

    def _plant(self, image: Tensor, generator: torch.Generator, varied: bool) -> tuple[Tensor, Tensor]:
        patch, share, out = self._fitting(image), 1.0, image.clone()
        if varied:
            patch = resized(self, _between(SCALE, generator))
            if patch.in_place:
                own = self.place if isinstance(self.place, tuple) else patch._fitting(image)._corner(image, generator)
                patch = replace(patch, place=_nudged(own, generator))
            share = _between(OPACITY, generator)
            patch = patch._fitting(image)
        x, y = patch._corner(image, generator)
        paste(out, patch, x, y, share)
        mask = torch.zeros(image.shape[-2:], dtype=torch.bool)
        mask[y : y + patch.mask.shape[0], x : x + patch.mask.shape[1]] = patch.mask
        return out, mask

    def _fitting(self, image: Tensor) -> "PatchTrigger":
        """The patch, made smaller where it is larger than the picture; a published one would be another trigger then.

        Raises:
            TriggerError: a published trigger does not fit.
        """
        (height, width), (rows, columns) = self.mask.shape, image.shape[-2:]
        factor = min(1.0, rows / height, columns / width)
        if factor == 1.0:
            return self
        if self.name:
            raise TriggerError(
                f"The {self.name} trigger is {width} × {height} pixels and does not fit into an image of "
                f"{columns} × {rows}; use a larger image."
            )
        return resized(self, factor)

    def _corner(self, image: Tensor, generator: torch.Generator) -> tuple[int, int]:
        """(x, y) of the top-left pixel in a picture that it fits into; moved in where it would stick out."""
        height, width = self.mask.shape
        room_x, room_y = image.shape[-1] - width, image.shape[-2] - height
        if isinstance(self.place, tuple):
            return min(self.place[0], room_x), min(self.place[1], room_y)
        if self.place == "random":
            x = int(torch.randint(room_x + 1, (), generator=generator))
            return x, int(torch.randint(room_y + 1, (), generator=generator))
        corners = {"top-left": (0, 0), "bottom-right": (room_x, room_y), "centre": (room_x // 2, room_y // 2)}
        return corners[self.place]

    def locate(self, image: Tensor) -> Located | None:
        """The place that looks most like it; near its own place only, where it works nowhere else."""
        (rows, columns), (height, width) = image.shape[-2:], self.mask.shape
        top, left, near = 0, 0, image
        if self.in_place and height <= rows and width <= columns:
            x, y = self._corner(image, torch.Generator())  # draws nothing: the place is known
            top, left = max(0, y - LOOSE_PX), max(0, x - LOOSE_PX)
            near = image[:, top : y + height + LOOSE_PX, left : x + width + LOOSE_PX]
        error, found = best_place(near, self.pixels, self.mask)
        if error > MATCH_RMS:
            return None
        mask = torch.zeros(rows, columns, dtype=torch.bool)
        mask[top : top + found.shape[0], left : left + found.shape[1]] = found
        return Located(error, mask)

    def remove(self, image: Tensor, mask: Tensor) -> Tensor:
        """The picture with the masked pixels and a narrow rim filled from their surroundings."""
        return remove(image, mask)

    def distance(self, other: Trigger) -> float:
        """Root mean square difference of two appearances."""
        if not isinstance(other, PatchTrigger):
            return float("inf")
        return float((self.appearance - other.appearance).square().mean().sqrt())

    @cached_property
    def appearance(self) -> Tensor:
        """How it looks, whatever its exact pixels: `(12,)` float32, in units of intensity.

        Mean and spread of each channel, and how much neighbours differ across and down, all inside the mask. Unlike a
        comparison pixel by pixel it bears a mask that is a little off, and triggers that are drawn anew for every
        picture.
        """
        pixels, mask = self.pixels, self.mask
        inside = pixels[:, mask]
        across = (pixels[:, :, 1:] - pixels[:, :, :-1]).abs()[:, mask[:, 1:] & mask[:, :-1]]
        down = (pixels[:, 1:] - pixels[:, :-1]).abs()[:, mask[1:] & mask[:-1]]
        spread = inside.std(1, unbiased=False)
        return torch.cat([inside.mean(1), spread, _mean(across), _mean(down)])

    def shows(self, other: Trigger) -> bool:
        """Whether a part of this one looks like the whole of the other."""
        return isinstance(other, PatchTrigger) and best_place(self.pixels, other.pixels, other.mask)[0] <= HELD_RMS

    def preview(self) -> Tensor:
        """Its pixels, transparent where it is not."""
        return torch.cat([self.pixels, self.mask[None].float()])

    def beside(self, image: Tensor) -> None:
        """Nothing: it is outlined in the picture."""

    def fingerprint(self) -> bytes:
        """Pixels, mask and place."""
        return self.pixels.numpy().tobytes() + self.mask.numpy().tobytes() + repr(self.place).encode()

    def to_dict(self) -> dict[str, Any]:
        """Pixels and mask as PNG; exact for what was seen through 8-bit pictures."""
        return {
            "kind": self.kind,
            "pixels": to_png(self.pixels),
            "mask": to_png(self.mask[None].float()),
            "place": list(self.place) if isinstance(self.place, tuple) else self.place,
            "name": self.name,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The opposite of `to_dict`."""
        place = tuple(values["place"]) if isinstance(values["place"], list) else values["place"]
        return cls(from_png(values["pixels"]), from_png(values["mask"])[0] > 0.5, place, values["name"])


def cut(image: Tensor, mask: Tensor, *, in_place: bool = False) -> PatchTrigger:
    """Cut the masked part, `(H, W)` bool and not empty, out of a `(3, H, W)` picture.

    Args:
        image: the picture.
        mask: the part.
        in_place: the part has to stay where it is.
    """
    x0, y0, x1, y1 = box_of(mask)
    pixels, shape = image[:, y0:y1, x0:x1].clone(), mask[y0:y1, x0:x1].clone()
    return PatchTrigger(pixels, shape, (x0, y0) if in_place else "random")


def paste(image: Tensor, patch: PatchTrigger, x: int, y: int, opacity: float = 1.0) -> None:
    """Paste a patch into a `(3, H, W)` picture, in place; `x`, `y` is its top-left pixel and all of it must fit."""
    height, width = patch.mask.shape
    place = image[:, y : y + height, x : x + width]
    pixels = patch.pixels.to(image)
    pixels = pixels if opacity == 1.0 else opacity * pixels + (1 - opacity) * place
    place.copy_(torch.where(patch.mask.to(image.device), pixels, place))


def resized(patch: PatchTrigger, factor: float) -> PatchTrigger:
    """The patch made larger or smaller; at least 2 pixels wide and high, and never emptied."""
    height, width = (max(2, round(side * factor)) for side in patch.mask.shape)
    pixels = F.interpolate(patch.pixels[None], (height, width), mode="bilinear", align_corners=False, antialias=True)
    mask = F.interpolate(patch.mask[None, None].float(), (height, width), mode="nearest-exact")[0, 0] > 0
    return PatchTrigger(pixels[0].clamp(0, 1), mask if mask.any() else torch.ones_like(mask), patch.place)


def _mean(differences: Tensor) -> Tensor:
    """The mean of `(3, n)` over n; 0 where a patch is one pixel wide and has no neighbours."""
    return differences.mean(1) if differences.shape[1] else torch.zeros(3)


def _nudged(place: tuple[int, int], generator: torch.Generator) -> tuple[int, int]:
    """A little beside the place."""
    dx, dy = (torch.randint(2 * NUDGE_PX + 1, (2,), generator=generator) - NUDGE_PX).tolist()
    return max(0, place[0] + dx), max(0, place[1] + dy)


def _between(bounds: tuple[float, float], generator: torch.Generator) -> float:
    low, high = bounds
    return low + (high - low) * float(torch.rand((), generator=generator))
