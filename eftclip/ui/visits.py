"""Who is waiting for what: the stop signal of each open page, and the file it may download."""

import json
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any


class Visits:
    """One stop signal and one folder per page; both go when the page is closed."""

    def __init__(self) -> None:
        """Nobody is here yet."""
        self._stops: dict[str, threading.Event] = {}
        self._guard = threading.Lock()
        self._files = tempfile.TemporaryDirectory(prefix="eftclip-ui-")

    def begin(self, page: str) -> None:
        """A new check starts on that page; an older one of the same page stops."""
        with self._guard:
            if (old := self._stops.get(page)) is not None:
                old.set()
            self._stops[page] = threading.Event()

    def signal(self, page: str) -> threading.Event:
        """The stop signal of the check that was begun last on that page."""
        with self._guard:
            return self._stops.setdefault(page, threading.Event())

    def stop(self, page: str) -> None:
        """Ask the running check of that page to stop."""
        with self._guard:
            if (event := self._stops.get(page)) is not None:
                event.set()

    def leave(self, page: str) -> None:
        """The page was closed: stop its check and forget its file."""
        self.stop(page)
        with self._guard:
            self._stops.pop(page, None)
        shutil.rmtree(self._folder(page), ignore_errors=True)

    def write(self, page: str, document: dict[str, Any]) -> str:
        """Write the page's document for download and return its path."""
        folder = self._folder(page)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "eftclip-check.json"
        path.write_text(json.dumps(document, indent=2, ensure_ascii=False), encoding="utf-8")
        return str(path)

    def _folder(self, page: str) -> Path:
        name = "".join(letter for letter in page if letter.isalnum())  # session names come from the browser
        return Path(self._files.name) / (name or "page")
