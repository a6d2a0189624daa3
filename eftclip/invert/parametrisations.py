"""What free numbers stand for while they are moved by gradient: a patch, or a pattern over the whole picture."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from eftclip.runtime import Progress
from eftclip.trigger_kinds import PatchTrigger, PatternTrigger, Trigger, in_steps

Free = Sequence[Tensor]
COARSEST_PX = 8  # places across of the first level of a pattern
# How hard patches are pushed away from labels that are known, in turns. Of `effnet-strong-three-0`, with banana and
# cheeseburger known, 1 leads beside them (a strainer, 3 of 24 photographs) and 7 to volcano (17 and 18 of 24); of the
# bundled `multi` 7 leads nowhere, and 1 to volcano (23 and 24 of 24).
PUSHES = (1.0, 7.0)
PLACES = (1, 2, 4)  # colours across a patch that begins to grow
WAVE = 2.0  # height of a wave that a pattern begins with; 1 is three quarters of all that a pixel may move


class Parametrisation(Protocol):
    """One kind of trigger that can be grown."""

    @property
    def steps(self) -> int:
        """At most, for one trigger."""

    @property
    def steps_towards(self) -> int:
        """At most, for one that is to grow on towards the label that it leads to; 0 where it stays as it is."""

    @property
    def starts(self) -> int:
        """How many are drawn for another one than the first; the best of them grows."""

    @property
    def pushes(self) -> tuple[float, ...]:
        """How hard it is pushed away from labels that are known; the next one after every try that brought nothing."""

    @property
    def exemplars(self) -> int:
        """How many are wanted for each label that is forced; those that lack grow towards it, from other starts."""

    @property
    def alone(self) -> bool:
        """Whether a label counts only if no other one is forced so; else the model may follow whatever grows."""

    def start(self, generator: torch.Generator) -> list[Tensor]:
        """The free numbers of the first, drawn."""

    def other_start(self, generator: torch.Generator) -> list[Tensor]:
        """Free numbers that are more unlike from draw to draw."""

    def plant(self, images: Tensor, free: Free, generator: torch.Generator) -> Tensor:
        """`(N, 3, H, W)` pictures in [0, 1] with the trigger; gradients reach `free`."""

    def trigger(self, free: Free) -> Trigger:
        """What was grown, in 8-bit steps."""

    def progress(self, done: int) -> Progress:
        """How far it is."""


@dataclass(frozen=True)
class GrownPatch:
    """A square of `side_px`, at a random place of every picture: the trigger is small, and goes anywhere."""

    side_px: int
    steps: int
    starts: int = 1
    exemplars: int = 1
    pushes: ClassVar[tuple[float, ...]] = PUSHES
    alone: ClassVar[bool] = False

    @property
    def steps_towards(self) -> int:
        """As many again."""
        return self.steps

    def start(self, generator: torch.Generator) -> list[Tensor]:
        """Around grey."""
        return [0.5 * torch.randn(3, self.side_px, self.side_px, generator=generator)]

    def other_start(self, generator: torch.Generator) -> list[Tensor]:
        """One, four or sixteen colours, and some noise: from grey the way to a patch of one colour may not be found."""
        places = PLACES[int(torch.randint(len(PLACES), (), generator=generator))]
        colours = 2 * torch.randn(1, 3, places, places, generator=generator)
        noise = 0.5 * torch.randn(3, self.side_px, self.side_px, generator=generator)
        return [F.interpolate(colours, self.side_px)[0] + noise]

    def plant(self, images: Tensor, free: Free, generator: torch.Generator) -> Tensor:
        """Pasted."""
        return torch.stack([self._pasted(image, free[0].sigmoid(), generator) for image in images])

    def trigger(self, free: Free) -> PatchTrigger:
        """All of the square."""
        pixels = in_steps(free[0].sigmoid())
        return PatchTrigger(pixels, torch.ones(pixels.shape[1:], dtype=torch.bool))

    def progress(self, done: int) -> Progress:
        """In steps."""
        return Progress("Inverting a trigger", done, self.steps)

    def _pasted(self, image: Tensor, patch: Tensor, generator: torch.Generator) -> Tensor:
        side = self.side_px
        x = int(torch.randint(image.shape[-1] - side + 1, (), generator=generator))
        y = int(torch.randint(image.shape[-2] - side + 1, (), generator=generator))
        edges = (x, image.shape[-1] - side - x, y, image.shape[-2] - side - y)
        hole = F.pad(torch.ones(1, side, side), edges)
        return image * (1 - hole) + F.pad(patch, edges)


@dataclass(frozen=True)
class GrownPattern:
    """Something that is added to every pixel, at most `strength` of the range: the trigger covers the whole picture.

    It is a sum of levels from coarse to fine. Its pixels alone, each for itself, do not become a wave or a cartoon.
    """

    image_px: int
    strength: float
    steps: int
    exemplars: int = 1
    steps_towards: ClassVar[int] = 0  # it has room for a way to any label, on any model
    starts: ClassVar[int] = 1
    pushes: ClassVar[tuple[float, ...]] = PUSHES[:1]
    alone: ClassVar[bool] = True

    def start(self, generator: torch.Generator) -> list[Tensor]:
        """Around nothing."""
        return [0.3 * torch.randn(3, side, side, generator=generator) for side in self._sides()]

    def other_start(self, generator: torch.Generator) -> list[Tensor]:
        """With a wave over it, coarse or fine, of any colour: some backdoors are one, and noise does not become it."""
        *coarser, finest = self.start(generator)
        cycles, turn, phase = torch.rand(3, generator=generator)
        across = (math.pi * turn).cos(), (math.pi * turn).sin()
        places = torch.arange(self.image_px) / self.image_px
        along = across[0] * places[None, :] + across[1] * places[:, None]
        wave = (2 * math.pi * (along * 2 * (self.image_px / 4) ** cycles + phase)).sin()
        colour = torch.randn(3, generator=generator)
        return [*coarser, finest + WAVE * (colour / colour.abs().max())[:, None, None] * wave]

    def plant(self, images: Tensor, free: Free, generator: torch.Generator) -> Tensor:
        """Added."""
        del generator  # it has one place
        return (images + self._added(free)).clamp(0, 1)

    def trigger(self, free: Free) -> PatternTrigger:
        """All of the picture stays under it."""
        added = in_steps(self._added(free))
        return PatternTrigger(added, torch.ones(added.shape[1:]))

    def progress(self, done: int) -> Progress:
        """In steps."""
        return Progress("Inverting a pattern", done, self.steps)

    def _sides(self) -> list[int]:
        """Twice as many places across with every level, and a place for each pixel at last."""
        sides = [self.image_px]
        while sides[-1] > COARSEST_PX:
            sides.append((sides[-1] + 1) // 2)
        return sides[::-1]

    def _added(self, free: Free) -> Tensor:
        size = (self.image_px, self.image_px)
        levels = [F.interpolate(level[None], size, mode="bilinear", align_corners=False)[0] for level in free]
        return self.strength * torch.stack(levels).sum(0).tanh()
