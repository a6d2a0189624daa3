"""Names of files as tables write them, found among those that are there."""

import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath, PureWindowsPath


class FileNames:
    """The pictures of a place, found by whatever a table calls them; never one outside of it."""

    def __init__(self, names: Iterable[str], root: str = "") -> None:
        """Know all names.

        Args:
            names: relative to the place, separated by slashes.
            root: the absolute path of the place; empty where it has none.
        """
        self._root = f"{root.rstrip('/')}/" if root else ""
        self._known = {composed(name): name for name in names}

    def find(self, written: str, folder: str = "") -> str | None:
        """The picture that is meant.

        Args:
            written: relative to the table, to the place or to some folder around it, or absolute; with slashes of
                either kind, and letters composed or, as macOS writes them, decomposed.
            folder: of the table, relative to the place.

        Returns:
            its name as listed; None where no such picture is there.
        """
        name = composed(written.strip().replace("\\", "/"))
        if not name or "\0" in name or len(name) > 4096:
            return None
        inside = name.removeprefix(composed(self._root)) if self._root else name
        path = PurePosixPath(inside)
        for candidate in (str(PurePosixPath(folder) / path) if folder else "", str(path)):
            if candidate in self._known:
                return self._known[candidate]
        if ".." in path.parts or PureWindowsPath(inside).drive:
            return None
        return self._of_moved(path)

    def _of_moved(self, path: PurePosixPath) -> str | None:
        """The picture in a set that was moved, or is named from a folder around it: data/train/1.jpg in train."""
        parts, here = [part for part in path.parts if part != "/"], PurePosixPath(self._root).name
        for start in range(1, len(parts)):
            name = "/".join(parts[start:])
            # Other folders have pictures of the same name: it takes this folder's name, or more of the way.
            if name in self._known and (parts[start - 1] == here or (path.is_absolute() and "/" in name)):
                return self._known[name]
        return None


def composed(name: str) -> str:
    """A name in the composed form of Unicode, which most systems write."""
    return unicodedata.normalize("NFC", name)
