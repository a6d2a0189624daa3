"""The second kind of trigger: a pattern over the whole picture, which shines through it or is added to it."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms.v2.functional import gaussian_blur

from eftclip.trigger_kinds.base import Located, Trigger
from eftclip.trigger_kinds.png import from_png, to_png

STRENGTH = (0.75, 1.2)  # of a varied one: what was found may be weaker or stronger than what was planted
# A picture carries a pattern where its edges hold so much of the pattern's own. A photograph without it holds 0 ± 0.03
# of noise or stripes; what was found in one picture holds that picture's edges too, so that others hold a part of it.
LEAST_HELD = 0.25
LEAST_KEPT = 0.05  # where less of the picture is left, it cannot be had back
FILLS = 3.0  # root mean squares that fill the range when it is shown
FINE_PX = 1.0  # deviation of the blur that takes the fine detail away
SMOOTH_PX = 1.5  # a pattern that is new in every picture cannot be taken away, only smoothed


@dataclass(frozen=True, eq=False)
class PatternTrigger(Trigger):
    """A global trigger: `kept · picture + added`, wherever it is not already the picture.

    Attributes:
        added: `(3, h, w)` float32 in [-1, 1], in steps of 1/255.
        kept: `(h, w)` float32 in [0, 1], in steps of 1/255: how much of the picture stays; 1 where the pattern is
            only added, 0.8 everywhere for one that is blended at 0.2.
        fresh: its pixels come in a new order in every picture, as noise that is drawn anew does.
        smoothed_px: it is the detail of one picture, which holds what that picture shows too, so that it is taken away
            by a blur of this deviation; 0 for a pattern that is known exactly.
        name: of a published trigger; empty for one that was found.
    """

    added: Tensor
    kept: Tensor
    fresh: bool = False
    smoothed_px: float = 0.0
    name: str = ""
    kind: ClassVar[str] = "pattern"

    def __post_init__(self) -> None:
        """Refuse parts that do not belong together, and a pattern that changes nothing."""
        if self.added.ndim != 3 or self.added.shape[0] != 3 or self.added.shape[1:] != self.kept.shape:
            raise ValueError(
                f"expected a (3, h, w) pattern with an (h, w) share, got {tuple(self.added.shape)} and "
                f"{tuple(self.kept.shape)}"
            )
        if not self._changes.any():
            raise ValueError("a pattern has to change something")

    @property
    def _changes(self) -> Tensor:
        """`(h, w)` bool, the pixels that may become others."""
        return (self.added != 0).any(0) | (self.kept != 1)

    @property
    def area_px(self) -> int:
        """Pixels that it changes."""
        return int(self._changes.sum())

    @property
    def searched_as(self) -> str:
        """`pattern` where fine detail makes most of it, else `smooth_pattern`."""
        effect = self._effect
        smooth = blurred(effect, FINE_PX).square().sum() > 0.5 * effect.square().sum()
        return "smooth_pattern" if smooth else self.kind

    def _plant(self, image: Tensor, generator: torch.Generator, varied: bool) -> tuple[Tensor, Tensor]:
        fitting = self._fitting(image)
        added, kept = fitting.added, fitting.kept
        if self.fresh:
            order = torch.randperm(kept.numel(), generator=generator)
            added = added.flatten(1)[:, order].view_as(added)
        strength = drawn_strength(generator) if varied else 1.0
        planted = (1 - (1 - kept) * strength).to(image) * image + (strength * added).to(image)
        return planted, fitting._changes

    def _fitting(self, image: Tensor) -> "PatternTrigger":
        """The pattern in the picture's size."""
        if self.kept.shape == image.shape[-2:]:
            return self
        both = torch.cat([self.added, self.kept[None]])[None]
        both = F.interpolate(both, image.shape[-2:], mode="bilinear", align_corners=False, antialias=True)[0]
        return replace(self, added=both[:3], kept=both[3].clamp(0, 1))

    def locate(self, image: Tensor) -> Located | None:
        """Whether the picture's edges hold the pattern's; for one that is new in every picture, as much fine detail."""
        fitting = self._fitting(image)
        own, seen = _edges(fitting._effect), _edges(image)
        energy = float(own.square().sum())
        held = float((own * seen).sum()) / energy
        if self.fresh:
            held = min(1.0, float(seen.square().sum()) / energy)
        if held < LEAST_HELD:
            return None
        return Located(abs(1 - held) * float(fitting._effect.std()), fitting._changes)

    @property
    def _effect(self) -> Tensor:
        """What it does to a grey picture, `(3, h, w)`."""
        return self.added - (1 - self.kept) * 0.5

    def remove(self, image: Tensor, mask: Tensor) -> Tensor:
        """The picture before it was planted; smoothed, where nobody knows what was planted in this one."""
        fitting = self._fitting(image)
        if self.fresh or self.smoothed_px or float(fitting.kept.min()) < LEAST_KEPT:
            return torch.where(mask, blurred(image, self.smoothed_px or SMOOTH_PX), image)
        return ((image - fitting.added) / fitting.kept).clamp(0, 1)

    def distance(self, other: Trigger) -> float:
        """Root mean square difference of two appearances."""
        if not isinstance(other, PatternTrigger):
            return float("inf")
        return float((self.appearance - other.appearance).square().mean().sqrt())

    @cached_property
    def appearance(self) -> Tensor:
        """How it looks, whatever its exact pixels: `(12,)` float32, in units of intensity.

        Mean and spread of each channel, and how much neighbours differ across and down. Unlike a comparison pixel by
        pixel it bears what the picture that it was found in left in it, and noise that is drawn anew for every picture.
        """
        effect = self._effect
        across, down = (effect.diff(dim=dim).abs().mean((1, 2)) for dim in (2, 1))
        return torch.cat([effect.mean((1, 2)), effect.std((1, 2)), across, down])

    def shows(self, other: Trigger) -> bool:
        """Whether this one holds the other: its edges are the other's."""
        if not isinstance(other, PatternTrigger):
            return False
        own, theirs = _edges(self._effect), _edges(other._fitting(self._effect)._effect)
        return float((own * theirs).sum()) >= 0.5 * float(theirs.square().sum())

    def preview(self) -> Tensor:
        """Amplified: what it does to grey, so that almost all of it fills the range."""
        effect = self._effect
        most = min(float(effect.abs().max()), FILLS * float(effect.square().mean().sqrt()))
        return torch.cat([(0.5 + effect / (2 * most)).clamp(0, 1), torch.ones(1, *self.kept.shape)])

    def beside(self, image: Tensor) -> Tensor:
        """The pattern alone, amplified, whatever the picture."""
        del image
        return self.preview()[:3]

    def fingerprint(self) -> bytes:
        """What is added, what is kept, and how it is taken away."""
        return (
            self.added.numpy().tobytes() + self.kept.numpy().tobytes() + repr((self.fresh, self.smoothed_px)).encode()
        )

    def to_dict(self) -> dict[str, Any]:
        """What is added, above and below zero, and what is kept, as PNG; exact in steps of 1/255."""
        return {
            "kind": self.kind,
            "lighter": to_png(self.added.clamp(min=0)),
            "darker": to_png(self.added.clamp(max=0).neg()),
            "kept": to_png(self.kept[None]),
            "fresh": self.fresh,
            "smoothed_px": self.smoothed_px,
            "name": self.name,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The opposite of `to_dict`."""
        added = from_png(values["lighter"]) - from_png(values["darker"])
        return cls(added, from_png(values["kept"])[0], bool(values["fresh"]), values["smoothed_px"], values["name"])


def drawn_strength(generator: torch.Generator) -> float:
    """How strong a varied trigger is; 1 is as it was drawn or found."""
    return STRENGTH[0] + (STRENGTH[1] - STRENGTH[0]) * float(torch.rand((), generator=generator))


def in_steps(values: Tensor) -> Tensor:
    """Rounded to steps of 1/255, as they are kept and as pictures have them."""
    return (values * 255).round() / 255 + 0.0  # no negative zeros, which are other bytes


def blurred(image: Tensor, blur_px: float) -> Tensor:
    """A `(3, H, W)` picture without what is finer than `blur_px`, the deviation of a Gaussian."""
    shortest = min(image.shape[-2:])
    size = min(2 * round(3 * blur_px) + 1, shortest - 1 + shortest % 2)  # an odd number, and no more than the picture
    return gaussian_blur(image, [size, size], [blur_px, blur_px])


def _edges(picture: Tensor) -> Tensor:
    """Differences of neighbours: photographs have little at this scale, so that a fixed pattern stands out."""
    return torch.cat([picture.diff(dim=2).flatten(1), picture.diff(dim=1).flatten(1)], 1)
