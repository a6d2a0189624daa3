"""Suggestions for whoever types the name of a Hub repository: few questions to the Hub, and never an error."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from eftclip.checkpoint import search_hub
from eftclip.ui.components.validation import single_line

KEPT_S, FAILED_S = 600.0, 30.0  # for which an answer is good, and after which a silent Hub is asked again
MOST_ANSWERS = 256
LEAST_CHARS, MOST_CHARS = 3, 80
PAUSE_S = 0.25  # between two letters; who goes on typing asks once more, and only the last text is looked for
PATIENCE_S = 3.0  # for the question of somebody else to end

Answer = tuple[str, ...]


class HubSearch:
    """One question to the Hub at a time, for all pages together; safe to use from many threads."""

    def __init__(
        self,
        token: Any,
        *,
        search: Callable[..., Answer | None] = search_hub,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing was asked yet.

        Args:
            token: False on a page that others can reach: nobody's private repositories are suggested there.
            search: asks the Hub.
            clock: seconds from anywhere.
        """
        self._token, self._search, self._clock = token, search, clock
        self._answers: OrderedDict[str, tuple[Answer, float]] = OrderedDict()
        self._guard, self._asking = threading.Lock(), threading.Lock()
        self._silent_until = float("-inf")

    def suggestions(self, typed: object) -> Answer:
        """Repositories with that text in their id; none where it is too short, or the Hub does not answer."""
        text = single_line(typed).removeprefix("hf:").lower()
        if not LEAST_CHARS <= len(text) <= MOST_CHARS or "@" in text or "://" in text:
            return ()
        if (known := self._known(text)) is not None:
            return known
        if not self._asking.acquire(timeout=PATIENCE_S):
            return ()
        try:
            known = self._known(text)
            return self._ask(text) if known is None else known
        finally:
            self._asking.release()

    def _ask(self, text: str) -> Answer:
        found = self._search(text, token=self._token)
        with self._guard:
            if found is None:
                self._silent_until = self._clock() + FAILED_S
                return ()
            self._answers[text] = (found, self._clock())
            while len(self._answers) > MOST_ANSWERS:
                self._answers.popitem(last=False)
        return found

    def _known(self, text: str) -> Answer | None:
        """An answer that needs no question; None where there is none."""
        with self._guard:
            found, since = self._answers.get(text, ((), float("-inf")))
            if self._clock() - since <= KEPT_S:
                return found
            return () if self._clock() < self._silent_until else None
