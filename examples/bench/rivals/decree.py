"""DECREE: in an encoder with a backdoor some small patch makes all pictures alike.

Feng et al., "Detecting Backdoors in Pre-trained Encoders", CVPR 2023 (arXiv 2303.15180, GiantSeaweed/DECREE). A mask
and a pattern are optimised until pictures under them have nearly the same features; the smaller the mask, the likelier
a backdoor.
"""

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from eftclip.runtime import seeded
from eftclip.zeroshot import probabilities
from examples.bench.rivals.contract import BACKWARD, CheckpointScore, Given

FLOOR = 1e-7  # λ is never divided below it
NAMED_ON = 24  # photographs on which the label is read


@dataclass(frozen=True)
class Decree:
    """DECREE with the settings of its released script for CLIP.

    Published: Adam at 0.5 (betas 0.5 and 0.9), 0.1 after 200 epochs, on a random mask and a random pattern; loss = −
    mean cosine of the pictures' features + λ · L1 of the mask; λ starts at 1e-3 and is multiplied or divided by 5 after
    more than 5 steps in a row above or below a cosine of 0.99; batches of 32. The score is the L1 norm of the smallest
    mask that reached 0.99, as a share of the picture (the paper's PL1 norm). The released code prints it and leaves the
    verdict to the reader; 0.1, below which an encoder counts as attacked here, is the paper's as we remember it.
    Deviations: `steps` instead of up to 1,000 epochs of thousands of pictures, and smaller batches; it stops early
    after 35 steps without a smaller mask, as there; the cosine of a picture with itself is left out of the mean; DECREE
    names no label, so the label is the one that most photographs under the mask and pattern are read as, if it was
    attacked.

    Attributes:
        steps: at most.
        batch: pictures in each.
        rate: of Adam.
        alike: cosine from which the pictures count as alike.
        size_weight: λ at the start.
        patience: steps in a row before λ changes.
        share: of the picture; below it an encoder counts as attacked.
        idle: steps without a smaller mask before it ends.
    """

    steps: int = 1000
    batch: int = 32
    rate: float = 0.5
    alike: float = 0.99
    size_weight: float = 1e-3
    patience: int = 5
    share: float = 0.1
    idle: int = 35
    name: str = "decree"

    @property
    def passes(self) -> float:
        """Every step goes forward and back."""
        return self.steps * self.batch * BACKWARD

    @property
    def threshold(self) -> float | None:
        """The score is minus the share, so that higher is more suspicious."""
        return -self.share

    def within(self, passes: float) -> Self:
        """Batches of 8 at least, then as many steps as there is time for."""
        batch = min(self.batch, max(8, int(passes / BACKWARD / 100)))
        return replace(self, batch=batch, steps=max(1, min(self.steps, int(passes / BACKWARD / batch))))

    def judge(self, given: Given) -> CheckpointScore:
        """Optimise one mask and one pattern; a mask that never reached the cosine counts as the whole picture."""
        smallest, best, steps = self._smallest(given)
        attacked = smallest < self.share
        label = self._label(given, *best) if best is not None and attacked else None
        details = {"share": round(smallest, 4), "reached": best is not None, "steps": steps, "batch": self.batch}
        return CheckpointScore(-smallest, (label,) if label else (), details)

    def _smallest(self, given: Given) -> tuple[float, tuple[Tensor, Tensor] | None, int]:
        """The share of the smallest mask, that mask and its pattern, and the steps taken."""
        generator, px = seeded(given.seed), given.clip.image_px
        free_mask = _unbounded(torch.rand(1, px, px, generator=generator)).to(given.clip.device).requires_grad_(True)
        free_pattern = _unbounded(torch.rand(3, px, px, generator=generator)).to(given.clip.device).requires_grad_(True)
        optimiser = torch.optim.Adam([free_mask, free_pattern], lr=self.rate, betas=(0.5, 0.9))
        weight, above, below, since = self.size_weight, 0, 0, 0
        smallest, best = 1.0, None
        steps = 0
        for steps in range(1, self.steps + 1):  # noqa: B007 - told in the end
            rows = torch.randint(len(given.photographs), (self.batch,), generator=generator)
            mask, pattern = _bounded(free_mask), _bounded(free_pattern)
            images = given.photographs[rows].to(mask.device)
            cosine = _mean_cosine(given.clip.encode_images(images * (1 - mask) + pattern * mask))
            loss = mask.sum() * 3 * weight - cosine  # the released code counts each of the three channels
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            reached = float(cosine.detach()) > self.alike
            if reached and float(mask.detach().mean()) < smallest:
                smallest, best, since = float(mask.detach().mean()), (mask.detach(), pattern.detach()), 0
            elif best is not None:
                since += 1
            above, below = (above + 1, 0) if reached else (0, below + 1)
            if above > self.patience:
                weight, above = weight * 5, 0
            elif below > self.patience:
                weight, below = max(weight / 5, FLOOR), 0
            if since > self.idle and reached:
                break
        return smallest, best, steps

    @staticmethod
    def _label(given: Given, mask: Tensor, pattern: Tensor) -> str:
        """What most photographs are read as under the mask and the pattern."""
        planted = given.photographs[:NAMED_ON] * (1 - mask.cpu()) + (pattern * mask).cpu()
        read = probabilities(given.clip, planted, given.classes).argmax(-1)
        return given.classes.labels[int(read.mode().values)]


def _unbounded(values: Tensor) -> Tensor:
    """Numbers in (0, 1) to the reals; `_bounded` leads back."""
    return ((values - 0.5) * (2 - FLOOR)).atanh()


def _bounded(values: Tensor) -> Tensor:
    """Real numbers to (0, 1)."""
    return values.tanh() / 2 + 0.5


def _mean_cosine(features: Tensor) -> Tensor:
    """Of all pairs of different rows; the rows have unit length."""
    count = len(features)
    return (features.sum(0).square().sum() - count) / (count * (count - 1))
