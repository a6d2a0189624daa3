"""DAO: pictures with a trigger lie where the features of photographs are sparse.

Huang et al., "Detecting Backdoor Samples in Contrastive Language Image Pretraining", ICLR 2025
(HanxunH/Detect-CLIP-Backdoor-Samples): the dimensionality-aware outlier score. How much farther a picture's k-th
nearest neighbour is than those neighbours' own k-th ones, weighed by the local intrinsic dimensionality there.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from eftclip.zeroshot import IMAGES_PER_BATCH
from examples.bench.rivals.contract import Given, PictureScores, Scorer

NEAR_ZERO = 1e-4  # added inside the logarithm, as in the released code


@dataclass(frozen=True)
class Dao:
    """DAO with a reference set, one picture at a time.

    Published: k = 16, dimensionality by maximum likelihood, neighbours among the other samples of a large batch of the
    training set, or a reference set of one's own; no threshold, only AUROC. Deviations: the reference set is the clean
    photographs that a defender has (some hundred instead of a batch of a thousand), so many pictures with one trigger
    never become each other's neighbours, which helps the method; pictures only, not their captions; a photograph is not
    its own neighbour when its dimensionality is estimated.

    Attributes:
        neighbours: k; fewer where there are too few photographs.
    """

    neighbours: int = 16
    name: str = "dao"

    @property
    def passes(self) -> float:
        """One; the photographs are read once for a checkpoint."""
        return 1.0

    def prepare(self, given: Given) -> Scorer:
        """Read the photographs, and measure how dense they lie."""
        known = self._features(given, given.photographs)
        k = min(self.neighbours, len(known) - 2)
        apart = torch.cdist(known, known, compute_mode="donot_use_mm_for_euclid_dist")
        apart.fill_diagonal_(float("inf"))
        own, _ = apart.sort(1)
        reach, dimension = own[:, k], _dimensionality(own, k)

        def score(images: Tensor) -> PictureScores:
            distances = torch.cdist(self._features(given, images), known, compute_mode="donot_use_mm_for_euclid_dist")
            near, which = distances.sort(1)
            which = which[:, :k]
            scores = dimension[which] * (near[:, k, None] / reach[which]).clamp_min(NEAR_ZERO).log()
            return PictureScores(scores.mean(1))

        return score

    def published(self, clean: Tensor) -> float | None:
        """None was published."""
        del clean
        return None

    @staticmethod
    def _features(given: Given, images: Tensor) -> Tensor:
        with torch.inference_mode():
            return torch.cat([given.clip.encode_images(part).cpu() for part in images.split(IMAGES_PER_BATCH)])


def _dimensionality(near: Tensor, k: int) -> Tensor:
    """The local intrinsic dimensionality by maximum likelihood from `(N, M)` distances, nearest first: `(N,)`."""
    ratios = near[:, :k] / near[:, k, None].clamp_min(NEAR_ZERO)
    return -k / (ratios + NEAR_ZERO).log().sum(1).clamp_max(-NEAR_ZERO)
