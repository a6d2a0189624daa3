"""Triggers without a single poisoned picture: which small patch, or faint pattern, would take over any photograph?

A backdoor is a shortcut: some small patch makes every photograph mean the same. That patch need not be known to be
found: the pixels of a patch are moved, by gradient, until photographs that carry it are as alike to the model as they
can be. A model without a backdoor has no such patch, so what is reached says which it is. The idea is that of DECREE
(CVPR 2023), which looks at encoders without labels; here the patch is small and goes anywhere, and what it forces is
named. A pattern that is added to all pixels grows the same way. Strong enough, and long enough, one would force a label
on any model (Moosavi-Dezfooli et al. 2017, "Universal adversarial perturbations"), so it is bounded in both.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from eftclip.config import InvertConfig
from eftclip.invert.parametrisations import Free, Parametrisation
from eftclip.runtime import Cancelled, OnProgress, Progress, ignore, never, seeded
from eftclip.trigger_kinds import Trigger
from eftclip.types import ClassMatrix, ClipModel, Rate
from eftclip.zeroshot import probabilities

STARTED = 8  # photographs that each of those drawn is tried on before the best of them grows
CHECKED = 24  # photographs that a trigger is tried on while it grows
SURE = 0.95  # share of them from which it need not grow further
# Share from which what grows is a way to one label, and grows on towards it. Without a backdoor no patch took more than
# 3 of 24; of `effnet-strong-three-0` the third target stays at 17 and 18, and comes to 23 and 24 on that way.
STANDS_OUT = 1 / 3
Loss = Callable[[Tensor], Tensor]  # of `(n, D)` features


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
    towards: int | None = None,
    push: float = 1.0,
    starts: int = 1,
    seed: int = 0,
    on_progress: OnProgress = ignore,
    cancelled: Cancelled = never,
) -> InvertedTrigger | None:
    """Grow one trigger, towards one label, or away from those whose triggers are known.

        maximise  ‖mean f(x ⊕ p)‖²  −  push · Σ over known labels of mean max(0, f(x ⊕ p) · e)²

    What stays below `SURE`, but leads to one new label beyond `STANDS_OUT`, grows on towards that label.

    Args:
        clip: the checkpoint under test; gradients go through it, its weights stay.
        classes: the label vocabulary.
        photographs: `(N, 3, image_px, image_px)` float32 RGB in [0, 1], varied; the last quarter is only tried on.
        config: batch, rate and when to look.
        kind: what is grown, and for how many steps.
        known: indices of labels whose triggers were found before.
        towards: index of the label that it is to force; None for any.
        push: how much being away from those counts.
        starts: how many are drawn; the one that is best as it is grows. A single one begins as the kind says.
        seed: of the first pixels, and of every draw.
        on_progress: told after every start and every step.
        cancelled: asked before every start and every step.

    Returns:
        the trigger, whatever it reached; None when the work was stopped.
    """
    generator = seeded(seed)
    grown, tried = photographs[: -len(photographs) // 4], photographs[-(len(photographs) // 4) :][:CHECKED]
    aim = _Objective(clip, classes, kind, grown, tuple(known), push)
    loss = aim.alike if towards is None else partial(aim.towards, towards)
    started = _best_start(aim, loss, starts, generator, on_progress, cancelled)
    if started is None:
        return None
    free = [numbers.requires_grad_(True) for numbers in started]
    growth = _Growth(aim, config, free, tried, generator, on_progress, cancelled)
    found = growth.moved(loss, kind.steps)
    if found is None or towards is not None or not kind.steps_towards or found.target in known:
        return found
    if not STANDS_OUT <= found.taken.value < SURE:
        return found
    return growth.moved(partial(aim.towards, found.target), kind.steps_towards)


@dataclass(frozen=True)
class _Objective:
    """What is minimised, first the one, then the other."""

    clip: ClipModel
    classes: ClassMatrix
    kind: Parametrisation
    photographs: Tensor
    known: tuple[int, ...]
    push: float

    def features(self, free: Free, count: int, generator: torch.Generator) -> Tensor:
        """`(count, D)` of photographs that are drawn, with what is grown."""
        rows = torch.randint(len(self.photographs), (count,), generator=generator)
        return self.clip.encode_images(self.kind.plant(self.photographs[rows], free, generator))

    def alike(self, features: Tensor) -> Tensor:
        """The less, the more alike they are to each other, and the less to the known labels."""
        away = self.classes.matrix[:, list(self.known)].to(features.device)
        pushed = (features @ away).clamp_min(0).square().mean(0).sum()
        return self.push * pushed - features.mean(0).square().sum()

    def towards(self, target: int, features: Tensor) -> Tensor:
        """The less, the more surely they read as one label."""
        logits = self.clip.logit_scale * features @ self.classes.matrix.to(features.device)
        return F.cross_entropy(logits, torch.full((len(features),), target, device=features.device))


@dataclass(eq=False)
class _Growth:
    """One trigger while it grows; `tried` are `(N, 3, H, W)`, photographs that it does not grow on."""

    aim: _Objective
    config: InvertConfig
    free: list[Tensor]
    tried: Tensor
    generator: torch.Generator
    on_progress: OnProgress
    cancelled: Cancelled

    def __post_init__(self) -> None:
        """The labels of `tried` as they are; `(N,)`."""
        self._optimiser = torch.optim.Adam(self.free, lr=self.config.rate)
        self._before = probabilities(self.aim.clip, self.tried, self.aim.classes).argmax(-1)

    def moved(self, loss: Loss, steps: int) -> InvertedTrigger | None:
        """What it is after so many steps, or once it is sure; None when the work was stopped."""
        found = None
        for step in range(1, steps + 1):
            if self.cancelled():
                return None
            self._optimiser.zero_grad()
            loss(self.aim.features(self.free, self.config.batch, self.generator)).backward()
            self._optimiser.step()
            self.on_progress(self.aim.kind.progress(step))
            if step % self.config.check_every == 0 or step == steps:
                found = self._named()
                if found.taken.value >= SURE:
                    break
        return found

    def _named(self) -> InvertedTrigger:
        """What it does to photographs that it does not grow on."""
        clip, classes, known, before = self.aim.clip, self.aim.classes, list(self.aim.known), self._before
        trigger = self.aim.kind.trigger([numbers.detach() for numbers in self.free])
        after = probabilities(clip, trigger.plant(self.tried, generator=seeded(1)).images, classes).argmax(-1)
        fresh = after[~torch.isin(after, torch.tensor(known, dtype=after.dtype))]
        target = int((fresh if len(fresh) else after).mode().values)
        others = before != target
        return InvertedTrigger(trigger, target, Rate(int((after[others] == target).sum()), int(others.sum())))


def _best_start(
    aim: _Objective,
    loss: Loss,
    starts: int,
    generator: torch.Generator,
    on_progress: OnProgress,
    cancelled: Cancelled,
) -> list[Tensor] | None:
    """Of several that are drawn the one with the least loss; None when the work was stopped."""
    if starts == 1:
        return aim.kind.start(generator)
    drawn, losses = [], []
    for count in range(1, starts + 1):
        if cancelled():
            return None
        drawn.append(aim.kind.other_start(generator))
        with torch.no_grad():
            losses.append(float(loss(aim.features(drawn[-1], STARTED, generator))))
        on_progress(Progress("Drawing what to begin with", count, starts))
    return drawn[losses.index(min(losses))]
