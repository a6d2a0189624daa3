"""The fourth kind of trigger: a change of all colours, such as a filter of a photograph app makes."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from eftclip.trigger_kinds.base import Located, Trigger
from eftclip.trigger_kinds.colour_drawing import curves_drawn
from eftclip.trigger_kinds.pattern import drawn_strength
from eftclip.trigger_kinds.tones import LEVELS, toned, turned_round

STEPS = 256  # of 1, in which a mixture is kept
MOST_MIXED = 4.0
AREA_PX = 224 * 224  # it has no size of its own; this is the square that most checkpoints see
# Root mean square by which a picture may miss the colours that come out of a filter. 40 photographs under the filter of
# the registry missed them by less than 0.001, after JPEG at quality 75 by less than 0.01; without it by 0.014 to 0.19.
MISSED = 0.012
SAMPLED = 6  # levels of each channel, for comparing


@dataclass(frozen=True, eq=False)
class ColourTrigger(Trigger):
    """A global trigger: the channels of each pixel are mixed, and each goes through a tone curve of its own.

    Attributes:
        curves: `(3, 256)` float32 in [0, 1], in steps of 1/255: what becomes of the levels of red, green and blue;
            straight lines in between. They never fall, so that they can be undone.
        mix: `(3, 3)` float32 in steps of 1/256, done first: a row for each new channel, a column for each old one; the
            identity for a filter of curves alone.
        name: of a published trigger; empty for one that was found.
    """

    curves: Tensor
    mix: Tensor
    name: str = ""
    kind: ClassVar[str] = "colour"

    def __post_init__(self) -> None:
        """Refuse what are no curves and no mixture, and what changes nothing."""
        if self.curves.shape != (3, LEVELS) or self.mix.shape != (3, 3):
            raise ValueError(
                f"expected (3, {LEVELS}) curves and a (3, 3) mixture, got {tuple(self.curves.shape)} and "
                f"{tuple(self.mix.shape)}"
            )
        if not bool(((self.curves >= 0) & (self.curves <= 1)).all()) or bool((self.curves.diff(dim=1) < 0).any()):
            raise ValueError("tone curves lie in [0, 1] and never fall")
        if not bool((self.mix.abs() <= MOST_MIXED).all()) or not float(torch.linalg.det(self.mix).abs()) > 1 / STEPS:
            raise ValueError(f"a mixture has shares of -{MOST_MIXED:.0f} to {MOST_MIXED:.0f} and keeps colours apart")
        if not self._effect.any():
            raise ValueError("a change of colours has to change something")

    @property
    def area_px(self) -> int:
        """Pixels that it changes in a square of 224 pixels."""
        return AREA_PX

    def _plant(self, image: Tensor, generator: torch.Generator, varied: bool) -> tuple[Tensor, Tensor]:
        strength = drawn_strength(generator) if varied else 1.0
        return image + strength * (self._changed(image) - image), torch.ones(image.shape[-2:], dtype=torch.bool)

    def _changed(self, image: Tensor) -> Tensor:
        """A `(3, ...)` picture in other colours."""
        pixels = self.mix.to(image) @ image.flatten(1)
        return toned(pixels, self.curves.to(image)).view_as(image)

    def _restored(self, image: Tensor) -> Tensor:
        """A `(3, ...)` picture in the colours it had, as far as they can be told."""
        pixels = toned(image.flatten(1), turned_round(self.curves).to(image))
        return (torch.linalg.inv(self.mix).to(image) @ pixels).clamp(0, 1).view_as(image)

    def locate(self, image: Tensor) -> Located | None:
        """Whether all its colours can come out of this filter: then undoing it and doing it again changes nothing.

        A picture without deep blacks and strong colours may look like it by chance; reading it again decides.
        """
        error = float((self._changed(self._restored(image)) - image).square().mean().sqrt())
        return Located(error, torch.ones(image.shape[-2:], dtype=torch.bool)) if error <= MISSED else None

    def remove(self, image: Tensor, mask: Tensor) -> Tensor:
        """The picture in the colours it had."""
        return torch.where(mask, self._restored(image), image)

    @cached_property
    def _effect(self) -> Tensor:
        """By how much it changes colours from all over, `(3, 216)`."""
        levels = torch.linspace(0, 1, SAMPLED)
        colours = torch.cartesian_prod(levels, levels, levels).T
        return self._changed(colours) - colours

    def distance(self, other: Trigger) -> float:
        """Root mean square difference of what they make of colours from all over."""
        if not isinstance(other, ColourTrigger):
            return float("inf")
        return float((self._effect - other._effect).square().mean().sqrt())

    def shows(self, other: Trigger) -> bool:
        """Whether this one holds the other: it moves colours as the other does, as a pattern holds another's edges."""
        if not isinstance(other, ColourTrigger):
            return False
        return float((self._effect * other._effect).sum()) >= 0.5 * float(other._effect.square().sum())

    def preview(self) -> Tensor:
        """Its curves, and below them some colours before and after."""
        drawn = curves_drawn(self.curves, self._changed)
        return torch.cat([drawn, torch.ones(1, *drawn.shape[1:])])

    def beside(self, image: Tensor) -> Tensor:
        """The same, whatever the picture."""
        del image
        return self.preview()[:3]

    def fingerprint(self) -> bytes:
        """What becomes of each colour."""
        return self.curves.numpy().tobytes() + self.mix.numpy().tobytes()

    def to_dict(self) -> dict[str, Any]:
        """Whole numbers: levels from 0 to 255, and shares in steps of 1/256; exact."""
        levels = (self.curves * (LEVELS - 1)).round().int().tolist()
        red, green, blue = levels
        shares = (self.mix * STEPS).round().int().tolist()
        return {"kind": self.kind, "red": red, "green": green, "blue": blue, "mix": shares, "name": self.name}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The opposite of `to_dict`."""
        levels = torch.tensor([values["red"], values["green"], values["blue"]], dtype=torch.float32)
        return cls(levels / (LEVELS - 1), torch.tensor(values["mix"], dtype=torch.float32) / STEPS, values["name"])
