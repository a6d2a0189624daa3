"""The work of a check."""

from dataclasses import dataclass
from typing import ClassVar

from eftclip import pipeline
from eftclip.runtime import Cancelled, OnProgress, Stopwatch
from eftclip.types import CheckRecord
from eftclip.ui.checkpoint.request import CheckpointRequest
from eftclip.ui.components.uploads import read_upload
from eftclip.ui.serving.job import SetupOf


@dataclass(frozen=True)
class CheckJob:
    """Judge the picture in a file.

    Attributes:
        request: which checkpoint, and how.
        path: of the picture.
        name: what the visitor knows it by.
    """

    request: CheckpointRequest
    path: str
    name: str
    gpu_s: ClassVar[int] = 60

    def do(self, setup_of: SetupOf, tell: OnProgress, cancelled: Cancelled) -> tuple[CheckRecord, float]:
        """The full record, and the seconds that the search took without loading anything."""
        picture = read_upload(self.path)
        setup = setup_of(self.request, tell, cancelled)
        watch, seed = Stopwatch(), self.request.seed
        checked = pipeline.check_picture(setup, picture, self.name, seed=seed, on_progress=tell, cancelled=cancelled)
        return pipeline.record(setup, (checked,), seed=seed), watch.seconds
