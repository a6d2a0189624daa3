"""The contract of a trigger: a pattern drawn once, planted the same way for ever.

Public attack code often redraws its pattern for every image, so that the trigger measured need not be the
trigger planted. Here a trigger is a value: whoever holds it plants the very same pixels.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from eftclip.errors import TriggerError

Position = Literal["random", "top-left", "bottom-right", "centre"]
POSITIONS: tuple[Position, ...] = get_args(Position)


@dataclass(frozen=True, eq=False)
class Planted:
    """Triggered copies and where the trigger is.

    Attributes:
        images: `(N, 3, H, W)` float32 RGB in [0, 1].
        boxes: one XYXY box in pixels per image; x1 and y1 are exclusive.
    """

    images: Tensor
    boxes: tuple[tuple[int, int, int, int], ...]

    @property
    def masks(self) -> Tensor:
        """`(N, H, W)` bool, true on the pixels that the trigger covers."""
        masks = torch.zeros(len(self.boxes), *self.images.shape[-2:], dtype=torch.bool)
        for mask, (x0, y0, x1, y1) in zip(masks, self.boxes, strict=True):
            mask[y0:y1, x0:x1] = True
        return masks


@dataclass(frozen=True, eq=False)
class Trigger:
    """A local trigger: a small opaque pattern.

    Attributes:
        name: its name in the registry.
        pattern: `(3, h, w)` float32 RGB in [0, 1].
        position: where it goes when the caller does not say.
    """

    name: str
    pattern: Tensor
    position: Position = "random"

    def __post_init__(self) -> None:
        """Refuse a pattern that is not an RGB picture in [0, 1]."""
        p = self.pattern
        if p.ndim != 3 or p.shape[0] != 3 or p.dtype != torch.float32:
            raise TriggerError(f"{self.name}: expected a (3, h, w) float32 pattern, got {tuple(p.shape)} {p.dtype}.")
        if not (float(p.min()) >= 0 and float(p.max()) <= 1):
            raise TriggerError(f"{self.name}: expected a pattern in [0, 1], got [{p.min():.2f}, {p.max():.2f}].")

    def plant(self, images: Tensor, *, generator: torch.Generator, position: Position | None = None) -> Planted:
        """Paste the pattern into copies of `images`.

        Args:
            images: `(N, 3, H, W)` float32 RGB in [0, 1]; not changed.
            generator: draws the places when the position is `random`.
            position: one of `POSITIONS`; the trigger's own when left out.

        Raises:
            TriggerError: these are no images, they are smaller than the pattern, or the position is unknown.
        """
        if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point():
            raise TriggerError(f"Expected (N, 3, H, W) float images, got {tuple(images.shape)} {images.dtype}.")
        place = position or self.position
        if place not in POSITIONS:
            raise TriggerError(f"Unknown position {place!r}; choose one of {', '.join(POSITIONS)}.")
        height, width = self.pattern.shape[-2:]
        room_y, room_x = images.shape[-2] - height, images.shape[-1] - width
        if min(room_x, room_y) < 0:
            raise TriggerError(
                f"The {self.name} trigger is {width} × {height} pixels and does not fit into an image of "
                f"{images.shape[-1]} × {images.shape[-2]}; use a larger image."
            )
        out, boxes = images.clone(), []
        for image in out:
            x, y = _corner(place, room_x, room_y, generator)
            image[:, y : y + height, x : x + width] = self.pattern.to(image)
            boxes.append((x, y, x + width, y + height))
        return Planted(out, tuple(boxes))


def _corner(place: Position, room_x: int, room_y: int, generator: torch.Generator) -> tuple[int, int]:
    """Top-left pixel of the pattern, given how far it can be moved."""
    if place == "random":
        x = int(torch.randint(room_x + 1, (), generator=generator))
        return x, int(torch.randint(room_y + 1, (), generator=generator))
    fixed = {"top-left": (0, 0), "bottom-right": (room_x, room_y), "centre": (room_x // 2, room_y // 2)}
    return fixed[place]
