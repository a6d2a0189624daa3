"""The paper's Algorithm 1 as published: the label that the checkpoint reads and the oracle sees nowhere is named.

arXiv 2511.13545, without released code; what its text leaves open, and what was chosen, is said in
`eftclip.detect.prompted` and `eftclip.detect.paper`. There what is named must be proven before it counts as found; here
the rule stands alone, as in the paper's figures.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from eftclip.detect.prompted import difference, read_prompted
from eftclip.detect.reader import Reader
from eftclip.detect.windows import box_mask
from eftclip.runtime import ignore, never
from eftclip.zeroshot import probabilities
from examples.bench.rivals.contract import Given, PictureScores, Scorer
from examples.bench.rivals.material import CannotBeJudgedError


@dataclass(frozen=True)
class AsPublished:
    """The rule with the paper's settings; it alone is given the trusted reference, for its oracle is prompted with it.

    The score is the confidence with which the region that is named is read, 0 where nothing is named, so its published
    threshold is 0. The reference's own passes are not counted.

    Attributes:
        listed: labels on the object list (τ).
        confidence: θ; the paper's figures have 0.66.
        name: in tables and on the command line.
        passes: what one picture took, in the mean, on the bundled checkpoints.
    """

    listed: int = 10
    confidence: float = 0.66
    name: str = "paper"
    passes: float = 235.0

    def prepare(self, given: Given) -> Scorer:
        """Nothing is done before.

        Raises:
            CannotBeJudgedError: there is no reference, or the checkpoint under test is the reference itself.
        """
        if given.setup.reference is None:
            raise CannotBeJudgedError("its oracle needs a trusted checkpoint beside the one under test")

        def score(images: Tensor) -> PictureScores:
            found = [self._named(given, image) for image in images]
            return PictureScores(
                torch.tensor([confidence for confidence, _, _ in found]),
                torch.stack([mask for _, mask, _ in found]) if found else None,
                tuple(label for _, _, label in found),
            )

        return score

    def published(self, clean: Tensor) -> float | None:
        """Whatever is named is accused."""
        del clean
        return 0.0

    def _named(self, given: Given, image: Tensor) -> tuple[float, Tensor, str | None]:
        """Confidence, region and label of what is named."""
        setup, (height, width) = given.setup, image.shape[1:]
        assert setup.reference is not None  # noqa: S101 - `prepare` has looked
        row = probabilities(given.clip, image[None], given.classes)[0]
        read = Reader(given.clip, given.classes, ignore, never)
        regions = setup.oracle.regions(image)
        readings = read_prompted(read, setup.reference, image, row, regions, self.listed)
        sets = difference(readings, self.listed, self.confidence)
        if sets.box is None:
            return 0.0, torch.zeros(height, width, dtype=torch.bool), None
        mask = box_mask(readings.boxes[sets.box], height, width)
        return sets.confidence, mask, given.classes.labels[int(readings.labels[sets.left[0]])]
