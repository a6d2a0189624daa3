"""Scans and rectifications behind the page: one at a time, each for one page, stoppable at any moment."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from eftclip import pipeline
from eftclip.data import ImageSet
from eftclip.errors import EftclipError
from eftclip.pipeline import CheckSetup
from eftclip.report import Document
from eftclip.runtime import Cancelled, OnProgress, Progress
from eftclip.types import Identification, TuningStep
from eftclip.ui import files, rectify_views, run_words, scan_views, sources
from eftclip.ui.asks import Ask
from eftclip.ui.rectify_views import RectifyNews, RectifyShown
from eftclip.ui.run_asks import Practice, RectifyAsk, ScanAsk, Source
from eftclip.ui.scan_views import ScanShown
from eftclip.ui.sources import Given
from eftclip.ui.visits import Visits
from eftclip.ui.work import Ended, Turns, watch

log = logging.getLogger(__name__)
BROKEN = "Something broke inside EftCLIP; the log of the server says what."
SCAN, RECTIFY = "scan", "rectify"

SetupOf = Callable[[Ask, OnProgress, Cancelled], CheckSetup]


@dataclass(frozen=True, eq=False)
class Found:
    """What the last scan of a page found, and in what.

    Attributes:
        ask: the checkpoint and the settings of the check.
        images: the set.
        identification: the result.
    """

    ask: Ask
    images: ImageSet
    identification: Identification


@dataclass(frozen=True, eq=False)
class Mended:
    """What the last rectification of a page wrote.

    Attributes:
        ask: the checkpoint and the settings of the check.
        archive: the packed checkpoint.
        document: of the run.
    """

    ask: Ask
    archive: Path
    document: Document


Kept = Found | Mended


@dataclass(eq=False)
class _Live:
    """A rectification as it goes; all of it is told each time, so news that nobody saw are not lost."""

    tell: Callable[[RectifyNews], None]
    news: RectifyNews = field(default_factory=lambda: RectifyNews(Progress("Loading the checkpoint", 0, 0)))

    def on_progress(self, progress: Progress) -> None:
        self._say(progress=progress)

    def on_found(self, found: Identification) -> None:
        self._say(labels=found.affected_labels)

    def on_step(self, step: TuningStep) -> None:
        self._say(steps=(*self.news.steps, step))

    def _say(self, **changes: object) -> None:
        self.news = replace(self.news, **changes)  # type: ignore[arg-type]
        self.tell(self.news)


class Runs:
    """Long work for pages."""

    def __init__(self, setup_of: SetupOf, visits: Visits[Kept], *, private: bool) -> None:
        """Nothing runs yet.

        Args:
            setup_of: loads a checkpoint, or finds it among those that are loaded.
            visits: the open pages.
            private: only whoever sits at this machine can open the page, so its own Hub token may be used.
        """
        self._setup_of, self._visits, self._turns = setup_of, visits, Turns()
        self._token = None if private else sources.NO_TOKEN

    def basis(self, ask: Ask, page: str) -> str:
        """What a rectification of this checkpoint would work with, one sentence."""
        last = self._found(page)
        return run_words.basis(last.identification if last else None, other=last is not None and last.ask != ask)

    def scan(self, ask: ScanAsk, page: str) -> Iterator[Progress | ScanShown]:
        """Scan a data set: progress as it comes, then what is shown; nobody listening any more stops the work."""
        folder, stop = self._visits.folder(page, SCAN), self._visits.signal(page, SCAN)

        def work(tell: OnProgress) -> tuple[ScanShown, Found | None]:
            try:
                return self._scanned(ask, folder, tell, stop.is_set)
            except Exception as error:
                return (scan_views.scan_stopped() if stop.is_set() else scan_views.scan_refused(told(error))), None
            finally:
                self._visits.tidy(page, folder)

        for item in watch(work, stop):
            self._visits.touch(page)
            if not isinstance(item, Ended):
                yield item
                continue
            shown, found = item.value or (scan_views.scan_stopped(), None)
            if found is not None:
                self._visits.keep(page, SCAN, found)
            yield shown

    def rectify(self, ask: RectifyAsk, page: str) -> Iterator[RectifyNews | RectifyShown]:
        """Mend a checkpoint: news as they come, then what is shown; nobody listening any more stops the work."""
        folder, stop = self._visits.folder(page, RECTIFY), self._visits.signal(page, RECTIFY)
        last = self._usable(ask.check, page)
        steps = ask.plan.rectify.steps
        seen: tuple[TuningStep, ...] = ()

        def work(tell: Callable[[RectifyNews], None]) -> tuple[RectifyShown, Mended | None]:
            live = _Live(tell)
            try:
                return self._rectified(ask, last, folder, live, stop.is_set)
            except Exception as error:
                if stop.is_set():
                    return rectify_views.rectify_stopped(live.news.steps, steps), None
                return rectify_views.rectify_refused(told(error).replace(str(folder), "the server's folder")), None
            finally:
                self._visits.tidy(page, folder)

        for item in watch(work, stop):
            self._visits.touch(page)
            if not isinstance(item, Ended):
                seen = item.steps
                yield item
                continue
            shown, mended = item.value or (rectify_views.rectify_stopped(seen, steps), None)
            if mended is not None:
                self._visits.keep(page, RECTIFY, mended)
            yield shown

    def _usable(self, ask: Ask, page: str) -> Found | None:
        """The last scan of the page, if it was of this checkpoint with these settings and found something."""
        last = self._found(page)
        return last if last is not None and last.ask == ask and last.identification.families else None

    def _found(self, page: str) -> Found | None:
        last = self._visits.kept(page, SCAN)
        return last if isinstance(last, Found) else None

    def _scanned(
        self, ask: ScanAsk, folder: Path, tell: OnProgress, cancelled: Cancelled
    ) -> tuple[ScanShown, Found | None]:
        tell(Progress("Opening the pictures", 0, 0))
        # Not in turn: a bad file is told at once, and a Hub that does not answer keeps nobody else waiting.
        given_for = self._opened(ask.source, folder, ask.check.seed)
        with self._turns.turn(lambda before: tell(_waiting(before)), cancelled):
            tell(Progress("Loading the checkpoint", 0, 0))
            setup = self._setup_of(ask.check, tell, cancelled)
            given = given_for(setup.clip.image_px)
            way = pipeline.Way(on_progress=tell, cancelled=cancelled)
            record = pipeline.run_scan(setup, given.images, ask.plan, seed=ask.check.seed, way=way)
        document = files.document_of(record)
        shown = scan_views.scan_shown(record, document, given.planted, stopped=cancelled())
        archive = files.pack_curated(folder, record.curated) if record.curated else None
        shown = replace(shown, archive=archive, document=files.write_document(folder, SCAN, document))
        found = record.identification
        return shown, Found(ask.check, given.images, found) if found else None

    def _opened(self, source: Source, folder: Path, seed: int) -> Callable[[int], Given]:
        """The set for a checkpoint that sees that many pixels: a practice set can only be drawn once they are known."""
        if isinstance(source, Practice):
            return lambda image_px: sources.practice_set(source, image_px, folder / "practice", seed=seed)
        given = sources.opened(source, token=self._token)
        return lambda _: given

    def _rectified(
        self, ask: RectifyAsk, last: Found | None, folder: Path, live: _Live, cancelled: Cancelled
    ) -> tuple[RectifyShown, Mended | None]:
        name = files.mended_name(ask.check.source)
        with self._turns.turn(lambda before: live.on_progress(_waiting(before)), cancelled):
            live.on_progress(Progress("Loading the checkpoint", 0, 0))
            setup = self._setup_of(ask.check, live.on_progress, cancelled)
            if last is not None:
                live.on_found(last.identification)
            way = pipeline.Way(
                on_progress=live.on_progress, on_found=live.on_found, on_step=live.on_step, cancelled=cancelled
            )
            record = pipeline.run_rectify(
                setup,
                last.images if last else None,
                ask.plan,
                folder / name,
                found=last.identification if last else None,
                seed=ask.check.seed,
                way=way,
            )
        if cancelled() and record.after is None:
            return rectify_views.rectify_stopped(live.news.steps, ask.plan.rectify.steps), None
        document = files.document_of(record)
        shown = rectify_views.rectify_shown(record, document, name, scanned=last is not None)
        shown, mended = replace(shown, document=files.write_document(folder, RECTIFY, document)), None
        if record.after is not None:
            mended = Mended(ask.check, Path(files.pack_checkpoint(folder / name, record, document)), document)
            shown = replace(shown, checkpoint=str(mended.archive))
        return shown, mended


def _waiting(before: int) -> Progress:
    return Progress(run_words.waiting(before), 0, 0)


def told(error: Exception) -> str:
    """What the visitor reads: our own sentences; of anything else the log has the rest."""
    if isinstance(error, EftclipError):
        return str(error)
    log.error("long work failed", exc_info=error)
    return BROKEN
