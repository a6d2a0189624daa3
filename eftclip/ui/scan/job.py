"""The work of a scan, and what it leaves."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from eftclip import pipeline
from eftclip.runtime import Cancelled, OnProgress
from eftclip.types import Identification, RunRecord
from eftclip.ui.checkpoint.request import CheckpointRequest
from eftclip.ui.scan import data_set
from eftclip.ui.scan.request import DataSource, ScanRequest
from eftclip.ui.serving.job import LOADING, SetupOf


@dataclass(frozen=True)
class ScanJob:
    """Scan a data set.

    Attributes:
        request: what, and with which checkpoint.
        folder: of this scan; a practice set is written there.
        token: for data sets of the Hub.
    """

    request: ScanRequest
    folder: Path
    token: Any
    gpu_s: ClassVar[int] = 120

    def do(self, setup_of: SetupOf, tell: OnProgress, cancelled: Cancelled) -> tuple[RunRecord, frozenset[int]]:
        """The record, and the positions of the pictures that are known to carry a trigger."""
        tell(LOADING)
        setup = setup_of(self.request.checkpoint, tell, cancelled)
        seed, source = self.request.checkpoint.seed, self.request.source
        opened = data_set.open_source(source, setup.clip.image_px, self.folder, seed, self.token)
        way = pipeline.RunOptions(on_progress=tell, cancelled=cancelled)
        return pipeline.run_scan(setup, opened.images, self.request.plan, seed=seed, way=way), opened.planted


@dataclass(frozen=True, eq=False)
class ScanResult:
    """What a scan found, and in what.

    Attributes:
        checkpoint: which one, and the settings of the check.
        source: the set; one of the Hub at its very commit.
        folder: where a practice set is, or is written again.
        identification: the result.
    """

    checkpoint: CheckpointRequest
    source: DataSource
    folder: Path
    identification: Identification
