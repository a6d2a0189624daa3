"""Who is here: of each open page its stop signals, what its work ended with, and the files it may download."""

import hashlib
import shutil
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

KEPT_S = 3600  # after which a page that nothing was heard of is as good as closed
# Pages; more than can work or wait at once, see CHECKS in `wiring` and LONG in `run_wiring`, so that there is always
# one whose work has ended.
MOST, MOST_TICKETS = 128, 5_000

F = TypeVar("F")


@dataclass(eq=False)
class _Visit(Generic[F]):
    """One open page."""

    seen_s: float
    stops: dict[str, threading.Event] = field(default_factory=dict)
    kept: dict[str, F] = field(default_factory=dict)
    working: int = 0


class Visits(Generic[F]):
    """The open pages, a bounded number of them; all that belongs to one goes when it is closed or forgotten.

    A kind of work is a word: `check`, `scan`, `rectify` or `publish`. Each has a stop signal of its own, so stopping a
    check does not stop the scan of the same page.
    """

    def __init__(
        self,
        root: Path | None = None,
        *,
        most: int = MOST,
        kept_s: float = KEPT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nobody is here yet.

        Args:
            root: where the folders of the pages go; the system's place for temporary files when left out.
            most: pages at once; of those without work the one that was heard of least recently goes first.
            kept_s: seconds after which a page that nothing was heard of goes.
            clock: seconds from anywhere.
        """
        if root is not None:
            root.mkdir(parents=True, exist_ok=True)
        self._most, self._kept_s, self._clock = most, kept_s, clock
        self._visits: OrderedDict[str, _Visit[F]] = OrderedDict()
        self._tickets: OrderedDict[str, str] = OrderedDict()
        self._guard = threading.Lock()
        self._files = tempfile.TemporaryDirectory(prefix="eftclip-ui-", dir=root, ignore_cleanup_errors=True)

    @property
    def home(self) -> Path:
        """The folder with the files of all pages."""
        return Path(self._files.name)

    def arrive(self, page: str, ticket: str) -> None:
        """The page was opened by whoever holds that ticket; that alone is no visit yet, and takes nobody's place."""
        with self._guard:
            self._tickets[page] = ticket
            self._tickets.move_to_end(page)
            while len(self._tickets) > MOST_TICKETS:
                self._tickets.popitem(last=False)

    def ticket(self, page: str) -> str:
        """The ticket of whoever opened the page, also after the line to it was cut; empty when it is not known."""
        with self._guard:
            return self._tickets.get(page, "")

    def open(self, page: str) -> None:
        """Something of an earlier page belongs to this one."""
        with self._guard:
            self._visit(page)

    def begin(self, page: str, kind: str) -> None:
        """New work of a kind starts on that page; older work of that kind stops, and its files go."""
        with self._guard:
            visit = self._visit(page)
            if (old := visit.stops.get(kind)) is not None:
                old.set()
            visit.stops[kind] = threading.Event()
            visit.kept.pop(kind, None)
            for folder in self._home(page).glob(f"{kind}-*"):
                shutil.rmtree(folder, ignore_errors=True)

    def signal(self, page: str, kind: str) -> threading.Event:
        """The stop signal of the work of that kind that was begun last on that page; set when the page was closed."""
        with self._guard:
            if page in self._visits:
                return self._visit(page).stops.setdefault(kind, threading.Event())
        closed = threading.Event()
        closed.set()
        return closed

    def stop(self, page: str, kind: str) -> None:
        """Ask the running work of that kind to stop."""
        with self._guard:
            if page in self._visits and (event := self._visits[page].stops.get(kind)) is not None:
                event.set()

    @contextmanager
    def working(self, page: str) -> Iterator[None]:
        """Work goes on, or waits in line: meanwhile the page does not make room for others."""
        with self._guard:
            visit = self._visits.get(page, _Visit(0.0))
            visit.working += 1
        try:
            yield
        finally:
            with self._guard:
                visit.working -= 1

    def here(self, page: str) -> bool:
        """Whether the page is open, as far as is known."""
        with self._guard:
            return page in self._visits

    def touch(self, page: str) -> None:
        """The page is still here: its work goes on."""
        with self._guard:
            if page in self._visits:
                self._visit(page)

    def keep(self, page: str, kind: str, value: F) -> None:
        """Remember what work of a kind ended with, unless the page was closed meanwhile."""
        with self._guard:
            if page in self._visits:
                self._visit(page).kept[kind] = value

    def forget(self, page: str, kind: str) -> None:
        """Forget what work of a kind ended with."""
        with self._guard:
            if page in self._visits:
                self._visits[page].kept.pop(kind, None)

    def kept(self, page: str, kind: str) -> F | None:
        """What the last work of that kind on that page ended with; None without any, and while there is new work."""
        with self._guard:
            self._forget_old()
            return self._visits[page].kept.get(kind) if page in self._visits else None

    def folder(self, page: str, kind: str) -> Path:
        """A new, empty folder for the files of one piece of work; `tidy` it when that has ended."""
        with self._guard:
            self._home(page).mkdir(parents=True, exist_ok=True)
            return Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=self._home(page)))

    def tidy(self, page: str) -> None:
        """Work has ended: if its page was closed meanwhile, nobody will fetch what it wrote."""
        with self._guard:
            if page not in self._visits:
                shutil.rmtree(self._home(page), ignore_errors=True)

    def leave(self, page: str) -> None:
        """The page was closed: stop its work, forget what was found, remove its files."""
        with self._guard:
            self._leave(page)

    # --- with the guard held ---

    def _visit(self, page: str) -> _Visit[F]:
        """The visit, seen just now; a new one when the page is new."""
        self._forget_old()
        if page not in self._visits:
            while len(self._visits) >= self._most:
                idle = (name for name, visit in self._visits.items() if not visit.working)
                self._leave(next(idle, next(iter(self._visits))))
            self._visits[page] = _Visit(self._clock())
        self._visits.move_to_end(page)
        self._visits[page].seen_s = self._clock()
        return self._visits[page]

    def _forget_old(self) -> None:
        """The visits are in the order in which they were heard of, so the oldest is the first."""
        while self._visits:
            page, visit = next(iter(self._visits.items()))
            if self._clock() - visit.seen_s <= self._kept_s:
                break
            self._leave(page)

    def _leave(self, page: str) -> None:
        if (visit := self._visits.pop(page, None)) is not None:
            for event in visit.stops.values():
                event.set()
            shutil.rmtree(self._home(page), ignore_errors=True)

    def _home(self, page: str) -> Path:
        return self.home / hashlib.sha256(page.encode(errors="replace")).hexdigest()[:32]  # names come from the browser
