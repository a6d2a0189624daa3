"""Heavy work as values: what to do, described so plainly that another process can do it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from eftclip import pipeline
from eftclip.pipeline import CheckSetup
from eftclip.report import Document
from eftclip.runtime import Cancelled, OnProgress, Progress, Stopwatch
from eftclip.types import CheckRecord, Identification, RunRecord, TuningStep
from eftclip.ui.check.photographs import read_upload
from eftclip.ui.checkpoint.request import Ask
from eftclip.ui.rectify.view import RectifyNews
from eftclip.ui.scan import data_set as sources
from eftclip.ui.scan.request import RectifyAsk, ScanAsk, Source

SetupOf = Callable[[Ask, OnProgress, Cancelled], CheckSetup]
SCAN, RECTIFY = "scan", "rectify"
LOADING = Progress("Loading the checkpoint", 0, 0)
R_co = TypeVar("R_co", covariant=True)


class Job(Protocol[R_co]):
    """One piece of work; `gpu_s` is for how many seconds it wants a GPU where GPUs are lent."""

    gpu_s: ClassVar[int]

    def do(self, setup_of: SetupOf, tell: Callable[[Any], None], cancelled: Cancelled) -> R_co:
        """Do it; raises what cannot be helped."""
        ...


@dataclass(frozen=True)
class CheckJob:
    """Judge the picture in a file.

    Attributes:
        ask: which checkpoint, and how.
        path: of the picture.
        name: what the visitor knows it by.
    """

    ask: Ask
    path: str
    name: str
    gpu_s: ClassVar[int] = 60

    def do(self, setup_of: SetupOf, tell: OnProgress, cancelled: Cancelled) -> tuple[CheckRecord, float]:
        """The full record, and the seconds that the search took without loading anything."""
        picture = read_upload(self.path)
        setup = setup_of(self.ask, tell, cancelled)
        watch, seed = Stopwatch(), self.ask.seed
        checked = pipeline.check_picture(setup, picture, self.name, seed=seed, on_progress=tell, cancelled=cancelled)
        return pipeline.record(setup, (checked,), seed=seed), watch.seconds


@dataclass(frozen=True)
class ScanJob:
    """Scan a data set.

    Attributes:
        ask: what, and with which checkpoint.
        folder: of this scan; a practice set is written there.
        token: for data sets of the Hub.
    """

    ask: ScanAsk
    folder: Path
    token: Any
    gpu_s: ClassVar[int] = 120

    def do(self, setup_of: SetupOf, tell: OnProgress, cancelled: Cancelled) -> tuple[RunRecord, frozenset[int]]:
        """The record, and the positions of the pictures that are known to carry a trigger."""
        tell(LOADING)
        setup = setup_of(self.ask.check, tell, cancelled)
        given = sources.given(self.ask.source, setup.clip.image_px, self.folder, self.ask.check.seed, self.token)
        way = pipeline.Way(on_progress=tell, cancelled=cancelled)
        return pipeline.run_scan(setup, given.images, self.ask.plan, seed=self.ask.check.seed, way=way), given.planted


@dataclass(frozen=True, eq=False)
class Found:
    """What a scan found, and in what.

    Attributes:
        check: the checkpoint, and the settings of the check.
        source: the set; one of the Hub at its very commit.
        folder: where a practice set is, or is written again.
        identification: the result.
    """

    check: Ask
    source: Source
    folder: Path
    identification: Identification


@dataclass(frozen=True, eq=False)
class Mended:
    """What a rectification wrote.

    Attributes:
        ask: the checkpoint and the settings of the check.
        archive: the packed checkpoint.
        document: of the run.
    """

    ask: Ask
    archive: Path
    document: Document


Kept = Found | Mended


@dataclass(frozen=True)
class RectifyJob:
    """Mend a checkpoint.

    Attributes:
        ask: which, and how.
        found: a scan whose triggers are used; None to look for triggers in the weights.
        home: the folder that the mended checkpoint is written to.
        token: for data sets of the Hub.
    """

    ask: RectifyAsk
    found: Found | None
    home: Path
    token: Any
    gpu_s: ClassVar[int] = 240

    def do(self, setup_of: SetupOf, tell: Callable[[RectifyNews], None], cancelled: Cancelled) -> RunRecord:
        """The record; the mended checkpoint is in `home` if there is one."""
        live = Live(tell)
        live.on_progress(LOADING)
        setup, images, found = setup_of(self.ask.check, live.on_progress, cancelled), None, None
        if self.found is not None:
            last, found = self.found, self.found.identification
            live.on_found(found)
            images = sources.given(last.source, setup.clip.image_px, last.folder, last.check.seed, self.token).images
        way = pipeline.Way(
            on_progress=live.on_progress, on_found=live.on_found, on_step=live.on_step, cancelled=cancelled
        )
        seed = self.ask.check.seed
        return pipeline.run_rectify(setup, images, self.ask.plan, self.home, found=found, seed=seed, way=way)


@dataclass(eq=False)
class Live:
    """A rectification as it goes; all of it is told each time, so news that nobody saw are not lost."""

    tell: Callable[[RectifyNews], None]
    news: RectifyNews = field(default_factory=lambda: RectifyNews(LOADING))

    def on_progress(self, progress: Progress) -> None:
        """How far the stage is."""
        self._say(progress=progress)

    def on_found(self, found: Identification) -> None:
        """What is known to be forced."""
        self._say(labels=found.affected_labels)

    def on_step(self, step: TuningStep) -> None:
        """A look at the held-out pictures."""
        self._say(steps=(*self.news.steps, step))

    def take(self, news: RectifyNews) -> None:
        """All of it, as somebody else has put it together."""
        self.news = news
        self.tell(news)

    def _say(self, **changes: object) -> None:
        self.take(replace(self.news, **changes))  # type: ignore[arg-type]
