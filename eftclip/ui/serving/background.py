"""Work in a thread of its own, watched by whoever shows it, and given up as soon as nobody wants it."""

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from eftclip.runtime import Stopwatch
from eftclip.ui.serving.sessions import Sessions

POLL_S = 0.2
SETTLE_S = 0.1  # news that come closer together are one picture on the page
PATIENCE_S = 10  # how long a stopped piece of work may take to say what it has; a step of a large model takes minutes

N = TypeVar("N")
E = TypeVar("E")


@dataclass(frozen=True)
class Ended(Generic[E]):
    """What work ended with; `value` is None when it was stopped and has not yet come to its end."""

    value: E | None


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


def watch_for_session(
    sessions: Sessions[Any], session_id: str, work: Callable[[Callable[[N], None]], E], stop: threading.Event
) -> Iterator[N | Ended[E]]:
    """The same for a session, which is not forgotten as long as the work goes on."""
    with sessions.working(session_id):
        for item in watch(work, stop):
            sessions.touch(session_id)
            yield item


def _newest(news: "queue.SimpleQueue[N | Ended[E]]") -> N | Ended[E] | None:
    """The latest news of a moment; None when there are none."""
    item: N | Ended[E] | None = None
    with suppress(queue.Empty):
        item = news.get(timeout=POLL_S)
        since = Stopwatch()
        while not isinstance(item, Ended) and (left_s := SETTLE_S - since.seconds) > 0:
            item = news.get(timeout=left_s)
    return item
