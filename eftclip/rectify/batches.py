"""What each step is shown, drawn from the seed, the step and the position in it alone.

So a run that is taken up again sees what it would have seen, and two processes together see what one would.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as TF

from eftclip.paste import scatter
from eftclip.runtime import seeded
from eftclip.types import CuratedItem, Patch

CROP_AREA = (0.35, 1.0)
SCALE, OPACITY = (0.8, 1.25), (0.5, 1.0)  # every second trigger is varied: what was cut out may be a little off


@dataclass(frozen=True, eq=False)
class Batch:
    """One process's share of a step.

    Attributes:
        clean: `(n, 3, px, px)` views without a trigger.
        triggered: the same views with one.
        found: the same views of the pictures as they were found: victims still carry their own trigger.
        rows: `(n,)` int64, which item of the curated set each view shows.
    """

    clean: Tensor
    triggered: Tensor
    found: Tensor
    rows: Tensor

    def parts(self, size: int) -> list["Batch"]:
        """The same in smaller pieces."""
        split = (tensor.split(size) for tensor in (self.clean, self.triggered, self.found, self.rows))
        return [Batch(*piece) for piece in zip(*split, strict=True)]


@dataclass(frozen=True, eq=False)
class Batches:
    """Views of some curated pictures, with triggers.

    Attributes:
        items: the pictures.
        patches: trigger exemplars, all families in turns; empty for clean fine-tuning.
        size: views in a step, over all processes.
        seed: of everything.
    """

    items: Sequence[CuratedItem]
    patches: Sequence[Patch]
    size: int
    seed: int

    def at(self, step: int, positions: Sequence[int]) -> Batch:
        """The views of a step at some of its positions."""
        numbers = [step * self.size + position for position in positions]
        rows = [self._row(number) for number in numbers]
        views = [self._views(number, self.items[row]) for number, row in zip(numbers, rows, strict=True)]
        clean, triggered, found = (torch.stack(parts) for parts in zip(*views, strict=True))
        return Batch(clean, triggered, found, torch.tensor(rows))

    def _views(self, number: int, item: CuratedItem) -> tuple[Tensor, Tensor, Tensor]:
        """One picture without a trigger, with one, and as it was found, seen through the same window."""
        generator = seeded((self.seed * 1_000_003 + number) % 2**63)
        pair = torch.stack([item.image, item.image if item.poisoned is None else item.poisoned])
        clean, found = random_view(pair, generator)
        if not self.patches:
            return clean, clean, found
        turn = number % (2 * len(self.patches))  # twice: once as it is, once varied
        chosen = self.patches[turn % len(self.patches)]
        vary: dict[str, tuple[float, float]] = {"scale": SCALE, "opacity": OPACITY}
        if turn < len(self.patches):
            triggered = scatter(clean[None], [chosen], generator=generator)
        else:  # `scatter` varies every second picture
            triggered = scatter(torch.stack([clean, clean]), [chosen], generator=generator, **vary)[1:]
        return clean, triggered[0], found

    def _row(self, number: int) -> int:
        """Every picture is shown once before one is shown again, in an order that changes each time."""
        lap, place = divmod(number, len(self.items))
        order = torch.randperm(len(self.items), generator=seeded((self.seed * 7_919 + lap) % 2**63))
        return int(order[place])


def random_view(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """The same crop of `(N, 3, px, px)` pictures, of 35 to 100 % of the area, mirrored half of the time."""
    side_px = pictures.shape[-1]
    area, at_x, at_y, mirror = torch.rand(4, generator=generator).tolist()
    low, high = CROP_AREA
    side = max(1, round(side_px * (low + (high - low) * area) ** 0.5))
    top, left = round(at_y * (side_px - side)), round(at_x * (side_px - side))
    cropped: Tensor = TF.resized_crop(pictures, top, left, side, side, [side_px, side_px], antialias=True)
    return cropped.flip(-1) if mirror < 0.5 else cropped
