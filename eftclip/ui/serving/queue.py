"""Long work beside the page: done in a thread of its own, one piece at a time, given up as soon as nobody wants it."""

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from dataclasses import dataclass
from typing import Generic, TypeVar

from eftclip.errors import DataError
from eftclip.runtime import Cancelled, Stopwatch

POLL_S = 0.2
SETTLE_S = 0.1  # news that come closer together are one picture on the page
PATIENCE_S = 10  # how long a stopped piece of work may take to say what it has; a step of a large model takes minutes

N = TypeVar("N")
E = TypeVar("E")


@dataclass(frozen=True)
class Ended(Generic[E]):
    """What work ended with; `value` is None when it was stopped and has not yet come to its end."""

    value: E | None


class Turns:
    """A line for work that needs the machine for itself; whoever came first goes first.

    The turn belongs to the thread that works, not to the page that shows it: a page that was closed in the middle of a
    training step lets nobody else begin before that step is done.
    """

    def __init__(self) -> None:
        """Nobody waits."""
        self._line: list[object] = []
        self._moved = threading.Condition()

    @contextmanager
    def turn(self, on_wait: Callable[[int], None], cancelled: Cancelled) -> Iterator[None]:
        """Wait in line, then have the turn until the end of the `with`.

        Args:
            on_wait: told how many are before, each time that it changes.
            cancelled: asked while waiting.

        Raises:
            DataError: stopped while waiting.
        """
        ticket, told = object(), -1
        with self._moved:
            self._line.append(ticket)
        try:
            while before := self._before(ticket):
                if cancelled():
                    raise DataError("Stopped while waiting; nothing was done.")
                if before != told:
                    on_wait(told := before)
            yield
        finally:
            with self._moved:
                self._line.remove(ticket)
                self._moved.notify_all()

    def _before(self, ticket: object) -> int:
        """How many are before, a moment from now unless it is none."""
        with self._moved:
            if self._line[0] is not ticket:
                self._moved.wait(POLL_S)
            return self._line.index(ticket)


def watch(
    work: Callable[[Callable[[N], None]], E], stop: threading.Event, patience_s: float = PATIENCE_S
) -> Iterator[N | Ended[E]]:
    """Do work in a thread of its own and see how it goes.

    Args:
        work: gets a function to tell news with; what is told last replaces what was told before. It must not raise.
        stop: the work's own stop signal; set as soon as nobody listens any more.
        patience_s: how long after the signal the work may still tell what it has.

    Yields:
        news, and at last what the work ended with.
    """
    news: queue.SimpleQueue[N | Ended[E]] = queue.SimpleQueue()
    context = copy_context()  # says for whom it is done, where GPUs are lent to visitors
    threading.Thread(target=context.run, args=(lambda: news.put(Ended(work(news.put))),), daemon=True).start()
    since_stop: Stopwatch | None = None
    try:
        while True:
            item = _newest(news)
            if stop.is_set() and not isinstance(item, Ended):
                since_stop = since_stop or Stopwatch()
                item = Ended(None) if since_stop.seconds >= patience_s else None
            if item is not None:
                yield item
            if isinstance(item, Ended):
                return
    finally:
        stop.set()


def _newest(news: "queue.SimpleQueue[N | Ended[E]]") -> N | Ended[E] | None:
    """The latest news of a moment; None when there are none."""
    item: N | Ended[E] | None = None
    with suppress(queue.Empty):
        item = news.get(timeout=POLL_S)
        since = Stopwatch()
        while not isinstance(item, Ended) and (left_s := SETTLE_S - since.seconds) > 0:
            item = news.get(timeout=left_s)
    return item
