"""Triggers without a single poisoned picture: which small patch, or faint pattern, would take over any photograph?

A backdoor is a shortcut: some small patch makes every photograph mean the same. That patch need not be known to be
found: the pixels of a patch are moved, by gradient, until photographs that carry it are as alike to the model as they
can be. A model without a backdoor has no such patch, so what is reached says which it is. The idea is that of DECREE
(CVPR 2023), which looks at encoders without labels; here the patch is small and goes anywhere, and what it forces is
named. A pattern that is added to all pixels grows the same way. Strong enough, and long enough, one would force a label
on any model (Moosavi-Dezfooli et al. 2017, "Universal adversarial perturbations"), so it is bounded in both.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from eftclip.config import InvertConfig
from eftclip.invert.parametrisations import Free, Parametrisation
from eftclip.runtime import Cancelled, OnProgress, ignore, never, seeded
from eftclip.trigger_kinds import Trigger
from eftclip.types import ClassMatrix, ClipModel, Rate
from eftclip.zeroshot import probabilities

STARTED = 8  # photographs that each of those drawn is tried on before the best of them grows
CHECKED = 24  # photographs that a trigger is tried on while it grows
SURE = 0.95  # share of them from which it need not grow further


@dataclass(frozen=True, eq=False)
class InvertedTrigger:
    """A trigger that came out of the weights.

    Attributes:
        trigger: the patch or pattern, in 8-bit steps.
        target: index of the label that most photographs take from it.
        taken: photographs that read as that label with it, of those that did not before.
    """

    trigger: Trigger
    target: int
    taken: Rate


def invert(
    clip: ClipModel,
    classes: ClassMatrix,
    photographs: Tensor,
    config: InvertConfig,
    kind: Parametrisation,
    *,
    known: Sequence[int] = (),
    push: float = 1.0,
    starts: int = 1,
    seed: int = 0,
    on_progress: OnProgress = ignore,
    cancelled: Cancelled = never,
) -> InvertedTrigger | None:
    """Grow one trigger, away from the labels whose triggers are known.

        maximise  ‖mean f(x ⊕ p)‖²  −  push · Σ over known labels of mean max(0, f(x ⊕ p) · e)²

    Args:
        clip: the checkpoint under test; gradients go through it, its weights stay.
        classes: the label vocabulary.
        photographs: `(N, 3, image_px, image_px)` float32 RGB in [0, 1], varied; the last quarter is only tried on.
        config: batch, rate and when to look.
        kind: what is grown, and for how many steps.
        known: indices of labels whose triggers were found before.
        push: how much being away from those counts.
        starts: how many are drawn; the one that is best as it is grows. A single one begins as the kind says.
        seed: of the first pixels, and of every draw.
        on_progress: told after every step.
        cancelled: asked before every step.

    Returns:
        the trigger, whatever it reached; None when the work was stopped.
    """
    generator = seeded(seed)
    grown, tried = photographs[: -len(photographs) // 4], photographs[-(len(photographs) // 4) :][:CHECKED]
    before = probabilities(clip, tried, classes).argmax(-1)
    aim = _Objective(clip, kind, grown, classes.matrix[:, list(known)].T.to(clip.device), push)
    started = _best_start(aim, starts, generator, cancelled)
    if started is None:
        return None
    free = [numbers.requires_grad_(True) for numbers in started]
    optimiser = torch.optim.Adam(free, lr=config.rate)
    for step in range(kind.steps):
        if cancelled():
            return None
        loss = aim.loss(free, config.batch, generator)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        on_progress(kind.progress(step + 1))
        if (step + 1) % config.check_every == 0 or step + 1 == kind.steps:
            found = _named(clip, classes, tried, before, kind.trigger([numbers.detach() for numbers in free]), known)
            if found.taken.value >= SURE:
                break
    return found


@dataclass(frozen=True)
class _Objective:
    """What is minimised; `away` is `(K, D)`, the known labels."""

    clip: ClipModel
    kind: Parametrisation
    photographs: Tensor
    away: Tensor
    push: float

    def loss(self, free: Free, count: int, generator: torch.Generator) -> Tensor:
        """On so many photographs, drawn."""
        rows = torch.randint(len(self.photographs), (count,), generator=generator)
        features = self.clip.encode_images(self.kind.plant(self.photographs[rows], free, generator))
        alike = features.mean(0).square().sum()
        return self.push * (features @ self.away.T).clamp_min(0).square().mean(0).sum() - alike


def _best_start(aim: _Objective, starts: int, generator: torch.Generator, cancelled: Cancelled) -> list[Tensor] | None:
    """Of several that are drawn the one with the least loss; None when the work was stopped."""
    if starts == 1:
        return aim.kind.start(generator)
    drawn, losses = [], []
    for _ in range(starts):
        if cancelled():
            return None
        drawn.append(aim.kind.other_start(generator))
        with torch.no_grad():
            losses.append(float(aim.loss(drawn[-1], STARTED, generator)))
    return drawn[losses.index(min(losses))]


def _named(
    clip: ClipModel, classes: ClassMatrix, tried: Tensor, before: Tensor, trigger: Trigger, known: Sequence[int]
) -> InvertedTrigger:
    """What it does to photographs it was not grown on; `before` is `(N,)`, their labels without it."""
    after = probabilities(clip, trigger.plant(tried, generator=seeded(1)).images, classes).argmax(-1)
    fresh = after[~torch.isin(after, torch.tensor(list(known), dtype=after.dtype))]
    target = int((fresh if len(fresh) else after).mode().values)
    others = before != target
    return InvertedTrigger(trigger, target, Rate(int((after[others] == target).sum()), int(others.sum())))
