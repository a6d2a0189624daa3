"""Finished results that outlive the page and the process: a day long, for whoever holds their access key."""

import hashlib
import json
import os
import re
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from eftclip.ui.components.pictures import Captioned

KEPT_S = 86_400  # a day
MOST_BYTES = 5_000_000_000
ACCESS_KEY = re.compile(r"[\w-]{32,64}", re.ASCII)
ABOUT, FORMAT = "about.json", 1


def new_access_key() -> str:
    """A key that nobody can guess."""
    return secrets.token_urlsafe(24)


def is_access_key(value: object) -> bool:
    """Whether this can be an access key at all; it comes from a browser."""
    return isinstance(value, str) and ACCESS_KEY.fullmatch(value) is not None


@dataclass(frozen=True)
class StoredResult:
    """A finished result.

    Attributes:
        values: plain values.
        pictures: with their captions, by name.
        files: that belong to it, by name; in the store they are copies or further links.
        age_s: seconds since it was put there.
    """

    values: Mapping[str, Any]
    pictures: Mapping[str, Sequence[Captioned]]
    files: Mapping[str, Path]
    age_s: float = 0.0


class ResultStore:
    """A folder of finished results, bounded in age and bytes; safe to use from many threads.

    A result is there as a whole or not at all, also after a crash. Folders are named by a digest of the access key, so
    whoever can list them still cannot fetch anything from the page.
    """

    def __init__(
        self,
        root: Path,
        *,
        kept_s: float = KEPT_S,
        most_bytes: int = MOST_BYTES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Open a store, or begin one.

        Args:
            root: the folder.
            kept_s: seconds after which a result goes.
            most_bytes: of all results together; the oldest go first.
            clock: seconds since 1970.
        """
        self._root, self._kept_s, self._most, self._clock = root, kept_s, most_bytes, clock
        self._guard = threading.Lock()

    def put(self, access_key: str, kind: str, stored: StoredResult) -> None:
        """Keep a result, in place of the last one of its kind."""
        self._root.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix="new-", dir=self._root))
        about: dict[str, Any] = {"format": FORMAT, "values": dict(stored.values), "pictures": {}, "files": {}}
        for name, shown in stored.pictures.items():
            about["pictures"][name] = [
                (_saved(picture, fresh / f"{name}-{k}.png"), text) for k, (picture, text) in enumerate(shown)
            ]
        for k, (name, path) in enumerate(stored.files.items()):
            about["files"][name] = f"{k}-file/{path.name}"
            link(path, fresh / about["files"][name])
        about["made_s"] = now = self._clock()
        (fresh / ABOUT).write_text(json.dumps(about), encoding="ascii")
        os.utime(fresh / ABOUT, (now, now))  # looked at when old ones go
        with self._guard:
            home = self._home(access_key) / kind
            home.parent.mkdir(exist_ok=True)
            shutil.rmtree(home, ignore_errors=True)
            fresh.rename(home)
            self._remove_old()

    def get(self, access_key: str, kind: str) -> StoredResult | None:
        """A result of that kind; None without any, or when it is too old or unreadable."""
        home = self._home(access_key) / kind
        with self._guard:
            try:
                about = json.loads((home / ABOUT).read_text(encoding="ascii"))
                age_s = self._clock() - about["made_s"]
                if about["format"] != FORMAT or age_s > self._kept_s:
                    return None
                pictures = {
                    name: tuple((_opened(home / file), text) for file, text in shown)
                    for name, shown in about["pictures"].items()
                }
                files = {name: home / file for name, file in about["files"].items()}
                return StoredResult(about["values"], pictures, files, age_s)
            except (OSError, ValueError, KeyError, TypeError):
                return None

    def forget(self, access_key: str) -> None:
        """Take everything of an access key away."""
        with self._guard:
            shutil.rmtree(self._home(access_key), ignore_errors=True)

    def remove_old(self) -> None:
        """Take away what is too old, and the oldest while all is too much."""
        with self._guard:
            self._remove_old()

    def _remove_old(self) -> None:
        if not self._root.is_dir():
            return
        homes = sorted((path.parent for path in self._root.glob(f"*/*/{ABOUT}")), key=_age)
        left = {home: sum(path.stat().st_size for path in home.rglob("*") if path.is_file()) for home in homes}
        for home in homes:
            if self._clock() - _age(home) > self._kept_s or sum(left.values()) > self._most:
                shutil.rmtree(home, ignore_errors=True)
                del left[home]
        for stray in self._root.glob("new-*"):  # of a process that was killed while it wrote
            if self._clock() - stray.stat().st_mtime > self._kept_s:
                shutil.rmtree(stray, ignore_errors=True)
        for empty in self._root.iterdir():
            if not empty.name.startswith("new-") and not any(empty.iterdir()):
                empty.rmdir()

    def _home(self, access_key: str) -> Path:
        return self._root / hashlib.sha256(access_key.encode()).hexdigest()[:32]


def link(source: Path, target: Path) -> None:
    """The same file under another name; a copy where that cannot be."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another disk
        shutil.copyfile(source, target)


def _age(home: Path) -> float:
    return (home / ABOUT).stat().st_mtime


def _saved(picture: Image.Image, path: Path) -> str:
    picture.save(path)
    return path.name


def _opened(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        picture.load()
        return picture
