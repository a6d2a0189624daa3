"""The work of a rectification, how it tells how far it is, and what it leaves."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from eftclip import pipeline
from eftclip.report import Document
from eftclip.runtime import Cancelled, paced
from eftclip.types import Identification, RunRecord, TuningStep
from eftclip.ui.checkpoint.request import CheckpointRequest
from eftclip.ui.rectify.request import RectifyRequest
from eftclip.ui.rectify.view import RectifyProgress
from eftclip.ui.scan import data_set
from eftclip.ui.scan.job import ScanResult
from eftclip.ui.serving.job import LOADING, SetupOf


@dataclass(frozen=True, eq=False)
class RectifyResult:
    """What a rectification wrote.

    Attributes:
        checkpoint: which one, and the settings of the check.
        archive: the packed checkpoint.
        document: of the run.
    """

    checkpoint: CheckpointRequest
    archive: Path
    document: Document


@dataclass(frozen=True)
class RectifyJob:
    """Rectify a checkpoint.

    Attributes:
        request: which, and how.
        scan: whose triggers are used; None to look for triggers in the weights.
        home: the folder that the rectified checkpoint is written to.
        token: for data sets of the Hub.
    """

    request: RectifyRequest
    scan: ScanResult | None
    home: Path
    token: Any
    gpu_s: ClassVar[int] = 240

    def do(self, setup_of: SetupOf, tell: Callable[[RectifyProgress], None], cancelled: Cancelled) -> RunRecord:
        """The record; the rectified checkpoint is in `home` if there is one."""
        reporter = RectifyReporter(tell)
        reporter.on_progress(LOADING)
        setup, images, found = setup_of(self.request.checkpoint, reporter.on_progress, cancelled), None, None
        if self.scan is not None:
            last, found = self.scan, self.scan.identification
            reporter.on_found(found)
            images = data_set.open_source(
                last.source, setup.clip.image_px, last.folder, last.checkpoint.seed, self.token
            ).images
        way = pipeline.RunOptions(
            on_progress=reporter.on_progress, on_found=reporter.on_found, on_step=reporter.on_step, cancelled=cancelled
        )
        seed = self.request.checkpoint.seed
        return pipeline.run_rectify(setup, images, self.request.plan, self.home, found=found, seed=seed, way=way)


@dataclass(eq=False)
class RectifyReporter:
    """A rectification as it goes; all of it is told each time, so news that nobody saw are not lost."""

    tell: Callable[[RectifyProgress], None]
    progress: RectifyProgress = field(default_factory=lambda: RectifyProgress(LOADING))

    def __post_init__(self) -> None:
        """`on_progress` is told how far the stage is."""
        self.on_progress = paced(lambda progress: self._say(progress=progress))

    def on_found(self, found: Identification) -> None:
        """What is known to be forced."""
        self._say(labels=found.affected_labels)

    def on_step(self, step: TuningStep) -> None:
        """A look at the held-out pictures."""
        self._say(steps=(*self.progress.steps, step))

    def take(self, progress: RectifyProgress) -> None:
        """All of it, as somebody else has put it together."""
        self.progress = progress
        self.tell(progress)

    def _say(self, **changes: object) -> None:
        self.take(replace(self.progress, **changes))  # type: ignore[arg-type]
