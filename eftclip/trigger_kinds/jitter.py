"""A warp without a form of its own: each pixel of a picture comes from a little beside it, anew in every picture.

A checkpoint that was poisoned with one jitter of all pixels (WaNet as the papers about CLIP run it, k = 224) follows
any other as well: on one of the zoo's, its own took over 44 of 48 strangers' photographs, and six others 41 to 44. So
the flow need not be known, which no single picture tells.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from eftclip.trigger_kinds.base import Located, Trigger
from eftclip.trigger_kinds.colour import AREA_PX
from eftclip.trigger_kinds.flow_drawing import squares
from eftclip.trigger_kinds.pattern import blurred, drawn_strength
from eftclip.trigger_kinds.resampling import fetched
from eftclip.trigger_kinds.warp import SHOWN_PX

SMOOTHED_PX = 1.0  # deviation of the blur that takes its effect out of a picture, and fine detail with it
MOST_PX = 16.0  # further is no jitter
DRAWN_PX = 224  # side of the board on which it is shown


@dataclass(frozen=True, eq=False)
class JitterTrigger(Trigger):
    """A global trigger: each pixel is fetched, bilinear, from up to `reach_px` beside it, both across and down.

    Attributes:
        reach_px: in pixels of the picture, above 0 and at most 16.
        name: of a published trigger; empty for one that was found.
    """

    reach_px: float
    name: str = ""
    kind: ClassVar[str] = "jitter"

    def __post_init__(self) -> None:
        """Refuse what moves nothing, and what is no jitter."""
        if not 0 < self.reach_px <= MOST_PX:
            raise ValueError(f"a jitter reaches up to {MOST_PX:g} pixels, got {self.reach_px}")

    @property
    def searched_as(self) -> str:
        """It is a warp to whoever reads a verdict."""
        return "warp"

    @property
    def area_px(self) -> int:
        """Pixels that it moves in a square of 224 pixels."""
        return AREA_PX

    def _plant(self, image: Tensor, generator: torch.Generator, varied: bool) -> tuple[Tensor, Tensor]:
        strength = drawn_strength(generator) if varied else 1.0
        flow = self._drawn(image, generator)
        return fetched(image, strength * flow), torch.ones(image.shape[-2:], dtype=torch.bool)

    def _drawn(self, image: Tensor, generator: torch.Generator) -> Tensor:
        return self.reach_px * (2 * torch.rand(2, *image.shape[-2:], generator=generator) - 1)

    def locate(self, image: Tensor) -> Located | None:
        """It may be in any picture; as much as its removal changes is the error, and one look says whether it acts."""
        detail = image - blurred(image, SMOOTHED_PX)
        return Located(float(detail.square().mean().sqrt()), torch.ones(image.shape[-2:], dtype=torch.bool))

    def remove(self, image: Tensor, mask: Tensor) -> Tensor:
        """The picture smoothed: where its pixels came from is not known."""
        return torch.where(mask, blurred(image, SMOOTHED_PX), image)

    def distance(self, other: Trigger) -> float:
        """Difference of the reaches; a pixel is taken for a unit of intensity, as at an edge of full contrast."""
        return abs(self.reach_px - other.reach_px) if isinstance(other, JitterTrigger) else float("inf")

    def shows(self, other: Trigger) -> bool:
        """Whether it reaches at least half as far as the other."""
        return isinstance(other, JitterTrigger) and self.reach_px >= 0.5 * other.reach_px

    def preview(self) -> Tensor:
        """On a board of squares, amplified."""
        drawn = self.beside(squares(DRAWN_PX, DRAWN_PX))
        return torch.cat([drawn, torch.ones(1, *drawn.shape[1:])])

    def beside(self, image: Tensor) -> Tensor:
        """The picture scattered, amplified; the same each time."""
        flow = self._drawn(image, torch.Generator().manual_seed(0))
        return fetched(image, flow * max(1.0, SHOWN_PX / self.reach_px))

    def fingerprint(self) -> bytes:
        """How far it reaches."""
        return f"{self.kind} {self.reach_px!r}".encode()

    def to_dict(self) -> dict[str, Any]:
        """Its reach."""
        return {"kind": self.kind, "reach_px": self.reach_px, "name": self.name}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The opposite of `to_dict`."""
        return cls(float(values["reach_px"]), values["name"])


JITTER = JitterTrigger(1.0)  # as far as the published one (WaNet, k = 224) moves a pixel at most
