"""The CLIP under test, read many times: it counts what goes through it and listens for a cancel."""

from collections.abc import Callable

from torch import Tensor

from eftclip.runtime import Cancelled, OnProgress, Progress
from eftclip.types import ClassMatrix, ClipModel, HostImages
from eftclip.zeroshot import probabilities


class Stopped(Exception):
    """The user cancelled; what was found so far does not make a verdict."""


class Reader:
    """Reads pictures as probabilities of the labels.

    Attributes:
        forwards: pictures that went through the model.
    """

    def __init__(self, clip: ClipModel, classes: ClassMatrix, on_progress: OnProgress, cancelled: Cancelled) -> None:
        """Start counting."""
        self._clip, self._classes = clip, classes
        self._on_progress, self._cancelled = on_progress, cancelled
        self.forwards = 0

    def __call__(self, images: Tensor, stage: str) -> Tensor:
        """`(N, 3, H, W)` in [0, 1] to `(N, C)` probabilities.

        Raises:
            Stopped: the user cancelled.
        """
        self.pause(stage, len(images))
        self.forwards += len(images)
        return probabilities(self._clip, images, self._classes)

    def pause(self, stage: str, count: int) -> None:
        """Before some work, also of another model: tell of it, and listen for a cancel.

        Raises:
            Stopped: the user cancelled.
        """
        if self._cancelled():
            raise Stopped
        self._on_progress(Progress(stage, 0, count))


def read_hosts(clip: ClipModel, images: Tensor, classes: ClassMatrix) -> HostImages:
    """Read strangers' photographs once, for all the pictures that will be judged."""
    return HostImages(images, probabilities(clip, images, classes))


Read = Callable[[Tensor, str], Tensor]
