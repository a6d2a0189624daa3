"""Scans and rectifications behind the page: one at a time, each for one page, stoppable at any moment."""

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from eftclip.errors import EftclipError
from eftclip.runtime import Cancelled, OnProgress, Progress
from eftclip.types import TuningStep
from eftclip.ui.checkpoint.request import Ask
from eftclip.ui.rectify import view as rectify_views
from eftclip.ui.rectify.view import RectifyNews, RectifyShown
from eftclip.ui.restore.saved_results import Returns
from eftclip.ui.scan import data_set as sources
from eftclip.ui.scan import texts as run_words
from eftclip.ui.scan import view as scan_views
from eftclip.ui.scan.request import RectifyAsk, ScanAsk
from eftclip.ui.scan.view import ScanShown
from eftclip.ui.serving import files
from eftclip.ui.serving import zero_gpu as lent
from eftclip.ui.serving.jobs import RECTIFY, SCAN, Found, Kept, Live, Mended, RectifyJob, ScanJob
from eftclip.ui.serving.loading import Loader
from eftclip.ui.serving.queue import Ended, Turns, watch
from eftclip.ui.serving.sessions import Visits

log = logging.getLogger(__name__)
BROKEN = "Something broke inside EftCLIP; the log of the server says what."
N = TypeVar("N")
E = TypeVar("E")
OPENING = Progress("Opening the pictures", 0, 0)


class Runs:
    """Long work for pages."""

    def __init__(self, loader: Loader, visits: Visits[Kept], returns: Returns) -> None:
        """Nothing runs yet.

        Args:
            loader: gives the checkpoints.
            visits: the open pages.
            returns: keeps what ended for visitors who come back.
        """
        self._loader, self._visits, self._returns, self._turns = loader, visits, returns, Turns()
        self._token = loader.terms.token

    def basis(self, ask: Ask, page: str) -> str:
        """What a rectification of this checkpoint would work with, one sentence."""
        last = self._found(page)
        return run_words.basis(last.identification if last else None, other=last is not None and last.check != ask)

    def has_scanned(self, ask: Ask, page: str) -> bool:
        """Whether the last scan of the page was of this checkpoint with these settings, and came to its end."""
        last = self._found(page)
        return last is not None and last.check == ask and last.identification.coverage.complete

    def scan(self, ask: ScanAsk, page: str) -> Iterator[Progress | ScanShown]:
        """Scan a data set: progress as it comes, then what is shown; nobody listening any more stops the work."""
        folder, stop = self._visits.folder(page, SCAN), self._visits.signal(page, SCAN)

        def work(tell: OnProgress) -> tuple[ScanShown, Found | None]:
            try:
                return self._scanned(ask, folder, tell, stop.is_set)
            except Exception as error:
                return (scan_views.scan_stopped() if stop.is_set() else scan_views.scan_refused(told(error))), None
            finally:
                self._visits.tidy(page)

        for item in self._watched(page, work, stop):
            if not isinstance(item, Ended):
                yield item
                continue
            shown, found = item.value or (scan_views.scan_stopped(), None)
            if found is not None:
                self._visits.keep(page, SCAN, found)
                self._returns.keep_scan(page, shown, found)
            yield shown

    def rectify(self, ask: RectifyAsk, page: str) -> Iterator[RectifyNews | RectifyShown]:
        """Mend a checkpoint: news as they come, then what is shown; nobody listening any more stops the work."""
        folder, stop = self._visits.folder(page, RECTIFY), self._visits.signal(page, RECTIFY)
        last = self._usable(ask.check, page)
        steps = ask.plan.rectify.steps
        seen: tuple[TuningStep, ...] = ()

        def work(tell: Callable[[RectifyNews], None]) -> tuple[RectifyShown, Mended | None]:
            live = Live(tell)
            try:
                return self._rectified(ask, last, folder, live, stop.is_set)
            except Exception as error:
                if stop.is_set():
                    return rectify_views.rectify_stopped(live.news.steps, steps), None
                return rectify_views.rectify_refused(told(error).replace(str(folder), "the server's folder")), None
            finally:
                self._visits.tidy(page)

        for item in self._watched(page, work, stop):
            if not isinstance(item, Ended):
                seen = item.steps
                yield item
                continue
            shown, mended = item.value or (rectify_views.rectify_stopped(seen, steps), None)
            if mended is not None:
                self._visits.keep(page, RECTIFY, mended)
                self._returns.keep_rectification(page, shown, mended)
            yield shown

    def _watched(
        self, page: str, work: Callable[[Callable[[N], None]], E], stop: threading.Event
    ) -> Iterator[N | Ended[E]]:
        """The work of a page that is not forgotten as long as it goes on."""
        with self._visits.working(page):
            for item in watch(work, stop):
                self._visits.touch(page)
                yield item

    def _usable(self, ask: Ask, page: str) -> Found | None:
        """The last scan of the page, if it was of this checkpoint with these settings and found something."""
        last = self._found(page)
        return last if last is not None and last.check == ask and last.identification.families else None

    def _found(self, page: str) -> Found | None:
        last = self._visits.kept(page, SCAN)
        return last if isinstance(last, Found) else None

    def _scanned(
        self, ask: ScanAsk, folder: Path, tell: OnProgress, cancelled: Cancelled
    ) -> tuple[ScanShown, Found | None]:
        tell(OPENING)
        # Not in turn: a bad file is told at once, and a Hub that does not answer keeps nobody else waiting.
        ask = replace(ask, source=sources.settled(ask.source, self._token))
        with self._turns.turn(lambda before: tell(waiting(before)), cancelled):
            record, planted = lent.do(ScanJob(ask, folder, self._token), self._loader, tell, cancelled)
        document = files.document_of(record)
        shown = scan_views.scan_shown(record, document, planted, stopped=cancelled())
        archive = files.pack_curated(folder, record.curated) if record.curated else None
        shown = replace(shown, archive=archive, document=files.write_document(folder, SCAN, document))
        found = record.identification
        return shown, Found(ask.check, ask.source, folder, found) if found else None

    def _rectified(
        self, ask: RectifyAsk, last: Found | None, folder: Path, live: Live, cancelled: Cancelled
    ) -> tuple[RectifyShown, Mended | None]:
        name = files.mended_name(ask.check.source)
        with self._turns.turn(lambda before: live.on_progress(waiting(before)), cancelled):
            job = RectifyJob(ask, last, folder / name, self._token)
            record = lent.do(job, self._loader, live.take, cancelled)
        if cancelled() and record.after is None:
            return rectify_views.rectify_stopped(live.news.steps, ask.plan.rectify.steps), None
        document = files.document_of(record)
        shown = rectify_views.rectify_shown(record, document, name, scanned=last is not None)
        shown, mended = replace(shown, document=files.write_document(folder, RECTIFY, document)), None
        if record.after is not None:
            mended = Mended(ask.check, Path(files.pack_checkpoint(folder / name, record, document)), document)
            shown = replace(shown, checkpoint=str(mended.archive))
        return shown, mended


def waiting(before: int) -> Progress:
    """News of whoever waits in line."""
    return Progress(run_words.waiting(before), 0, 0)


def told(error: Exception) -> str:
    """What the visitor reads: our own sentences; of anything else the log has the rest."""
    if isinstance(error, EftclipError):
        return str(error)
    log.error("long work failed", exc_info=error)
    return BROKEN
