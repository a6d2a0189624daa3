"""InverTune's first two stages: which label a universal perturbation shifts pictures to, and a trigger for that label.

What is known of them is in `invertune`, with the deviations.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from eftclip.rectify.methods.base import Preparation, own_of
from eftclip.runtime import Progress, seeded
from eftclip.types import Rate
from eftclip.zeroshot import probabilities

PATCH_SHARE, MARGIN = 0.03, 14 / 224  # of the picture's area, and from its lower right corner as a share of its side
PATCH_RATE, RATE = 0.1, 0.01  # of Adam, for the patch's logits, and for mask and trigger
TEMPERATURE = 0.07
TO_LABEL, TO_PICTURES, ALIKE, SMALL = 5.0, 0.5, 1.0, 0.01  # weights of the four parts of the inversion's loss
AT_ONCE = 16  # pictures in a step
WINDOW, SIGMA = 11, 1.5  # of the structural similarity


@dataclass(frozen=True, eq=False)
class Inverted:
    """A trigger that came out of the weights.

    Attributes:
        label: what it is for.
        mask: `(3, px, px)` in [0, 1], how much of a picture it hides.
        pattern: `(3, px, px)` RGB in [0, 1].
        taken: curated pictures of other readings that read as `label` with it.
        image_steps: pictures that went forward and backward.
    """

    label: str
    mask: Tensor
    pattern: Tensor
    taken: Rate
    image_steps: int

    def plant(self, images: Tensor) -> Tensor:
        """Pictures with it; gradients flow."""
        return planted(images, self.mask, self.pattern)


def planted(images: Tensor, mask: Tensor, pattern: Tensor) -> Tensor:
    """A pattern laid over pictures through a mask."""
    return mask * pattern + (1 - mask) * images


def invert_trigger(before: Preparation) -> Inverted:
    """Find the label, then the trigger."""
    pictures = before.pictures
    read = probabilities(before.clip, pictures, before.classes).argmax(-1)
    patch, first = _universal_patch(before, pictures)
    target = shifted_to(read, probabilities(before.clip, patch, before.classes).argmax(-1))
    mask, pattern, second = _inverted(before, pictures, read, target)
    after = probabilities(before.clip, planted(pictures, mask, pattern), before.classes).argmax(-1)
    others = read != target
    taken = Rate(int((after[others] == target).sum()), int(others.sum()))
    return Inverted(before.classes.labels[target], mask, pattern, taken, first + second)


def shifted_to(before: Tensor, after: Tensor) -> int:
    """The label that most more pictures read as than before; both `(N,)` int64."""
    labels = torch.cat([before, after]).unique()
    gains = [int((after == label).sum()) - int((before == label).sum()) for label in labels]
    return int(labels[max(range(len(labels)), key=gains.__getitem__)])


def _universal_patch(before: Preparation, pictures: Tensor) -> tuple[Tensor, int]:
    """The pictures with one patch that takes all of them as far from their meaning as it can; and its image-steps."""
    generator, steps, px = seeded(before.seed), int(own_of(before.config, "patch_steps")), pictures.shape[-1]
    side, margin = max(1, int((PATCH_SHARE * px * px) ** 0.5)), round(MARGIN * px)
    edges = (px - margin - side, margin) * 2
    hole = F.pad(torch.ones(1, side, side), edges)
    free = torch.randn(3, side, side, generator=generator).requires_grad_(True)
    optimiser, image_steps = torch.optim.Adam([free], lr=PATCH_RATE), 0
    for step in range(steps):
        if before.cancelled():
            break
        part = pictures[torch.randint(len(pictures), (AT_ONCE,), generator=generator)]
        with torch.no_grad():
            meant = before.clip.encode_images(part)
        loss = (before.clip.encode_images(planted(part, hole, F.pad(free.sigmoid(), edges))) * meant).sum(-1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        image_steps += len(part)
        before.on_progress(Progress("Perturbing pictures", step + 1, steps))
    return planted(pictures, hole, F.pad(free.detach().sigmoid(), edges)), image_steps


def _inverted(before: Preparation, pictures: Tensor, read: Tensor, target: int) -> tuple[Tensor, Tensor, int]:
    """Mask and pattern that make any picture mean the target and change it as little as that takes."""
    generator, steps = seeded(before.seed + 1), int(own_of(before.config, "inversion_steps"))
    mask = torch.ones_like(pictures[0]).requires_grad_(True)
    pattern = torch.rand(pictures[0].shape, generator=generator).requires_grad_(True)
    optimiser, image_steps = torch.optim.Adam([mask, pattern], lr=RATE), 0
    matrix, shown = before.classes.matrix.to(before.clip.device), pictures[read == target][:1]
    with torch.no_grad():
        meant = before.clip.encode_images(shown) if len(shown) else None
    others = pictures[read != target] if bool((read != target).any()) else pictures
    for step in range(steps):
        if before.cancelled():
            break
        part = others[torch.randint(len(others), (AT_ONCE,), generator=generator)]
        changed = planted(part, mask, pattern)
        features = before.clip.encode_images(changed)
        wanted = torch.full((len(part),), target, device=features.device)
        loss = TO_LABEL * F.cross_entropy(features @ matrix / TEMPERATURE, wanted).cpu()
        loss = loss + ALIKE * (1 - similarity(changed, part)) + SMALL * mask.abs().sum()
        if meant is not None:
            loss = loss + TO_PICTURES * torch.linalg.vector_norm(features - meant).cpu()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        with torch.no_grad():
            mask.clamp_(0, 1)
            pattern.clamp_(0, 1)
        image_steps += len(part)
        before.on_progress(Progress("Inverting a trigger", step + 1, steps))
    return mask.detach(), pattern.detach(), image_steps


def similarity(ones: Tensor, others: Tensor) -> Tensor:
    """The mean structural similarity (Wang et al. 2004, SSIM) of `(N, 3, px, px)` pictures in [0, 1], at most 1."""
    places = torch.arange(WINDOW) - WINDOW // 2
    weights = torch.exp(-(places**2) / (2 * SIGMA**2))
    weights = (weights / weights.sum()).repeat(3, 1, 1, 1)

    def blurred(pictures: Tensor) -> Tensor:
        return F.conv2d(F.conv2d(pictures, weights, groups=3), weights.transpose(-1, -2), groups=3)

    mean_one, mean_other = blurred(ones), blurred(others)
    one, other = blurred(ones**2) - mean_one**2, blurred(others**2) - mean_other**2
    both = blurred(ones * others) - mean_one * mean_other
    bright, structure = 0.01**2, 0.03**2  # keep the quotients finite where a picture is black or flat
    alike = (2 * mean_one * mean_other + bright) / (mean_one**2 + mean_other**2 + bright)
    return (alike * (2 * both + structure) / (one + other + structure)).mean()
