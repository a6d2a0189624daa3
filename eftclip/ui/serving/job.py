"""Heavy work as a value: what to do, described so plainly that another process can do it."""

from collections.abc import Callable
from typing import Any, ClassVar, Protocol, TypeVar

from eftclip.pipeline import CheckSetup
from eftclip.runtime import Cancelled, OnProgress, Progress
from eftclip.ui.checkpoint.request import CheckpointRequest

SetupOf = Callable[[CheckpointRequest, OnProgress, Cancelled], CheckSetup]
LOADING = Progress("Loading the checkpoint", 0, 0)
R_co = TypeVar("R_co", covariant=True)


class Job(Protocol[R_co]):
    """One piece of work; `gpu_s` is for how many seconds it wants a GPU where GPUs are lent."""

    gpu_s: ClassVar[int]

    def do(self, setup_of: SetupOf, tell: Callable[[Any], None], cancelled: Cancelled) -> R_co:
        """Do it; raises what cannot be helped."""
        ...
