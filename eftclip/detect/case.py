"""What is known of one picture while it is judged, and a trigger that was proven in it."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from eftclip.config import DetectConfig
from eftclip.detect.reader import Reader
from eftclip.detect.transplant import Proof, Reference
from eftclip.trigger_kinds import Trigger
from eftclip.types import ClassMatrix, Detection, HostImages, LabelEvidence, Prediction, Rate, Status


@dataclass(eq=False)
class Case:
    """What is known of one picture so far, so that an incomplete search can say how far it came."""

    read: Reader
    classes: ClassMatrix
    config: DetectConfig
    hosts: HostImages
    reference: Reference | None
    generator: torch.Generator
    predictions: tuple[Prediction, ...] = ()
    difference: tuple[LabelEvidence, ...] = ()
    examined: int = 0
    regions: int = 0
    doubts: list[str] = field(default_factory=list)
    explained: list[str] = field(default_factory=list)

    def inconclusive(self, reason: str) -> Detection:
        """A verdict that claims nothing."""
        return self._end(Status.INCONCLUSIVE, reason)

    def not_found(self, reason: str) -> Detection:
        """A complete search that found nothing."""
        return self._end(Status.NOT_FOUND, reason)

    def _end(self, status: Status, reason: str) -> Detection:
        return Detection(
            status,
            reason,
            self.predictions,
            self.difference,
            examined=self.examined,
            regions=self.regions,
            image_forwards=self.read.forwards,
        )


@dataclass(frozen=True, eq=False)
class Carrier:
    """A proven trigger: where it is, what it is, its proof, and what the reference made of it."""

    mask: Tensor
    trigger: Trigger
    proof: Proof
    control: Rate | None
