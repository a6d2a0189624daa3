"""A bar on a terminal, silence elsewhere; Ctrl-C as a polite request."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from tqdm import tqdm

from eftclip.console import printable
from eftclip.runtime import Cancelled, Progress, paced


class Bar:
    """Shows the latest progress on stderr when that is a terminal."""

    def __init__(self, *, silent: bool = False) -> None:
        """Show nothing yet; `silent` for a process that does not speak for its team."""
        self._bar: tqdm | None = None
        self._silent = silent
        self._show = paced(self._draw)

    def __call__(self, progress: Progress) -> None:
        """Show where the work is."""
        if not self._silent and sys.stderr.isatty():
            self._show(progress)

    def _draw(self, progress: Progress) -> None:
        if self._bar is None:
            self._bar = tqdm(file=sys.stderr, leave=False)
        # Without a total there is nothing that a bar could show.
        self._bar.bar_format = "{desc} {bar:20} {n}/{total} {postfix}" if progress.total else "{desc} {n} {postfix}"
        self._bar.total, self._bar.n = progress.total, progress.done
        self._bar.set_description_str(progress.stage, refresh=False)
        self._bar.set_postfix_str(progress.pace)

    def say(self, line: str) -> None:
        """Print a line to stdout without tearing the bar."""
        if self._silent:
            return
        if self._bar is not None:
            self._bar.clear()
        print(printable(line), flush=True)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


@contextmanager
def polite_stop() -> Iterator[Cancelled]:
    """Yield a question that turns true at the first Ctrl-C; the second one interrupts at once."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():  # only the main thread may listen for signals
        yield asked.is_set
        return

    def ask(number: int, frame: FrameType | None) -> None:
        asked.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        print("\nStopping; what is done is kept. Press Ctrl-C again to stop at once.", file=sys.stderr)

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)
