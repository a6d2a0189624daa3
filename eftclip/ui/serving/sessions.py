"""The open pages: of each its stop signals, what its work ended with, and the files it may download."""

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

F = TypeVar("F")

CHECK, SCAN, RECTIFY, PUBLISH = "check", "scan", "rectify", "publish"  # kinds of work
KEPT_S = 3600  # after which a page that nothing was heard of is as good as closed
# Pages; more than can work or wait at once, see CHECKS and LONG in `components.events`, so that there is always one
# whose work has ended.
MOST, MOST_ACCESS_KEYS = 128, 5_000


@dataclass(eq=False)
class _Session(Generic[F]):
    """One open page."""

    seen_s: float
    stops: dict[str, threading.Event] = field(default_factory=dict)
    kept: dict[str, F] = field(default_factory=dict)
    working: int = 0


class Sessions(Generic[F]):
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
        """No page is open yet.

        Args:
            root: where the folders of the pages go; the system's place for temporary files when left out.
            most: pages at once; of those without work the one that was heard of least recently goes first.
            kept_s: seconds after which a page that nothing was heard of goes.
            clock: seconds from anywhere.
        """
        if root is not None:
            root.mkdir(parents=True, exist_ok=True)
        self._most, self._kept_s, self._clock = most, kept_s, clock
        self._sessions: OrderedDict[str, _Session[F]] = OrderedDict()
        self._access_keys: OrderedDict[str, str] = OrderedDict()
        self._guard = threading.Lock()
        self._files = tempfile.TemporaryDirectory(prefix="eftclip-ui-", dir=root, ignore_cleanup_errors=True)

    @property
    def root(self) -> Path:
        """The folder with the files of all pages."""
        return Path(self._files.name)

    def register(self, session_id: str, access_key: str) -> None:
        """The page was opened by whoever holds that key; that alone is no session yet, and takes nobody's place."""
        with self._guard:
            self._access_keys[session_id] = access_key
            self._access_keys.move_to_end(session_id)
            while len(self._access_keys) > MOST_ACCESS_KEYS:
                self._access_keys.popitem(last=False)

    def access_key(self, session_id: str) -> str:
        """The key of whoever opened the page, also after the connection to it was cut; empty when it is not known."""
        with self._guard:
            return self._access_keys.get(session_id, "")

    def open(self, session_id: str) -> None:
        """Something of an earlier page belongs to this one."""
        with self._guard:
            self._seen(session_id)

    def begin(self, session_id: str, kind: str) -> None:
        """New work of a kind starts on that page; older work of that kind stops, and its files go."""
        with self._guard:
            session = self._seen(session_id)
            if (old := session.stops.get(kind)) is not None:
                old.set()
            session.stops[kind] = threading.Event()
            session.kept.pop(kind, None)
            for folder in self._folder(session_id).glob(f"{kind}-*"):
                shutil.rmtree(folder, ignore_errors=True)

    def stop_signal(self, session_id: str, kind: str) -> threading.Event:
        """The stop signal of the work of that kind that was begun last on that page; set when the page was closed."""
        with self._guard:
            if session_id in self._sessions:
                return self._seen(session_id).stops.setdefault(kind, threading.Event())
        closed = threading.Event()
        closed.set()
        return closed

    def stop(self, session_id: str, kind: str) -> None:
        """Ask the running work of that kind to stop."""
        with self._guard:
            if session_id in self._sessions and (event := self._sessions[session_id].stops.get(kind)) is not None:
                event.set()

    @contextmanager
    def working(self, session_id: str) -> Iterator[None]:
        """Work goes on, or waits in a queue: meanwhile the page does not make room for others."""
        with self._guard:
            session = self._sessions.get(session_id, _Session(0.0))
            session.working += 1
        try:
            yield
        finally:
            with self._guard:
                session.working -= 1

    def is_working(self, session_id: str) -> bool:
        """Whether work of the page goes on, or waits."""
        with self._guard:
            return session_id in self._sessions and self._sessions[session_id].working > 0

    def is_open(self, session_id: str) -> bool:
        """Whether the page is open, as far as is known."""
        with self._guard:
            return session_id in self._sessions

    def touch(self, session_id: str) -> None:
        """The page is still here: its work goes on."""
        with self._guard:
            if session_id in self._sessions:
                self._seen(session_id)

    def keep(self, session_id: str, kind: str, value: F) -> None:
        """Remember what work of a kind ended with, unless the page was closed meanwhile."""
        with self._guard:
            if session_id in self._sessions:
                self._seen(session_id).kept[kind] = value

    def forget(self, session_id: str, kind: str) -> None:
        """Forget what work of a kind ended with."""
        with self._guard:
            if session_id in self._sessions:
                self._sessions[session_id].kept.pop(kind, None)

    def kept(self, session_id: str, kind: str) -> F | None:
        """What the last work of that kind on that page ended with; None without any, and while there is new work."""
        with self._guard:
            self._forget_old()
            return self._sessions[session_id].kept.get(kind) if session_id in self._sessions else None

    def folder(self, session_id: str, kind: str) -> Path:
        """A new, empty folder for the files of one piece of work; `tidy` it when that has ended."""
        with self._guard:
            self._folder(session_id).mkdir(parents=True, exist_ok=True)
            return Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=self._folder(session_id)))

    def tidy(self, session_id: str) -> None:
        """Work has ended: if its page was closed meanwhile, nobody will fetch what it wrote."""
        with self._guard:
            if session_id not in self._sessions:
                shutil.rmtree(self._folder(session_id), ignore_errors=True)

    def close(self, session_id: str) -> None:
        """The page was closed: stop its work, forget what was found, remove its files."""
        with self._guard:
            self._close(session_id)

    # --- with the guard held ---

    def _seen(self, session_id: str) -> _Session[F]:
        """The session, seen just now; a new one when the page is new."""
        self._forget_old()
        if session_id not in self._sessions:
            while len(self._sessions) >= self._most:
                idle = (name for name, session in self._sessions.items() if not session.working)
                self._close(next(idle, next(iter(self._sessions))))
            self._sessions[session_id] = _Session(self._clock())
        self._sessions.move_to_end(session_id)
        self._sessions[session_id].seen_s = self._clock()
        return self._sessions[session_id]

    def _forget_old(self) -> None:
        """The sessions are in the order in which they were heard of, so the oldest is the first."""
        while self._sessions:
            session_id, session = next(iter(self._sessions.items()))
            if self._clock() - session.seen_s <= self._kept_s:
                break
            self._close(session_id)

    def _close(self, session_id: str) -> None:
        if (session := self._sessions.pop(session_id, None)) is not None:
            for event in session.stops.values():
                event.set()
            shutil.rmtree(self._folder(session_id), ignore_errors=True)

    def _folder(self, session_id: str) -> Path:
        return (
            self.root / hashlib.sha256(session_id.encode(errors="replace")).hexdigest()[:32]
        )  # names come from the browser
