"""Cognitive Distillation: the smallest part of a picture that keeps its reading is tiny where a trigger decides it.

Huang et al., "Distilling Cognitive Backdoor Patterns within an Image", ICLR 2023 (HanxunH/CognitiveDistillation). A
mask is optimised for each picture so that the picture under the mask, with a random colour elsewhere, has the same
logits; the L1 norm of the mask is low for a picture with a trigger.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from eftclip.runtime import seeded
from examples.bench.rivals.contract import BACKWARD, Given, PictureScores, Scorer

AT_ONCE = 4  # pictures; a bound on memory


@dataclass(frozen=True)
class CognitiveDistillation:
    """Cognitive Distillation with the settings of its README, on zero-shot logits.

    Published: 100 steps of Adam at 0.1 (betas 0.1 and 0.1) on a mask of one channel; the L1 distance of the logits,
    plus 0.01 × the L1 norm of the mask, plus 10 × its total variation; accused is what lies more than one standard
    deviation below the mean of clean pictures. Deviations: the logits are the cosines with all labels times the
    checkpoint's own temperature (the authors' variant for CLIP, in Detect-CLIP-Backdoor-Samples, compares embeddings;
    on the bundled `badnets` its masks all vanished); the random colour of a step is the same for all pictures, so that
    a score does not depend on the batch; the paper only shows its masks as pictures, so a pixel counts as part of the
    trigger from the share `inside` of the mask's highest value on: where the logits need little, no pixel reaches a
    fixed one.

    Attributes:
        steps: of the optimiser.
        rate: of Adam.
        size_weight: on the L1 norm of the mask (the paper's α, `gamma` in the code).
        roughness_weight: on the total variation (β).
        inside: share of the mask's highest value from which a pixel counts as part of the trigger.
    """

    steps: int = 100
    rate: float = 0.1
    size_weight: float = 0.01
    roughness_weight: float = 10.0
    inside: float = 0.5
    name: str = "cognitive_distillation"

    @property
    def passes(self) -> float:
        """Every step goes forward and back."""
        return self.steps * BACKWARD

    def prepare(self, given: Given) -> Scorer:
        """Nothing is done before."""

        def score(images: Tensor) -> PictureScores:
            masks = torch.cat([self._masks(given, part) for part in images.split(AT_ONCE)])
            return PictureScores(-masks.sum((1, 2)), masks >= self.inside * masks.amax((1, 2), keepdim=True))

        return score

    def published(self, clean: Tensor) -> float | None:
        """One standard deviation from the mean of clean pictures (`t=1` in the code); None of fewer than two."""
        return float(clean.mean() + clean.std()) if len(clean) > 1 else None

    def _masks(self, given: Given, images: Tensor) -> Tensor:
        """The masks of some pictures, `(N, H, W)` in [0, 1]."""
        clip, images = given.clip, images.to(given.clip.device)
        matrix = clip.logit_scale * given.classes.matrix.to(clip.device)
        colours = torch.rand(self.steps, 1, 3, 1, 1, generator=seeded(given.seed)).to(clip.device)
        with torch.no_grad():
            wanted = clip.encode_images(images) @ matrix
        free = torch.ones(len(images), 1, *images.shape[-2:], device=clip.device, requires_grad=True)
        optimiser = torch.optim.Adam([free], lr=self.rate, betas=(0.1, 0.1))
        for colour in colours:
            mask = (free.tanh() + 1) / 2
            logits = clip.encode_images(images * mask + (1 - mask) * colour) @ matrix
            kept = (logits - wanted).abs().mean(1)
            size = self.size_weight * mask.sum((1, 2, 3))
            loss = kept + size + self.roughness_weight * _roughness(mask)
            optimiser.zero_grad()
            loss.sum().backward()
            optimiser.step()
        return ((free.detach().tanh() + 1) / 2)[:, 0].cpu()


def _roughness(mask: Tensor) -> Tensor:
    """The squared total variation of `(N, 1, H, W)` masks, per pixel: `(N,)`."""
    down = (mask[:, :, 1:] - mask[:, :, :-1]).square().sum((1, 2, 3))
    across = (mask[:, :, :, 1:] - mask[:, :, :, :-1]).square().sum((1, 2, 3))
    return (down + across) / mask[0].numel()
