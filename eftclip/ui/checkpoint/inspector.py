"""What is said of a checkpoint: what it holds before it is loaded, and what exactly is under test afterwards."""

import threading
from collections.abc import Callable
from dataclasses import replace

from eftclip.checkpoint import CheckpointReport, inspect
from eftclip.preprocess import Preprocess
from eftclip.runtime import Cancelled, OnProgress, ignore, never
from eftclip.ui.checkpoint import texts, view
from eftclip.ui.checkpoint.request import FIRST_CHECKPOINT, CheckpointRequest
from eftclip.ui.components import html
from eftclip.ui.serving.error_messages import error_message, in_words_of_the_page
from eftclip.ui.serving.loading import Loader


class CheckpointInspector:
    """Looks at checkpoints and loads them; what it says is HTML."""

    def __init__(self, loader: Loader) -> None:
        """Nothing is loaded yet."""
        self._loader = loader

    def load_first(self) -> None:
        """Load the first checkpoint in the background, so that the first click is quick."""
        threading.Thread(target=self.provenance, args=(FIRST_CHECKPOINT,), daemon=True).start()

    def provenance(
        self, request: CheckpointRequest, on_progress: OnProgress = ignore, cancelled: Cancelled = never
    ) -> str:
        """HTML that says what exactly is under test, or why it cannot be."""
        about = texts.ABOUT.get(request.source, "")
        return _html_or_reason(lambda: view.provenance(self._loader.get(request, on_progress, cancelled), about))

    def provenance_if_loaded(self, request: CheckpointRequest) -> str | None:
        """The same, but only for what is loaded already; never waits."""
        setup = self._loader.peek(request)
        return view.provenance(setup, texts.ABOUT.get(request.source, "")) if setup else None

    def preprocess_if_loaded(self, request: CheckpointRequest) -> Preprocess | None:
        """How pictures become the square that this checkpoint sees; None where it is not loaded yet, never waits."""
        setup = self._loader.peek(request)
        return setup.clip.preprocess if setup else None

    def inspect(self, request: CheckpointRequest) -> str:
        """HTML that says what a checkpoint holds, before anything of it is loaded."""
        return _html_or_reason(lambda: view.inspected(self._report(request)))

    def _report(self, request: CheckpointRequest) -> CheckpointReport:
        if request.upload is not None:
            request.upload.check_there()
        seen = inspect(
            request.location,
            token=self._loader.policy.token,
            max_gb=self._loader.policy.max_gb,
            allow_pickle=request.allow_pickle,
            architecture=request.architecture,
            name=request.upload.name if request.upload else None,
        )
        return replace(seen, problems=tuple(map(in_words_of_the_page, seen.problems)))


def _html_or_reason(work: Callable[[], str]) -> str:
    """HTML, or the sentence that says why there is none."""
    try:
        return work()
    except Exception as error:  # the boundary of the page: a visitor gets a sentence, the log gets the rest
        return html.note(error_message(error), wrong=True)
