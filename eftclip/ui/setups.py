"""Loaded checkpoints, shared by all visitors: few, the least recently used goes first, one is loaded at a time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from eftclip.errors import CheckpointError
from eftclip.runtime import Cancelled, OnProgress, ignore, never
from eftclip.ui.asks import Ask

if TYPE_CHECKING:
    from eftclip.pipeline import CheckSetup

KEPT = 3  # a ViT-L/14 takes 1.7 GB, so three fit into an ordinary machine
POLL_S = 0.2

Prepare = Callable[[Ask, OnProgress, Cancelled], "CheckSetup"]


class Setups:
    """A bounded cache of prepared checks; safe to use from many threads."""

    def __init__(self, prepare: Prepare, kept: int = KEPT) -> None:
        """Keep at most `kept` of what `prepare` makes."""
        self._prepare, self._kept = prepare, kept
        self._loaded: OrderedDict[Ask, CheckSetup] = OrderedDict()
        self._guard, self._loading = threading.Lock(), threading.Lock()

    def peek(self, ask: Ask) -> CheckSetup | None:
        """The setup if it is loaded; never waits for a load."""
        with self._guard:
            if ask in self._loaded:
                self._loaded.move_to_end(ask)
            return self._loaded.get(ask)

    def get(self, ask: Ask, *, on_progress: OnProgress = ignore, cancelled: Cancelled = never) -> CheckSetup:
        """The setup, loaded now if need be.

        Raises:
            EftclipError: it cannot be loaded, or the visitor stopped waiting.
        """
        while not self._loading.acquire(timeout=POLL_S):
            if (setup := self.peek(ask)) is not None:
                return setup
            if cancelled():
                raise CheckpointError("Stopped while waiting for the checkpoint to load.")
        try:
            setup = self.peek(ask)
            return setup if setup is not None else self._add(ask, self._prepare(ask, on_progress, cancelled))
        finally:
            self._loading.release()

    def _add(self, ask: Ask, setup: CheckSetup) -> CheckSetup:
        with self._guard:
            self._loaded[ask] = setup
            while len(self._loaded) > self._kept:
                self._loaded.popitem(last=False)
        return setup
