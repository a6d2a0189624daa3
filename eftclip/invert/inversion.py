"""Triggers without a single poisoned picture: which small patch would take over any photograph?

A backdoor is a shortcut: some small patch makes every photograph mean the same. That patch need not be known to be
found: the pixels of a patch are moved, by gradient, until photographs that carry it are as alike to the model as they
can be. A model without a backdoor has no such patch, so what is reached says which it is. The idea is that of DECREE
(CVPR 2023), which looks at encoders without labels; here the patch is small and goes anywhere, and what it forces is
named.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from eftclip.config import InvertConfig
from eftclip.runtime import Cancelled, OnProgress, Progress, ignore, never, seeded
from eftclip.trigger_kinds import PatchTrigger
from eftclip.types import ClassMatrix, ClipModel, Rate
from eftclip.zeroshot import probabilities

CHECKED = 24  # photographs that a patch is tried on while it grows
SURE = 0.95  # share of them from which it need not grow further


@dataclass(frozen=True, eq=False)
class InvertedTrigger:
    """A patch that came out of the weights.

    Attributes:
        trigger: the patch, its pixels in 8-bit steps.
        target: index of the label that most photographs take from it.
        taken: photographs that read as that label with the patch at a random place, of those that did not before.
    """

    trigger: PatchTrigger
    target: int
    taken: Rate


def invert(
    clip: ClipModel,
    classes: ClassMatrix,
    photographs: Tensor,
    config: InvertConfig,
    *,
    known: Sequence[int] = (),
    seed: int = 0,
    on_progress: OnProgress = ignore,
    cancelled: Cancelled = never,
) -> InvertedTrigger | None:
    """Grow one patch, away from the labels whose triggers are known.

        maximise  ‖mean f(x ⊕ p)‖²  −  Σ over known labels of mean max(0, f(x ⊕ p) · e)²

    Args:
        clip: the checkpoint under test; gradients go through it, its weights stay.
        classes: the label vocabulary.
        photographs: `(N, 3, image_px, image_px)` float32 RGB in [0, 1], varied; the last quarter is only tried on.
        config: size, steps and rate.
        known: indices of labels whose triggers were found before.
        seed: of the first pixels, and of every draw.
        on_progress: told after every step.
        cancelled: asked before every step.

    Returns:
        the patch, whatever it reached; None when the work was stopped.
    """
    generator, side = seeded(seed), max(4, round(config.patch_share * clip.image_px))
    grown, tried = photographs[: -len(photographs) // 4], photographs[-(len(photographs) // 4) :][:CHECKED]
    before = probabilities(clip, tried, classes).argmax(-1)
    free = (0.5 * torch.randn(3, side, side, generator=generator)).requires_grad_(True)
    optimiser = torch.optim.Adam([free], lr=config.rate)
    away = classes.matrix[:, list(known)].T.to(clip.device)
    for step in range(config.steps):
        if cancelled():
            return None
        rows = torch.randint(len(grown), (config.batch,), generator=generator)
        features = clip.encode_images(_with(grown[rows], free.sigmoid(), generator))
        alike = features.mean(0).square().sum()
        loss = (features @ away.T).clamp_min(0).square().mean(0).sum() - alike
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        on_progress(Progress("Inverting a trigger", step + 1, config.steps))
        if (step + 1) % config.check_every == 0 or step + 1 == config.steps:
            found = _named(clip, classes, tried, before, free, known)
            if found.taken.value >= SURE:
                break
    return found


def _with(images: Tensor, patch: Tensor, generator: torch.Generator) -> Tensor:
    """The patch at a random place of each picture, so that gradients reach it."""
    side, out = patch.shape[-1], []
    for image in images:
        x = int(torch.randint(image.shape[-1] - side + 1, (), generator=generator))
        y = int(torch.randint(image.shape[-2] - side + 1, (), generator=generator))
        edges = (x, image.shape[-1] - side - x, y, image.shape[-2] - side - y)
        hole = torch.nn.functional.pad(torch.ones(1, side, side), edges)
        out.append(image * (1 - hole) + torch.nn.functional.pad(patch, edges))
    return torch.stack(out)


def _named(
    clip: ClipModel, classes: ClassMatrix, tried: Tensor, before: Tensor, free: Tensor, known: Sequence[int]
) -> InvertedTrigger:
    """What the patch does to photographs it was not grown on; `before` is `(N,)`, their labels without it."""
    pixels = (free.detach().sigmoid() * 255).round() / 255
    patch = PatchTrigger(pixels, torch.ones(pixels.shape[1:], dtype=torch.bool))
    after = probabilities(clip, patch.plant(tried, generator=seeded(1)).images, classes).argmax(-1)
    fresh = after[~torch.isin(after, torch.tensor(list(known), dtype=after.dtype))]
    target = int((fresh if len(fresh) else after).mode().values)
    others = before != target
    return InvertedTrigger(patch, target, Rate(int((after[others] == target).sum()), int(others.sum())))
