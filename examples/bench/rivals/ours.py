"""Our own method behind the contract of its rivals, so that all are run in the same way."""

from dataclasses import dataclass, field, replace
from typing import Self

import torch
from torch import Tensor

from eftclip.config import InvertConfig
from eftclip.invert.inversion import STARTED
from eftclip.pipeline.audit import audit
from eftclip.pipeline.check import judge_square
from eftclip.types import Detection, Status
from examples.bench.rivals.contract import BACKWARD, CheckpointScore, Given, PictureScores, Scorer

LEAST_STEPS = 20  # of a patch: on the bundled checkpoints they are enough where there is a backdoor


@dataclass(frozen=True)
class Check:
    """`eftclip check` with its defaults and without a reference checkpoint, which no rival has.

    The score is the share of strangers that the trigger takes over, 0 where none is found, so its published threshold
    is 0: whatever is found is accused. Pictures that end `inconclusive` or as an `error` score 0 and are counted as
    undecided.

    Attributes:
        name: in tables and on the command line.
        passes: what one clean picture took, in the mean, on the bundled checkpoints.
    """

    name: str = "eftclip"
    passes: float = 40.0

    def prepare(self, given: Given) -> Scorer:
        """The strangers were read with the setup."""
        setup = replace(given.setup, reference=None)

        def score(images: Tensor) -> PictureScores:
            verdicts = [judge_square(setup, image, seed=given.seed) for image in images]
            return PictureScores(
                torch.tensor([_share(verdict) for verdict in verdicts]),
                torch.stack([_mask(verdict, image) for verdict, image in zip(verdicts, images, strict=True)]),
                tuple(verdict.trigger.target_label if verdict.trigger else None for verdict in verdicts),
                torch.tensor([verdict.status in (Status.INCONCLUSIVE, Status.ERROR) for verdict in verdicts]),
            )

        return score

    def published(self, clean: Tensor) -> float | None:
        """Whatever is found is accused."""
        del clean
        return 0.0


@dataclass(frozen=True)
class Audit:
    """The audit of a checkpoint alone, without a reference checkpoint.

    The score is the largest share of strangers that a grown patch takes over, 0 where none is proven; whatever is found
    is accused.

    Attributes:
        config: settings; `within` bounds the steps of a patch.
        name: in tables and on the command line.
    """

    config: InvertConfig = field(default_factory=InvertConfig)
    name: str = "eftclip_audit"

    @property
    def passes(self) -> float:
        """Of a checkpoint without a backdoor: `patience` patches that force nothing, and as many patterns."""
        return self._a_step * (self.config.steps + self.config.pattern_steps) + self._begun

    @property
    def _a_step(self) -> float:
        """Passes for one step of all that are grown."""
        return self.config.patience * self.config.batch * BACKWARD

    @property
    def _begun(self) -> float:
        """Passes for all that are drawn before the best of them grows; there is one of the first."""
        return (self.config.patience - 1) * self.config.starts * STARTED

    @property
    def threshold(self) -> float | None:
        """Whatever is found is accused."""
        return 0.0

    def within(self, passes: float) -> Self:
        """Fewer steps for a patch, `LEAST_STEPS` at least; where even those are too many, one try of each kind."""
        least = replace(self, config=replace(self.config, steps=LEAST_STEPS))
        tried = self if passes >= least.passes else replace(self, config=replace(self.config, patience=1))
        steps = int((passes - tried._begun) / tried._a_step) - self.config.pattern_steps
        return replace(tried, config=replace(tried.config, steps=min(self.config.steps, max(LEAST_STEPS, steps))))

    def judge(self, given: Given) -> CheckpointScore:
        """Grow patches and patterns out of the weights."""
        families = audit(replace(given.setup, reference=None), self.config, seed=given.seed).families
        ranked = sorted(families, key=lambda family: -family.transplant.value)
        details = {
            "steps": self.config.steps,
            "taken": [[family.target_label, family.transplant.hits, family.transplant.total] for family in ranked],
        }
        labels = tuple(dict.fromkeys(family.target_label for family in ranked))
        return CheckpointScore(ranked[0].transplant.value if ranked else 0.0, labels, details)


def _share(verdict: Detection) -> float:
    return verdict.trigger.transplant.value if verdict.trigger else 0.0


def _mask(verdict: Detection, image: Tensor) -> Tensor:
    if verdict.trigger is None:
        return torch.zeros(image.shape[-2:], dtype=torch.bool)
    return verdict.trigger.mask.bool()
