"""Checks behind the page: one at a time, stoppable at any moment."""

from collections.abc import Iterator
from typing import Any

from eftclip.errors import EftclipError
from eftclip.runtime import Cancelled, OnProgress, Progress, ignore, never, paced
from eftclip.types import CheckRecord
from eftclip.ui.check import view
from eftclip.ui.check.job import CheckJob
from eftclip.ui.check.view import CheckView
from eftclip.ui.checkpoint.request import CheckpointRequest
from eftclip.ui.serving import zero_gpu
from eftclip.ui.serving.background import Ended, watch
from eftclip.ui.serving.error_messages import error_message
from eftclip.ui.serving.loading import Loader
from eftclip.ui.serving.queue import Queue, waiting_progress
from eftclip.ui.serving.sessions import CHECK, Sessions


class CheckRunner:
    """Judges photographs, for pages and for programs."""

    def __init__(self, loader: Loader, sessions: Sessions[Any], queue: Queue) -> None:
        """Nothing runs yet.

        Args:
            loader: gives the checkpoints.
            sessions: the open pages.
            queue: of the checks.
        """
        self._loader, self._sessions, self._queue = loader, sessions, queue

    def run(
        self, request: CheckpointRequest, path: str | None, name: str, session_id: str
    ) -> Iterator[Progress | CheckView]:
        """Judge one photograph: progress as it comes, then what is shown; nobody listening any more stops the work."""
        stop = self._sessions.stop_signal(session_id, CHECK)

        def work(tell: OnProgress) -> CheckView:
            return self._outcome(request, path, name, paced(tell), stop.is_set)

        with self._sessions.working(session_id):
            for item in watch(work, stop):
                yield (item.value or view.stopped()) if isinstance(item, Ended) else item

    def judge(
        self,
        request: CheckpointRequest,
        path: str,
        name: str,
        on_progress: OnProgress = ignore,
        cancelled: Cancelled = never,
    ) -> tuple[CheckRecord, float]:
        """Check one picture file, when it is its turn.

        Returns:
            the full record, and the seconds that the search took without loading anything.

        Raises:
            EftclipError: the checkpoint or the picture cannot be used.
        """
        if not zero_gpu.available():
            self._loader.get(request, on_progress, cancelled)  # before the turn: nobody waits for another's download
        with self._queue.turn(lambda before: on_progress(waiting_progress(before)), cancelled):
            return zero_gpu.run_job(CheckJob(request, path, name), self._loader, on_progress, cancelled)

    def _outcome(
        self, request: CheckpointRequest, path: str | None, name: str, on_progress: OnProgress, cancelled: Cancelled
    ) -> CheckView:
        """The verdict; whatever goes wrong becomes one that says so and can never look like "nothing found"."""
        if not path:
            return view.refused("No photograph is chosen. Click one of the photographs, or bring your own.")
        try:
            return view.finished(*self.judge(request, path, name, on_progress, cancelled))
        except Exception as error:  # the boundary of the page: a visitor gets a sentence, the log gets the rest
            return (
                view.stopped()
                if cancelled() and isinstance(error, EftclipError)
                else view.refused(error_message(error))
            )
