"""Looking at curated pictures that are not tuned on: does the trigger still work, and does the rest read as before?"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from eftclip.rectify.augmentation import random_view
from eftclip.runtime import seeded
from eftclip.trigger_kinds import plant_in_turns
from eftclip.types import ClassMatrix, ClipModel, CuratedItem, Rate, TriggerFamily
from eftclip.zeroshot import features, probabilities

SHARE, LEAST = 0.2, 8  # of the curated set; with fewer pictures than twice `LEAST`, half of it
# How sure an original that reads well is in the mean, crops included: the bundled ones and two of the zoo 0.37 to 0.47
# among 1,000 labels; `effnet-weak-badnets16-0` 0.20.
SURE = 0.3
VIEWS = 3  # of each picture: as it is, and two crops


def split_validation(items: Sequence[CuratedItem], seed: int) -> tuple[list[CuratedItem], list[CuratedItem]]:
    """Pictures to tune on, and pictures that are only looked at; with a single picture it is both."""
    count = min(max(LEAST, round(SHARE * len(items))), len(items) // 2)
    order = torch.randperm(len(items), generator=seeded(seed)).tolist()
    held = sorted(order[:count]) or order
    kept = sorted(order[count:]) or order
    return [items[k] for k in kept], [items[k] for k in held]


@dataclass(frozen=True, eq=False)
class ValidationSet:
    """Held-out views with what the original reads in them.

    Attributes:
        clean: `(N, 3, px, px)`.
        before: `(N,)` int64, the original's best labels.
        attacked: for each family, `(n, 3, px, px)` views of another label with its trigger, and the target's index.
        sureness: the mean probability of the original's best labels, in (0, 1].
    """

    clean: Tensor
    before: Tensor
    attacked: tuple[tuple[Tensor, int], ...]
    sureness: float = 1.0

    @staticmethod
    def of(
        items: Sequence[CuratedItem],
        families: Sequence[TriggerFamily],
        clip: ClipModel,
        classes: ClassMatrix,
        seed: int,
    ) -> "ValidationSet":
        """Draw the views once; they stay the same for the whole run."""
        generator = seeded(seed)
        pictures = torch.stack([item.image for item in items])
        crops = [random_view(picture[None], generator) for picture in pictures for _ in range(VIEWS - 1)]
        clean = torch.cat([pictures, *crops])
        sureness, before = probabilities(clip, clean, classes).max(-1)
        attacked = []
        for family in families:
            target = classes.labels.index(family.target_label)
            others = clean[before != target]
            attacked.append((plant_in_turns(others, family.exemplars, generator=generator), target))
        return ValidationSet(clean, before, tuple(attacked), float(sureness.mean()))

    @property
    def unsure(self) -> bool:
        """Whether the original is unsure of what it reads in its own pictures, as one is that reads badly."""
        return self.sureness < SURE

    def measure(self, clip: ClipModel, classes: ClassMatrix) -> tuple[Rate, Rate]:
        """Triggered views that read as the target, and clean views that read as before."""
        same = probabilities(clip, self.clean, classes).argmax(-1) == self.before
        attack = Rate(0, 0)
        for views, target in self.attacked:
            if len(views):
                hits = probabilities(clip, views, classes).argmax(-1) == target
                attack += Rate(int(hits.sum()), len(hits))
        return attack, Rate(int(same.sum()), len(same))

    def meant(self, clip: ClipModel) -> Tensor:
        """What the views mean that get a trigger, before they get it: `(N, D)`, over all families."""
        read = features(clip, self.clean)
        return torch.cat([read[self.before != target] for _, target in self.attacked])

    def mended(self, clip: ClipModel, meant: Tensor) -> float:
        """How much triggered views mean what they are meant to: the mean cosine, in [-1, 1]; 0 without any."""
        if not len(meant):
            return 0.0
        read = torch.cat([features(clip, views) for views, _ in self.attacked if len(views)])
        return float((read * meant).sum(-1).mean())
