"""The scan of a data set with a journal of the test's own."""

from eftclip.config import ScanConfig
from eftclip.identify import Journal
from eftclip.identify import scan as identify_scan
from eftclip.pipeline import CheckSetup
from eftclip.pipeline.scan import judge_of
from eftclip.runtime import Cancelled, OnProgress, Processes, ignore, never
from eftclip.types import Identification, ImageSet


def scan(
    setup: CheckSetup,
    images: ImageSet,
    config: ScanConfig,
    *,
    processes: Processes | None = None,
    journal: Journal | None = None,
    on_progress: OnProgress = ignore,
    cancelled: Cancelled = never,
) -> Identification:
    """What `find_triggers` does with a checkpoint that works."""
    return identify_scan(
        judge_of(setup, cancelled=cancelled),
        images,
        config,
        processes=processes,
        journal=journal,
        on_progress=on_progress,
        cancelled=cancelled,
    )
