"""What visitors leave behind goes after its time, whatever happens to the rest of the server."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)


class Cleanup:
    """Removes old uploads and pictures. Gradio does so too, until one request makes it stumble, and never folders."""

    def __init__(
        self,
        folder: Path,
        *,
        kept_s: float,
        spared: Callable[[], Iterable[Path]],
        more: Iterable[Callable[[], object]] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Nothing is removed yet.

        Args:
            folder: that uploads go into.
            kept_s: seconds after which a file goes.
            spared: files and folders that belong to the page, or to somebody who is here.
            more: further cleaning to be done each time.
            clock: seconds since 1970.
        """
        self._folder, self._kept_s, self._spared, self._more, self._clock = folder, kept_s, spared, tuple(more), clock

    def start(self, every_s: float) -> None:
        """Clean up from time to time until the process ends."""

        def forever() -> None:
            while True:
                time.sleep(every_s)
                self.clean()

        threading.Thread(target=forever, daemon=True, name="cleanup").start()

    def clean(self) -> None:
        """Clean up once; nothing that goes wrong with one file keeps another one here."""
        for clean in (self._files, *self._more):
            try:
                clean()
            except Exception:
                log.exception("cleaning up failed")

    def _files(self) -> None:
        spared = {path.absolute() for path in self._spared()}
        for home, folders, files in os.walk(self._folder, topdown=False):  # what is inside a folder comes before it
            for path in (Path(home) / name for name in (*files, *folders)):
                if spared.isdisjoint((path.absolute(), *path.absolute().parents)):
                    self._remove(path)

    def _remove(self, path: Path) -> None:
        with suppress(OSError):  # gone already, or a folder that is not empty
            if self._clock() - path.lstat().st_ctime > self._kept_s:
                path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
