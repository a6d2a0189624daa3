"""Scans behind the page: one at a time, each for one session, stoppable at any moment."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from eftclip.runtime import Cancelled, OnProgress, Progress, paced
from eftclip.ui.checkpoint.request import CheckpointRequest
from eftclip.ui.restore.saved_results import SavedResults, StepResult
from eftclip.ui.scan import data_set, view
from eftclip.ui.scan.job import ScanJob, ScanResult
from eftclip.ui.scan.request import ScanRequest
from eftclip.ui.scan.view import ScanView
from eftclip.ui.serving import files, zero_gpu
from eftclip.ui.serving.background import Ended, watch_for_session
from eftclip.ui.serving.error_messages import error_message
from eftclip.ui.serving.loading import Loader
from eftclip.ui.serving.queue import Queue, waiting_progress
from eftclip.ui.serving.sessions import SCAN, Sessions

OPENING = Progress("Opening the pictures", 0, 0)


class ScanRunner:
    """Scans data sets."""

    def __init__(
        self, loader: Loader, sessions: Sessions[StepResult], saved_results: SavedResults, queue: Queue
    ) -> None:
        """Nothing runs yet.

        Args:
            loader: gives the checkpoints.
            sessions: the open pages.
            saved_results: keeps what ended for visitors who come back.
            queue: of all long work.
        """
        self._loader, self._sessions, self._saved_results, self._queue = loader, sessions, saved_results, queue
        self._token = loader.policy.token

    @property
    def token(self) -> Any:
        """For data sets of the Hub."""
        return self._token

    def has_scanned(self, checkpoint: CheckpointRequest, session_id: str) -> bool:
        """Whether the last scan was of this checkpoint with these settings, and came to its end."""
        last = last_scan(self._sessions, session_id)
        return last is not None and last.checkpoint == checkpoint and last.identification.coverage.complete

    def run(self, request: ScanRequest, session_id: str) -> Iterator[Progress | ScanView]:
        """Scan a data set: progress as it comes, then what is shown; nobody listening any more stops the work."""
        folder, stop = self._sessions.folder(session_id, SCAN), self._sessions.stop_signal(session_id, SCAN)

        def work(tell: OnProgress) -> tuple[ScanView, ScanResult | None]:
            try:
                return self._scanned(request, folder, paced(tell), stop.is_set)
            except Exception as error:
                return (view.stopped() if stop.is_set() else view.refused(error_message(error))), None
            finally:
                self._sessions.tidy(session_id)

        for item in watch_for_session(self._sessions, session_id, work, stop):
            if not isinstance(item, Ended):
                yield item
                continue
            shown, result = item.value or (view.stopped(), None)
            if result is not None:
                self._sessions.keep(session_id, SCAN, result)
                self._saved_results.save_scan(session_id, shown, result)
            yield shown

    def _scanned(
        self, request: ScanRequest, folder: Path, tell: OnProgress, cancelled: Cancelled
    ) -> tuple[ScanView, ScanResult | None]:
        tell(OPENING)
        # Before it is its turn: a bad file is told at once, and a Hub that does not answer keeps nobody else waiting.
        request = replace(request, source=data_set.pinned_source(request.source, self._token))
        with self._queue.turn(lambda before: tell(waiting_progress(before)), cancelled):
            record, planted = zero_gpu.run_job(ScanJob(request, folder, self._token), self._loader, tell, cancelled)
        document = files.document_of(record)
        shown = view.finished(record, document, planted, stopped=cancelled())
        archive = files.pack_curated(folder, record.curated) if record.curated else None
        shown = replace(shown, archive=archive, document=files.write_document(folder, SCAN, document))
        found = record.identification
        return shown, ScanResult(request.checkpoint, request.source, folder, found) if found else None


def last_scan(sessions: Sessions[StepResult], session_id: str) -> ScanResult | None:
    """What the last scan of the session found; None without any."""
    last = sessions.kept(session_id, SCAN)
    return last if isinstance(last, ScanResult) else None
