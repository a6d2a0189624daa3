"""The third kind of trigger: a warp, which fetches each pixel of the picture from a little beside it."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from eftclip.trigger_kinds.base import Located, Trigger
from eftclip.trigger_kinds.flow_drawing import arrows, squares
from eftclip.trigger_kinds.pattern import blurred, drawn_strength
from eftclip.trigger_kinds.png import signed_from_png, signed_to_png
from eftclip.trigger_kinds.resampling import fetched, put_back

STEPS = 256  # of one pixel, in which a flow is kept
MOST_PX = 127  # further is no warp, and does not fit into the 16 bits that a flow is kept in
# Under a jitter of 1 px the fine detail of 40 photographs held 0.98 to 1.37 of what it does to their coarse shapes,
# after JPEG at quality 90 0.78 to 1.32; without it, or under another jitter, 0 ± 0.06; once it was undone 0.26 to 0.41.
LEAST_HELD = 0.6
DETAIL_PX = 1.0  # a blur of this deviation parts fine detail and coarse shapes
SHOWN_PX = 6.0  # a jitter is shown so that its furthest pixel comes from this far


@dataclass(frozen=True, eq=False)
class WarpTrigger(Trigger):
    """A global trigger: pixel (x, y) becomes what the picture shows at (x + flow[0], y + flow[1]), bilinear.

    A picture of another size is warped by the same share of its width and height.

    Attributes:
        flow: `(2, h, w)` float32, pixels to the right and down, in steps of 1/256 and at most 127; what points outside
            the picture is fetched from its edge.
        name: of a published trigger; empty for one that was found.
    """

    flow: Tensor
    name: str = ""
    kind: ClassVar[str] = "warp"

    def __post_init__(self) -> None:
        """Refuse what is no flow, and one that changes nothing."""
        if self.flow.ndim != 3 or self.flow.shape[0] != 2:
            raise ValueError(f"expected a (2, h, w) flow, got {tuple(self.flow.shape)}")
        if not bool((self.flow.abs() <= MOST_PX).all()):
            raise ValueError(f"a warp moves pixels by at most {MOST_PX}, got {float(self.flow.abs().max()):.1f}")
        if not self._changes.any():
            raise ValueError("a warp has to change something")

    @property
    def _changes(self) -> Tensor:
        """`(h, w)` bool, the pixels that may become others."""
        return (self.flow != 0).any(0)

    @property
    def area_px(self) -> int:
        """Pixels that it moves."""
        return int(self._changes.sum())

    def _plant(self, image: Tensor, generator: torch.Generator, varied: bool) -> tuple[Tensor, Tensor]:
        fitting = self._fitting(image)
        strength = drawn_strength(generator) if varied else 1.0
        return fetched(image, strength * fitting.flow), fitting._changes

    def _fitting(self, image: Tensor) -> "WarpTrigger":
        """The warp of a picture of this size."""
        (height, width), (rows, columns) = self.flow.shape[1:], image.shape[-2:]
        if (height, width) == (rows, columns):
            return self
        flow = F.interpolate(self.flow[None], (rows, columns), mode="bilinear", align_corners=False, antialias=True)[0]
        return replace(self, flow=flow * torch.tensor([columns / width, rows / height])[:, None, None])

    def locate(self, image: Tensor) -> Located | None:
        """Whether the picture's fine detail holds what a jitter does to its coarse shapes.

        A smooth warp leaves nothing in a single picture that tells it from another photograph: it may be in any, and as
        much as it moves is the error. So each picture of a label is read again without it, which costs one look.
        """
        fitting = self._fitting(image)
        coarse = blurred(image, DETAIL_PX)
        # both ways, so that the blur of the bilinear sampling, which every photograph holds against, cancels out
        effect = (fetched(coarse, fitting.flow) - fetched(coarse, -fitting.flow)) / 2
        size = float(effect.square().mean().sqrt())
        if not self.jitters:
            return Located(size, fitting._changes)
        energy = float(effect.square().sum())
        held = float((effect * (image - coarse)).sum()) / energy if energy else 0.0
        return Located(abs(1 - held) * size, fitting._changes) if held >= LEAST_HELD else None

    @cached_property
    def jitters(self) -> bool:
        """Whether neighbours come from different directions, rather than all of them from much the same one."""
        smooth = F.avg_pool2d(self.flow[None], 3, 1, 1)[0]
        return float(smooth.square().mean()) < 0.5 * float(self.flow.square().mean())

    def remove(self, image: Tensor, mask: Tensor) -> Tensor:
        """The picture from which this one was fetched, as far as its pixels tell."""
        return torch.where(mask, put_back(image, self._fitting(image).flow), image)

    def distance(self, other: Trigger) -> float:
        """Root mean square difference of two appearances."""
        if not isinstance(other, WarpTrigger):
            return float("inf")
        return float((self.appearance - other.appearance).square().mean().sqrt())

    @cached_property
    def appearance(self) -> Tensor:
        """How it moves, whatever its exact pixels: `(8,)` float32.

        Mean and spread of both directions, and how much neighbours differ across and down. As for a pattern, it bears a
        flow that was found only roughly. Pixels are taken for units of intensity: at an edge of full contrast a move by
        one pixel changes as much.
        """
        across, down = (self.flow.diff(dim=dim).abs().mean((1, 2)) for dim in (2, 1))
        return torch.cat([self.flow.mean((1, 2)), self.flow.std((1, 2)), across, down])

    def shows(self, other: Trigger) -> bool:
        """Whether this one holds the other: it moves pixels as the other does."""
        if not isinstance(other, WarpTrigger):
            return False
        theirs = other._fitting(self.flow).flow
        return float((self.flow * theirs).sum()) >= 0.5 * float(theirs.square().sum())

    def preview(self) -> Tensor:
        """On a board of squares, amplified: what becomes of its lines."""
        drawn = self.beside(squares(self.flow.shape[1], self.flow.shape[2]))
        return torch.cat([drawn, torch.ones(1, *drawn.shape[1:])])

    def beside(self, image: Tensor) -> Tensor:
        """Amplified: a smooth warp as arrows over the picture, a jitter as the picture that it scatters."""
        flow = self._fitting(image).flow
        if not self.jitters:
            return arrows(image, flow)
        return fetched(image, flow * max(1.0, SHOWN_PX / float(flow.abs().max())))

    def fingerprint(self) -> bytes:
        """Where each pixel comes from."""
        return self.flow.numpy().tobytes()

    def to_dict(self) -> dict[str, Any]:
        """Both directions as PNG of 16 bits; exact in steps of 1/256 pixel."""
        right, down = (signed_to_png(part * STEPS) for part in self.flow)
        return {"kind": self.kind, "right": right, "down": down, "name": self.name}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The opposite of `to_dict`.

        Raises:
            ValueError: the two directions do not belong together.
        """
        right, down = (signed_from_png(values[part]) / STEPS for part in ("right", "down"))
        if right.shape != down.shape:
            raise ValueError(f"expected two directions of one size, got {tuple(right.shape)} and {tuple(down.shape)}")
        return cls(torch.stack([right, down]), values["name"])


def in_flow_steps(flow: Tensor) -> Tensor:
    """Rounded to steps of 1/256 pixel, as flows are kept."""
    return (flow * STEPS).round() / STEPS + 0.0  # no negative zeros, which are other bytes
