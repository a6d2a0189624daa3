"""What the page does: values in, the pipeline in between, values out; nothing here knows a component."""

import logging
import queue
import threading
from collections.abc import Iterator
from dataclasses import replace

from eftclip import pipeline
from eftclip.config import DetectConfig
from eftclip.errors import EftclipError
from eftclip.runtime import Cancelled, OnProgress, Progress, Stopwatch, ignore, never
from eftclip.types import CheckRecord
from eftclip.ui import markup, views, words
from eftclip.ui.asks import Ask
from eftclip.ui.photos import read_upload
from eftclip.ui.setups import Setups
from eftclip.ui.views import Shown
from eftclip.ui.visits import Visits

log = logging.getLogger(__name__)
FIRST = Ask("badnets")
BROKEN = "Something broke inside EftCLIP; the log of the server says what."


class Desk:
    """The one place behind the page: loaded checkpoints, open visits, and what is done with them."""

    def __init__(self) -> None:
        """Nothing is loaded yet."""
        self.setups, self.visits = Setups(_prepare), Visits()

    def warm(self) -> None:
        """Load the first checkpoint in the background, so that the first click is quick."""
        threading.Thread(target=self.provenance, args=(FIRST,), daemon=True).start()

    def provenance(self, ask: Ask, on_progress: OnProgress = ignore, cancelled: Cancelled = never) -> str:
        """HTML that says what exactly is under test, or why it cannot be."""
        try:
            setup = self.setups.get(_key(ask), on_progress=on_progress, cancelled=cancelled)
        except EftclipError as error:
            return markup.note(str(error), wrong=True)
        except Exception:  # the boundary of the page: a visitor gets a sentence, the log gets the rest
            log.exception("loading a checkpoint failed")
            return markup.note(BROKEN, wrong=True)
        return views.provenance(setup, words.ABOUT.get(ask.source, ""))

    def provenance_if_loaded(self, ask: Ask) -> str | None:
        """The same, but only for what is loaded already; never waits."""
        setup = self.setups.peek(_key(ask))
        return views.provenance(setup, words.ABOUT.get(ask.source, "")) if setup else None

    def check(self, ask: Ask, path: str | None, name: str, page: str) -> Iterator[Progress | Shown]:
        """Judge one photograph: progress as it comes, then what is shown; nobody listening any more stops the work."""
        news: queue.SimpleQueue[Progress | Shown] = queue.SimpleQueue()
        stop = self.visits.signal(page)

        def work() -> None:
            news.put(self._outcome(ask, path, name, news.put, stop.is_set))

        threading.Thread(target=work, daemon=True).start()
        try:
            while not isinstance(item := _newest(news), Shown):
                yield item
            yield item
        finally:
            stop.set()

    def judge(
        self, ask: Ask, path: str, name: str, on_progress: OnProgress = ignore, cancelled: Cancelled = never
    ) -> tuple[CheckRecord, float]:
        """Check one picture file.

        Returns:
            the full record, and the seconds that the search took without loading anything.

        Raises:
            EftclipError: the checkpoint or the picture cannot be used.
        """
        picture = read_upload(path)
        setup = _tuned(self.setups.get(_key(ask), on_progress=on_progress, cancelled=cancelled), ask)
        watch = Stopwatch()
        checked = pipeline.check_picture(
            setup, picture, name, seed=ask.seed, on_progress=on_progress, cancelled=cancelled
        )
        return pipeline.record(setup, (checked,), seed=ask.seed), watch.seconds

    def _outcome(self, ask: Ask, path: str | None, name: str, on_progress: OnProgress, cancelled: Cancelled) -> Shown:
        """The verdict; whatever goes wrong becomes one that says so and can never look like "nothing found"."""
        if not path:
            return views.refused("No photograph is chosen. Click one of the photographs, or bring your own.")
        try:
            return views.shown(*self.judge(ask, path, name, on_progress, cancelled))
        except EftclipError as error:
            return views.stopped() if cancelled() else views.refused(str(error))
        except Exception:  # see `provenance`
            log.exception("a check failed")
            return views.refused(BROKEN)


def _newest(news: "queue.SimpleQueue[Progress | Shown]") -> Progress | Shown:
    """Wait for news and skip what has become old meanwhile."""
    item = news.get()
    while not isinstance(item, Shown):
        try:
            item = news.get(timeout=0.1)
        except queue.Empty:
            break
    return item


def _prepare(ask: Ask, on_progress: OnProgress, cancelled: Cancelled) -> pipeline.CheckSetup:
    return pipeline.prepare_check(
        ask.location,
        labels=ask.labels or "imagenet",
        oracle=ask.oracle,
        reference=ask.reference,
        config=ask.config,
        seed=ask.seed,
        on_progress=on_progress,
        cancelled=cancelled,
    )


def _tuned(setup: pipeline.CheckSetup, ask: Ask) -> pipeline.CheckSetup:
    """The loaded checkpoint with this visitor's settings; strangers are read anew only where they would differ."""
    if ask.seed == 0 and ask.config.transplants == setup.config.transplants:
        return replace(setup, config=ask.config)
    return pipeline.retuned(setup, ask.config, seed=ask.seed)


def _key(ask: Ask) -> Ask:
    """Settings of the detector need no other load, so they are no part of what is looked up."""
    return replace(ask, config=DetectConfig(), seed=0)
