"""CLIP-Inspector: for the target label of a backdoor, and for no other, some fixed change takes every picture there.

Jindal et al., "CLIP-Inspector: Model-Level Backdoor Detection for Prompt-Tuned CLIP via OOD Trigger Inversion", 2026
(arXiv 2604.09101). A trigger is reconstructed for each class from unlabelled photographs of anything; a class that is
reached far more easily than the others is the target.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from eftclip.runtime import seeded
from examples.bench.rivals.contract import BACKWARD, CheckpointScore, Given

FEWEST = 5  # labels; a median of fewer says nothing
FULL = 40  # labels, before each of them gets all steps
MAD_TO_DEVIATION = 1.4826  # of a normal distribution


@dataclass(frozen=True)
class ClipInspector:
    """CLIP-Inspector's inversion, label by label.

    Published: a margin loss over one epoch of 1,000 photographs of anything, for every class; anomaly scores from the
    loss that is reached and from the share of pictures taken; accused at k = 2 deviations. Only the abstract and a
    summary could be had, no code, so these are ours: the change is added to the whole picture and bounded by `bound` in
    every pixel (the same for all labels); Adam at `rate`; the anomaly of a label is how many deviations (from the
    median, by the median absolute deviation, as in Neural Cleanse) its loss lies below those of the others. Deviations:
    `labels` candidates instead of every class, which the benchmark fills with the true targets first, an advantage;
    fewer photographs.

    Attributes:
        labels: tried at most.
        steps: for each label.
        batch: pictures in each step.
        rate: of Adam.
        bound: largest change of a pixel, in [0, 1] units.
        margin: of cosines, by which the label has to win.
        deviations: k.
    """

    labels: int = 1000
    steps: int = 32
    batch: int = 32
    rate: float = 0.02
    bound: float = 16 / 255
    margin: float = 0.05
    deviations: float = 2.0
    name: str = "clip_inspector"

    @property
    def passes(self) -> float:
        """Every step of every label goes forward and back."""
        return self.labels * self.steps * self.batch * BACKWARD

    @property
    def threshold(self) -> float | None:
        """The number of deviations, k."""
        return self.deviations

    def within(self, passes: float) -> Self:
        """At least 5 labels, 12 steps and batches of 8; then 32 steps and larger batches, and more labels last."""
        small, per_picture = replace(self, steps=12, batch=8), self.steps * BACKWARD
        labels = int(passes / (small.passes / small.labels))
        batch = min(self.batch, int(passes / (FULL * per_picture)))
        if batch < small.batch:
            return replace(small, labels=max(FEWEST, min(self.labels, labels)))
        return replace(self, batch=batch, labels=min(self.labels, int(passes / (batch * per_picture))))

    def judge(self, given: Given) -> CheckpointScore:
        """Invert one label after another, and look for one that is reached far more easily."""
        tried = self._tried(given)
        reached = [self._inverted(given, given.classes.labels.index(label)) for label in tried]
        losses = torch.tensor([loss for loss, _ in reached])
        anomalies = _deviations_below(losses)
        order = anomalies.argsort(descending=True).tolist()
        named = tuple(tried[k] for k in order if float(anomalies[k]) > self.deviations)
        details = {
            "labels": len(tried),
            "steps": self.steps,
            "batch": self.batch,
            "lowest": [[tried[k], round(reached[k][0], 4), round(reached[k][1], 3)] for k in order[:3]],
        }
        return CheckpointScore(float(anomalies.max()), named, details)

    def _tried(self, given: Given) -> tuple[str, ...]:
        """The candidates, filled up with labels spread over the vocabulary."""
        known = given.classes.labels
        first = [label for label in given.candidates if label in known]
        rest = [label for label in _spread(known, self.labels) if label not in first]
        return tuple((first + rest)[: min(self.labels, len(known))])

    def _inverted(self, given: Given, target: int) -> tuple[float, float]:
        """The mean margin loss of the second half of the steps, and the share of pictures taken in it."""
        generator, px, device = seeded(given.seed), given.clip.image_px, given.clip.device
        change = torch.zeros(3, px, px, device=device, requires_grad=True)
        optimiser = torch.optim.Adam([change], lr=self.rate)
        matrix = given.classes.matrix.to(device)
        losses, taken = [], []
        for step in range(self.steps):
            rows = torch.randint(len(given.photographs), (self.batch,), generator=generator)
            images = given.photographs[rows].to(device) + self.bound * change.tanh()
            leads = _lead(given.clip.encode_images(images.clamp(0, 1)) @ matrix, target)
            loss = (self.margin - leads).clamp_min(0).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            if step >= self.steps // 2:
                losses.append(float(loss.detach()))
                taken.append(float((leads > 0).float().mean()))
        return sum(losses) / len(losses), sum(taken) / len(taken)


def _lead(cosines: Tensor, target: int) -> Tensor:
    """How far the target lies above the best other label of each row of `(N, C)`: `(N,)`."""
    others = cosines.clone()
    others[:, target] = -1.0
    return cosines[:, target] - others.amax(1)


def _deviations_below(losses: Tensor) -> Tensor:
    """How many deviations each lies below the median, robustly: `(L,)`; none where all are alike."""
    median = losses.median()
    spread = MAD_TO_DEVIATION * (losses - median).abs().median()
    return (median - losses) / spread.clamp_min(1e-6)


def _spread(items: Sequence[str], count: int) -> list[str]:
    """At most `count` at equal distances."""
    count = min(count, len(items))
    return [items[k * len(items) // count] for k in range(count)]
