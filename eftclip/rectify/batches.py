"""What each step is shown, drawn from the seed, the step and the position in it alone.

So a run that is taken up again sees what it would have seen, and two processes together see what one would.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from eftclip.rectify.augmentation import free_view, random_view
from eftclip.runtime import seeded
from eftclip.trigger_kinds import Trigger
from eftclip.types import CuratedItem


@dataclass(frozen=True, eq=False)
class Batch:
    """One process's share of a step.

    Attributes:
        clean: `(n, 3, px, px)` views without a trigger.
        triggered: the same views with one.
        found: the same views of the pictures as they were found: victims still carry their own trigger.
        rows: `(n,)` int64, which item of the curated set each view shows.
        seeds: `(n,)` int64, one for each view, for what a method draws itself.
    """

    clean: Tensor
    triggered: Tensor
    found: Tensor
    rows: Tensor
    seeds: Tensor

    def parts(self, size: int) -> list["Batch"]:
        """The same in smaller pieces."""
        split = (tensor.split(size) for tensor in (self.clean, self.triggered, self.found, self.rows, self.seeds))
        return [Batch(*piece) for piece in zip(*split, strict=True)]


@dataclass(frozen=True, eq=False)
class Batches:
    """Views of some curated pictures, with triggers.

    Attributes:
        items: the pictures.
        triggers: exemplars, all families in turns; empty for a method that sees none.
        size: views in a step, over all processes.
        seed: of everything.
        free: views need not show what their captions say, see `free_view`.
    """

    items: Sequence[CuratedItem]
    triggers: Sequence[Trigger]
    size: int
    seed: int
    free: bool = False

    def at(self, step: int, positions: Sequence[int]) -> Batch:
        """The views of a step at some of its positions."""
        numbers = [step * self.size + position for position in positions]
        views = [self._views(number) for number in numbers]
        clean, triggered, found = (torch.stack(parts) for parts in zip(*views, strict=True))
        rows, seeds = ([of(number) for number in numbers] for of in (self._row, self._seed))
        return Batch(clean, triggered, found, torch.tensor(rows), torch.tensor(seeds))

    def _views(self, number: int) -> tuple[Tensor, Tensor, Tensor]:
        """One view without a trigger, with one, and of the picture as it was found."""
        generator = seeded((self.seed * 1_000_003 + number) % 2**63)
        item = self.items[self._row(number)]
        if self.free:
            second, third = torch.randint(len(self.items), (2,), generator=generator).tolist()
            clean = found = free_view(item.image, self.items[second].image, self.items[third].image, generator)
        else:
            pair = torch.stack([item.image, item.image if item.poisoned is None else item.poisoned])
            clean, found = random_view(pair, generator)
        return clean, self._triggered(clean, number, generator), found

    def _triggered(self, clean: Tensor, number: int, generator: torch.Generator) -> Tensor:
        """The view with a trigger in it: each exemplar once as it is, once varied, in turns."""
        if not self.triggers:
            return clean
        turn = number % (2 * len(self.triggers))
        trigger = self.triggers[turn % len(self.triggers)]
        if turn < len(self.triggers):
            return trigger.plant(clean[None], generator=generator).images[0]
        # `plant` varies every second picture
        return trigger.plant(torch.stack([clean, clean]), generator=generator, vary=True).images[1]

    def _seed(self, number: int) -> int:
        """Another one than that of the view itself."""
        return (self.seed * 998_244_353 + number) % 2**63

    def _row(self, number: int) -> int:
        """Every picture is shown once before one is shown again, in an order that changes each time."""
        lap, place = divmod(number, len(self.items))
        order = torch.randperm(len(self.items), generator=seeded((self.seed * 7_919 + lap) % 2**63))
        return int(order[place])
