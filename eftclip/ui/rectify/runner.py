"""Rectifications behind the page: one at a time, each for one session, stoppable at any moment."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from eftclip.runtime import Cancelled
from eftclip.types import TuningStep
from eftclip.ui.checkpoint.request import CheckpointRequest
from eftclip.ui.rectify import texts, view
from eftclip.ui.rectify.job import RectifyJob, RectifyReporter, RectifyResult
from eftclip.ui.rectify.request import RectifyRequest
from eftclip.ui.rectify.view import RectifyProgress, RectifyView
from eftclip.ui.restore.saved_results import SavedResults, StepResult
from eftclip.ui.scan.job import ScanResult
from eftclip.ui.scan.runner import last_scan
from eftclip.ui.serving import files, zero_gpu
from eftclip.ui.serving.background import Ended, watch_for_session
from eftclip.ui.serving.error_messages import error_message
from eftclip.ui.serving.loading import Loader
from eftclip.ui.serving.queue import Queue, waiting_progress
from eftclip.ui.serving.sessions import RECTIFY, Sessions


class RectifyRunner:
    """Rectifies checkpoints."""

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

    def basis(self, checkpoint: CheckpointRequest, session_id: str) -> str:
        """What a rectification of this checkpoint would work with, one sentence."""
        last = last_scan(self._sessions, session_id)
        other = last is not None and last.checkpoint != checkpoint
        return texts.basis(last.identification if last else None, other=other)

    def run(self, request: RectifyRequest, session_id: str) -> Iterator[RectifyProgress | RectifyView]:
        """Rectify a checkpoint: progress as it comes, then what is shown; nobody listening any more stops the work."""
        folder, stop = self._sessions.folder(session_id, RECTIFY), self._sessions.stop_signal(session_id, RECTIFY)
        last = self._usable_scan(request.checkpoint, session_id)
        steps = request.plan.rectify.steps
        seen: tuple[TuningStep, ...] = ()

        def work(tell: Callable[[RectifyProgress], None]) -> tuple[RectifyView, RectifyResult | None]:
            reporter = RectifyReporter(tell)
            try:
                return self._rectified(request, last, folder, reporter, stop.is_set)
            except Exception as error:
                if stop.is_set():
                    return view.stopped(reporter.progress.steps, steps), None
                return view.refused(error_message(error).replace(str(folder), "the server's folder")), None
            finally:
                self._sessions.tidy(session_id)

        for item in watch_for_session(self._sessions, session_id, work, stop):
            if not isinstance(item, Ended):
                seen = item.steps
                yield item
                continue
            shown, result = item.value or (view.stopped(seen, steps), None)
            if result is not None:
                self._sessions.keep(session_id, RECTIFY, result)
                self._saved_results.save_rectification(session_id, shown, result)
            yield shown

    def _usable_scan(self, checkpoint: CheckpointRequest, session_id: str) -> ScanResult | None:
        """The last scan of the session, if it was of this checkpoint with these settings and found something."""
        last = last_scan(self._sessions, session_id)
        return last if last is not None and last.checkpoint == checkpoint and last.identification.families else None

    def _rectified(
        self,
        request: RectifyRequest,
        last: ScanResult | None,
        folder: Path,
        reporter: RectifyReporter,
        cancelled: Cancelled,
    ) -> tuple[RectifyView, RectifyResult | None]:
        name = files.rectified_name(request.checkpoint.source)
        with self._queue.turn(lambda before: reporter.on_progress(waiting_progress(before)), cancelled):
            job = RectifyJob(request, last, folder / name, self._token)
            record = zero_gpu.run_job(job, self._loader, reporter.take, cancelled)
        if cancelled() and record.after is None:
            return view.stopped(reporter.progress.steps, request.plan.rectify.steps), None
        document = files.document_of(record)
        shown = view.finished(record, document, name, scanned=last is not None)
        shown, result = replace(shown, document=files.write_document(folder, RECTIFY, document)), None
        if record.after is not None:
            archive = Path(files.pack_checkpoint(folder / name, record, document))
            result = RectifyResult(request.checkpoint, archive, document)
            shown = replace(shown, checkpoint=str(archive))
        return shown, result
