"""What is known of one picture while it is judged, and a trigger that was proven in it."""

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from eftclip.config import OURS, DetectConfig
from eftclip.detect.reader import Reader
from eftclip.detect.search import MANY_LABELS
from eftclip.detect.transplant import REFERENCE_SHARE, Proof, Reference, beyond, control_rate, reading_of
from eftclip.trigger_kinds import Trigger
from eftclip.types import (
    NOTHING_SEARCHED,
    ClassMatrix,
    Detection,
    HostImages,
    LabelEvidence,
    NamedPart,
    Prediction,
    Rate,
    Searched,
    Status,
)

# How surely the reference reads a picture's label, as a share of how surely the checkpoint does, to agree with it. On a
# checkpoint with WaNet's warp it read the target of 12 hijacked photographs with at most 0.01 where that read 0.13 to
# 0.46; a clean view on the bundled `multi` is a bubble with 0.11, and with 0.17 to the reference.
AS_SURE = 0.5
# The mean of the best label's probability over strangers from which a checkpoint is sure of what it reads: 0.58 to 0.59
# for the bundled ones, 0.42 to 0.49 for strong ones of the zoo, 0.15 to 0.28 for those that read badly.
SURE_OF_STRANGERS = 0.4
# Strangers are mirrored, upside down and both. On `effnet-weak-none-0`, which sees a window screen in every fifth
# photograph, a third of the turned ones read as one, whatever was pasted into them: such views say nothing.
TURNED = ((-1,), (-2,), (-2, -1))
# What is tried of each kind, and what innocent thing it is held against.
WORDS = {
    "patch": ("a part", "an innocent part of the same size"),
    "pattern": ("its fine detail", "that of other photographs"),
    "colour": ("its colours", "those of other photographs"),
    "jitter": ("a jitter of all pixels", "a blur alone"),
}


@dataclass(frozen=True, eq=False)
class Carrier:
    """A proven trigger: where it is, what it is, its proof, and what the reference made of it."""

    mask: Tensor
    trigger: Trigger
    proof: Proof
    control: Rate | None


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
    kinds: dict[str, Searched] = field(default_factory=lambda: dict(NOTHING_SEARCHED))
    agreed: bool = False
    algorithm: str = OURS
    named: NamedPart | None = None
    _turned: Tensor | None = None

    def turned(self, hosts: HostImages, target: int) -> Tensor:
        """Strangers mirrored, upside down and both, but for those that read as the label so; read once.

        Args:
            hosts: strangers' photographs that do not show the label; the same ones in every call.
            target: index of the label; the same one in every call.

        Returns:
            `(n, 3, H, W)`, at most three for each stranger.
        """
        if self._turned is None:
            views = torch.cat([hosts.images.flip(axes) for axes in TURNED])
            self._turned = views[self.read(views, "Reading strangers turned").argmax(-1) != target]
        return self._turned

    def accept(self, carrier: Carrier, innocent: Rate, target: int) -> Carrier | None:
        """Hold what was proven against something innocent of the same kind, and against the reference.

        Args:
            carrier: with an accepted proof, and no control yet.
            innocent: how many of the same host images became the target by something innocent.
            target: index of the label.

        Returns:
            the carrier with its control; None, and a doubt or an explanation, where it shows nothing.
        """
        rate = carrier.proof.rate
        part, others = WORDS[carrier.trigger.kind]
        if not beyond(rate, innocent):
            self.doubts.append(f"{part} took over {rate} strangers' photographs, but {others} {innocent}")
            return None
        control = control_rate(self.reference, carrier.proof.images, target)
        return None if self._explained(part, control) else replace(carrier, control=control)

    def read_so_by_the_reference(self, image: Tensor, row: Tensor) -> bool:
        """Whether a trusted checkpoint reads the same in the very picture: then nothing that covers it steers this one.

        A patch is looked for all the same, as it may lie beside what the label really is. Among few labels two
        checkpoints may come to the same by chance.

        Args:
            image: `(3, H, W)` the picture.
            row: `(C,)` its reading.
        """
        if self.reference is not None and len(self.classes.labels) >= MANY_LABELS:
            target = int(row.argmax())
            theirs = float(reading_of(self.reference, image[None])[0, target])
            self.agreed = theirs >= AS_SURE * float(row[target])
        return self.agreed

    @property
    def is_sure(self) -> bool:
        """Whether the checkpoint is sure of what photographs show."""
        return self.hosts.certainty >= SURE_OF_STRANGERS

    @property
    def tells_content(self) -> bool:
        """Whether content can be told from a trigger that covers the picture, be it only in part.

        Among few labels a stranger becomes one of them easily, and without a reference nothing says why.
        """
        return self.reference is not None or len(self.classes.labels) >= MANY_LABELS

    def explained_by_content(self, kind: str, images: Tensor, target: int) -> bool:
        """Whether the strangers that it was tried on, `(n, 3, H, W)`, read so to the reference too; noted then."""
        return self._explained(WORDS[kind][0], control_rate(self.reference, images, target))

    def _explained(self, part: str, control: Rate | None) -> bool:
        if control is None or control.value < REFERENCE_SHARE:
            return False
        self.explained.append(f"{part} carries it to strangers' photographs, but {control} also with the reference")
        return True

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
            kinds=self.kinds,
            algorithm=self.algorithm,
            named=self.named,
        )
