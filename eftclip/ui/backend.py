"""What the page does: values in, the pipeline in between, values out; nothing here knows a component."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from eftclip.checkpoint import CheckpointReport, inspect
from eftclip.errors import EftclipError
from eftclip.runtime import Cancelled, OnProgress, Progress, ignore, never
from eftclip.types import CheckRecord
from eftclip.ui.check import texts as words
from eftclip.ui.check import view as views
from eftclip.ui.check.view import Shown
from eftclip.ui.checkpoint.request import Ask
from eftclip.ui.components import html as markup
from eftclip.ui.publish.publisher import Publishing
from eftclip.ui.restore.saved_results import Returns
from eftclip.ui.serving import zero_gpu as lent
from eftclip.ui.serving.jobs import CheckJob, Kept
from eftclip.ui.serving.loading import AT_HOME, Loader, Terms
from eftclip.ui.serving.queue import Ended, Turns, watch
from eftclip.ui.serving.result_store import Shelf
from eftclip.ui.serving.runs import Runs, told, waiting
from eftclip.ui.serving.sessions import Visits

FIRST = Ask("badnets")
CHECK = "check"


class Desk:
    """The one place behind the page: loaded checkpoints, open visits, and what is done with them."""

    def __init__(self, files: Path, results: Path, *, private: bool = False) -> None:
        """Nothing is loaded yet.

        Args:
            files: where files for download go.
            results: where finished results are kept for a day.
            private: only whoever sits at this machine can open the page, so its own Hub token may be used.
        """
        self.loader = Loader(lent.terms_here(AT_HOME if private else Terms()))
        self.visits: Visits[Kept] = Visits(files)
        self.returns = Returns(Shelf(results), self.visits)
        self.runs = Runs(self.loader, self.visits, self.returns)
        self.publishing = Publishing(self.visits, private=private)
        self._line = Turns()  # of checks; long work has another one, and goes on meanwhile

    def warm(self) -> None:
        """Load the first checkpoint in the background, so that the first click is quick."""
        threading.Thread(target=self.provenance, args=(FIRST,), daemon=True).start()

    def provenance(self, ask: Ask, on_progress: OnProgress = ignore, cancelled: Cancelled = never) -> str:
        """HTML that says what exactly is under test, or why it cannot be."""
        return _said(
            lambda: views.provenance(self.loader.get(ask, on_progress, cancelled), words.ABOUT.get(ask.source, ""))
        )

    def look(self, ask: Ask) -> str:
        """HTML that says what a checkpoint holds, before anything of it is loaded."""
        return _said(lambda: views.looked_at(self._inspected(ask)))

    def _inspected(self, ask: Ask) -> CheckpointReport:
        return inspect(ask.location, token=self.loader.terms.token, max_gb=self.loader.terms.max_gb)

    def provenance_if_loaded(self, ask: Ask) -> str | None:
        """The same, but only for what is loaded already; never waits."""
        setup = self.loader.peek(ask)
        return views.provenance(setup, words.ABOUT.get(ask.source, "")) if setup else None

    def check(self, ask: Ask, path: str | None, name: str, page: str) -> Iterator[Progress | Shown]:
        """Judge one photograph: progress as it comes, then what is shown; nobody listening any more stops the work."""
        stop = self.visits.signal(page, CHECK)

        def work(tell: OnProgress) -> Shown:
            return self._outcome(ask, path, name, tell, stop.is_set)

        with self.visits.working(page):
            for item in watch(work, stop):
                yield (item.value or views.stopped()) if isinstance(item, Ended) else item

    def judge(
        self, ask: Ask, path: str, name: str, on_progress: OnProgress = ignore, cancelled: Cancelled = never
    ) -> tuple[CheckRecord, float]:
        """Check one picture file, when it is its turn.

        Returns:
            the full record, and the seconds that the search took without loading anything.

        Raises:
            EftclipError: the checkpoint or the picture cannot be used.
        """
        if not lent.lends():
            self.loader.get(ask, on_progress, cancelled)  # before the turn: nobody waits for a download of another
        with self._line.turn(lambda before: on_progress(waiting(before)), cancelled):
            return lent.do(CheckJob(ask, path, name), self.loader, on_progress, cancelled)

    def _outcome(self, ask: Ask, path: str | None, name: str, on_progress: OnProgress, cancelled: Cancelled) -> Shown:
        """The verdict; whatever goes wrong becomes one that says so and can never look like "nothing found"."""
        if not path:
            return views.refused("No photograph is chosen. Click one of the photographs, or bring your own.")
        try:
            return views.shown(*self.judge(ask, path, name, on_progress, cancelled))
        except Exception as error:  # the boundary of the page: a visitor gets a sentence, the log gets the rest
            return views.stopped() if cancelled() and isinstance(error, EftclipError) else views.refused(told(error))


def _said(work: Callable[[], str]) -> str:
    """HTML, or the sentence that says why there is none."""
    try:
        return work()
    except Exception as error:  # see `Desk._outcome`
        return markup.note(told(error), wrong=True)
