"""The algorithms that judge a picture, by name; all take the same and return the same."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from eftclip.config import AS_PUBLISHED, OURS, DetectConfig
from eftclip.detect.algorithm import detect
from eftclip.detect.paper import detect_as_published
from eftclip.detect.transplant import Reference
from eftclip.runtime import Cancelled, OnProgress
from eftclip.types import SEARCHED_KINDS, ClassMatrix, ClipModel, Detection, HostImages, Oracle


class Judge(Protocol):
    """Judges one picture; see `eftclip.detect.detect`."""

    def __call__(
        self,
        clip: ClipModel,
        image: Tensor,
        classes: ClassMatrix,
        oracle: Oracle,
        config: DetectConfig,
        *,
        hosts: HostImages,
        reference: Reference | None,
        generator: torch.Generator,
        on_progress: OnProgress,
        cancelled: Cancelled,
    ) -> Detection:
        """A verdict."""
        ...


@dataclass(frozen=True)
class Algorithm:
    """One way to judge a picture.

    Attributes:
        judge: does it.
        kinds: of triggers that it looks for, of `eftclip.types.KINDS`.
    """

    judge: Judge
    kinds: tuple[str, ...]


ALGORITHMS = {
    OURS: Algorithm(detect, SEARCHED_KINDS),
    AS_PUBLISHED: Algorithm(detect_as_published, ("patch",)),
}
