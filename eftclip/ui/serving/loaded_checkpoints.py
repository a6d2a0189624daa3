"""Loaded checkpoints, shared by all visitors: bounded in bytes, the least recently used goes first."""

import threading
from collections import OrderedDict
from collections.abc import Callable

from eftclip.errors import CheckpointError
from eftclip.pipeline import CheckSetup
from eftclip.runtime import Cancelled, OnProgress, Progress, ignore, never, release_memory
from eftclip.ui.checkpoint.request import CheckpointRequest

# The free machine of a Space has 16 GB. Beside these there may be one checkpoint that is being loaded and one that is
# being mended, which together take three to five times the largest weight file.
MOST_BYTES = 4_000_000_000
POLL_S = 0.2

Prepare = Callable[[CheckpointRequest, OnProgress, Cancelled], CheckSetup]


class LoadedCheckpoints:
    """A bounded cache of prepared checks; safe to use from many threads; one is loaded at a time."""

    def __init__(self, prepare: Prepare, most_bytes: int = MOST_BYTES) -> None:
        """Keep of what `prepare` makes the latest ones that fit, and always the last one."""
        self._prepare, self._most = prepare, most_bytes
        self._loaded: OrderedDict[CheckpointRequest, CheckSetup] = OrderedDict()
        self._guard, self._loading = threading.Lock(), threading.Lock()

    def peek(self, request: CheckpointRequest) -> CheckSetup | None:
        """The setup if it is loaded; never waits for a load."""
        with self._guard:
            if request in self._loaded:
                self._loaded.move_to_end(request)
            return self._loaded.get(request)

    def get(
        self, request: CheckpointRequest, *, on_progress: OnProgress = ignore, cancelled: Cancelled = never
    ) -> CheckSetup:
        """The setup, loaded now if need be.

        Raises:
            EftclipError: it cannot be loaded, or the visitor stopped waiting.
        """
        if (setup := self.peek(request)) is not None:
            return setup
        if not self._loading.acquire(blocking=False):
            on_progress(Progress("Waiting for another checkpoint to be loaded", 0, 0))
            while not self._loading.acquire(timeout=POLL_S):
                if (setup := self.peek(request)) is not None:
                    return setup
                if cancelled():
                    raise CheckpointError("Stopped while waiting for the checkpoint to load.")
        try:
            setup = self.peek(request)
            return setup if setup is not None else self._add(request, self._prepare(request, on_progress, cancelled))
        finally:
            self._loading.release()

    def _add(self, request: CheckpointRequest, setup: CheckSetup) -> CheckSetup:
        with self._guard:
            self._loaded[request] = setup
            gone = False
            while len(self._loaded) > 1 and sum(map(size_of, self._loaded.values())) > self._most:
                self._loaded.popitem(last=False)
                gone = True
        if gone:
            release_memory()
        return setup


def size_of(setup: CheckSetup) -> int:
    """Bytes that a setup holds: the checkpoint, its reference, and what both have read."""
    reference = setup.reference or ()
    models = [setup.clip.model, *(part.model for part in reference[:1])]
    read = [setup.classes.matrix, setup.hosts.images, setup.hosts.probabilities]
    read += [part.matrix for part in reference[1:]]
    return sum(t.nbytes for t in (*read, *(t for model in models for t in (*model.parameters(), *model.buffers()))))
