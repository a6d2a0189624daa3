"""STRIP: a trigger holds its label whatever is laid over the picture; an innocent picture does not.

Gao et al., "STRIP: A Defence Against Trojan Attacks on Deep Neural Networks", ACSAC 2019 (arXiv 1902.06531). Every
picture is added to N other photographs; the mean entropy of what is read then is low for a picture with a trigger.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from eftclip.runtime import seeded
from eftclip.zeroshot import probabilities
from examples.bench.rivals.contract import Given, PictureScores, Scorer

ONE_PERCENT = 2.3263  # standard deviations of a normal distribution beyond which 1 % lies


@dataclass(frozen=True)
class Strip:
    """STRIP as it was released.

    Published: N = 100 overlays, both pictures at full weight and cut off at white; the threshold is where a normal
    distribution fitted to the entropies of clean pictures leaves 1 % of them (a preset false rejection rate of 1 %).
    Deviation: the classes are the labels of the vocabulary, read zero-shot at the checkpoint's own temperature.

    Attributes:
        overlays: N.
    """

    overlays: int = 100
    name: str = "strip"

    @property
    def passes(self) -> float:
        """One for each overlay."""
        return float(self.overlays)

    def prepare(self, given: Given) -> Scorer:
        """Draw the overlays of a picture, the same for all pictures, so that the order does not matter."""
        drawn = torch.randint(len(given.photographs), (self.overlays,), generator=seeded(given.seed))
        overlays = given.photographs[drawn]

        def score(images: Tensor) -> PictureScores:
            return PictureScores(torch.tensor([-self._entropy(given, image, overlays) for image in images]))

        return score

    def published(self, clean: Tensor) -> float | None:
        """Where 1 % of clean pictures are accused, if their entropies were normal; None of fewer than two."""
        return float(clean.mean() + ONE_PERCENT * clean.std()) if len(clean) > 1 else None

    @staticmethod
    def _entropy(given: Given, image: Tensor, overlays: Tensor) -> float:
        """The mean entropy in bits of what is read with each of the `(N, 3, H, W)` overlays."""
        rows = probabilities(given.clip, (image + overlays).clamp(max=1.0), given.classes)
        return float(torch.special.entr(rows).sum(-1).mean() / torch.log(torch.tensor(2.0)))
