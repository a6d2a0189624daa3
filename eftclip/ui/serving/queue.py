"""A queue for work that needs the machine for itself; whoever came first goes first."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from eftclip.errors import DataError
from eftclip.runtime import Cancelled, Progress

POLL_S = 0.2
WAITING = "Waiting for another visitor's work to end"


class Queue:
    """A queue for work that needs the machine for itself; whoever came first goes first.

    The turn belongs to the thread that works, not to the page that shows it: a page that was closed in the middle of a
    training step lets nobody else begin before that step is done.
    """

    def __init__(self) -> None:
        """Nobody waits."""
        self._places: list[object] = []
        self._moved = threading.Condition()

    @contextmanager
    def turn(self, on_wait: Callable[[int], None], cancelled: Cancelled) -> Iterator[None]:
        """Wait in the queue, then have the turn until the end of the `with`.

        Args:
            on_wait: told how many are before, each time that it changes.
            cancelled: asked while waiting.

        Raises:
            DataError: stopped while waiting.
        """
        place, told = object(), -1
        with self._moved:
            self._places.append(place)
        try:
            while before := self._before(place):
                if cancelled():
                    raise DataError("Stopped while waiting; nothing was done.")
                if before != told:
                    on_wait(told := before)
            yield
        finally:
            with self._moved:
                self._places.remove(place)
                self._moved.notify_all()

    def _before(self, place: object) -> int:
        """How many are before, a moment from now unless it is none."""
        with self._moved:
            if self._places[0] is not place:
                self._moved.wait(POLL_S)
            return self._places.index(place)


def waiting_progress(before: int) -> Progress:
    """What whoever waits is told: how long the queue is."""
    return Progress(f"{WAITING} ({before} before you)", 0, 0)
