"""What the page does: values in, the pipeline in between, values out; nothing here knows a component."""

import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from eftclip import pipeline
from eftclip.checkpoint import inspect, pin
from eftclip.config import DetectConfig
from eftclip.errors import EftclipError
from eftclip.runtime import Cancelled, OnProgress, Progress, Stopwatch, ignore, never
from eftclip.types import CheckRecord
from eftclip.ui import markup, views, words
from eftclip.ui.asks import Ask
from eftclip.ui.photos import read_upload
from eftclip.ui.publishing import Publishing
from eftclip.ui.runs import BROKEN, Kept, Runs
from eftclip.ui.setups import Setups
from eftclip.ui.sources import NO_TOKEN
from eftclip.ui.views import Shown
from eftclip.ui.visits import Visits
from eftclip.ui.work import Ended, watch

log = logging.getLogger(__name__)
FIRST = Ask("badnets")
CHECK = "check"


class Desk:
    """The one place behind the page: loaded checkpoints, open visits, and what is done with them."""

    def __init__(self, files: Path | None = None, *, private: bool = False) -> None:
        """Nothing is loaded yet.

        Args:
            files: where files for download go; the system's place for temporary files when left out.
            private: only whoever sits at this machine can open the page, so its own Hub token may be used.
        """
        self._token = None if private else NO_TOKEN
        self.setups = Setups(partial(_prepare, token=self._token))
        self.visits: Visits[Kept] = Visits(files)
        self.runs = Runs(self._setup, self.visits, private=private)
        self.publishing = Publishing(self.visits, private=private)

    def warm(self) -> None:
        """Load the first checkpoint in the background, so that the first click is quick."""
        threading.Thread(target=self.provenance, args=(FIRST,), daemon=True).start()

    def provenance(self, ask: Ask, on_progress: OnProgress = ignore, cancelled: Cancelled = never) -> str:
        """HTML that says what exactly is under test, or why it cannot be."""
        try:
            setup = self.setups.get(self._key(ask), on_progress=on_progress, cancelled=cancelled)
        except EftclipError as error:
            return markup.note(str(error), wrong=True)
        except Exception:  # the boundary of the page: a visitor gets a sentence, the log gets the rest
            log.exception("loading a checkpoint failed")
            return markup.note(BROKEN, wrong=True)
        return views.provenance(setup, words.ABOUT.get(ask.source, ""))

    def look(self, ask: Ask) -> str:
        """HTML that says what a checkpoint holds, before anything of it is loaded."""
        try:
            return views.looked_at(inspect(ask.location, token=self._token))
        except EftclipError as error:
            return markup.note(str(error), wrong=True)
        except Exception:  # see `provenance`
            log.exception("looking at a checkpoint failed")
            return markup.note(BROKEN, wrong=True)

    def provenance_if_loaded(self, ask: Ask) -> str | None:
        """The same, but only for what is loaded already; never waits."""
        setup = self.setups.peek(_untuned(ask))
        return views.provenance(setup, words.ABOUT.get(ask.source, "")) if setup else None

    def check(self, ask: Ask, path: str | None, name: str, page: str) -> Iterator[Progress | Shown]:
        """Judge one photograph: progress as it comes, then what is shown; nobody listening any more stops the work."""
        stop = self.visits.signal(page, CHECK)

        def work(tell: OnProgress) -> Shown:
            return self._outcome(ask, path, name, tell, stop.is_set)

        for item in watch(work, stop):
            if isinstance(item, Ended):
                yield item.value or views.stopped()
            else:
                yield item

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
        setup = self._setup(ask, on_progress, cancelled)
        watch = Stopwatch()
        checked = pipeline.check_picture(
            setup, picture, name, seed=ask.seed, on_progress=on_progress, cancelled=cancelled
        )
        return pipeline.record(setup, (checked,), seed=ask.seed), watch.seconds

    def _setup(self, ask: Ask, on_progress: OnProgress, cancelled: Cancelled) -> pipeline.CheckSetup:
        """The loaded checkpoint with this visitor's settings."""
        return _tuned(self.setups.get(self._key(ask), on_progress=on_progress, cancelled=cancelled), ask)

    def _key(self, ask: Ask) -> Ask:
        """What is looked up: on the Hub the very commit, so that a branch that moved on is never taken for loaded.

        Raises:
            CheckpointError: the Hub does not say which commit it is.
        """
        return _untuned(replace(ask, source=pin(ask.source, self._token)))

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


def _prepare(ask: Ask, on_progress: OnProgress, cancelled: Cancelled, token: Any = NO_TOKEN) -> pipeline.CheckSetup:
    return pipeline.prepare_check(
        ask.location,
        labels=ask.labels or "imagenet",
        oracle=ask.oracle,
        reference=ask.reference,
        config=ask.config,
        token=token,
        seed=ask.seed,
        on_progress=on_progress,
        cancelled=cancelled,
    )


def _tuned(setup: pipeline.CheckSetup, ask: Ask) -> pipeline.CheckSetup:
    """The loaded checkpoint with this visitor's settings; strangers are read anew only where they would differ."""
    if ask.seed == 0 and ask.config.transplants == setup.config.transplants:
        return replace(setup, config=ask.config)
    return pipeline.retuned(setup, ask.config, seed=ask.seed)


def _untuned(ask: Ask) -> Ask:
    """Settings of the detector need no other load, so they are no part of what is looked up."""
    return replace(ask, config=DetectConfig(), seed=0)
