"""What a run is to do, and how it is done."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from eftclip.config import CurateConfig, InvertConfig, MeasureConfig, RectifyConfig, ScanConfig
from eftclip.rectify import settled
from eftclip.runtime import Cancelled, OnProgress, Processes, ignore, never
from eftclip.types import Identification, TuningStep


@dataclass(frozen=True)
class Plan:
    """The settings of every stage after the check; what those of the fine-tuning leave out is the method's own."""

    scan: ScanConfig = field(default_factory=ScanConfig)
    curate: CurateConfig = field(default_factory=CurateConfig)
    rectify: RectifyConfig = field(default_factory=RectifyConfig)
    invert: InvertConfig = field(default_factory=InvertConfig)
    measure: MeasureConfig = field(default_factory=MeasureConfig)

    def __post_init__(self) -> None:
        """Settle the method.

        Raises:
            ConfigError: the method is unknown, or has no such settings.
        """
        object.__setattr__(self, "rectify", settled(self.rectify))


@dataclass(frozen=True)
class RunOptions:
    """How a run is done: nothing in here decides its result.

    Attributes:
        work: folder for journal and state, so that a killed run can be taken up again; None: nowhere.
        processes: those that share the work.
        on_progress: told how far each stage is.
        on_found: told what the scan found, before anything else is done.
        on_step: told after every look at the held-out pictures of a fine-tuning.
        cancelled: asked often.
        scanned: folder of a scan of the same pictures, finished or not, which a run with a folder of its own goes on
            from.
    """

    work: Path | None = None
    processes: Processes = field(default_factory=Processes)
    on_progress: OnProgress = ignore
    on_found: Callable[[Identification], None] = lambda found: None
    on_step: Callable[[TuningStep], None] = lambda step: None
    cancelled: Cancelled = never
    scanned: Path | None = None
