"""Checkpoints that visitors upload: one for each page, bounded, and deleted after an hour.

They lie in a folder of their own, which Gradio neither serves nor takes files from: no path that a browser sends can
lead to what somebody else has uploaded.
"""

import hashlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from eftclip.checkpoint import PICKLE_SUFFIXES, WEIGHT_SUFFIXES
from eftclip.data import plain_file_name, unpack_folder
from eftclip.errors import CheckpointError, DataError
from eftclip.ui.checkpoint.uploaded import NONE_YET, UploadedCheckpoint
from eftclip.ui.serving.request_guard import CROWDED, size_of
from eftclip.ui.serving.sessions import KEPT_S
from eftclip.untrusted_text import one_line

MOST_GB = 2.0  # of one checkpoint; as large as what a public page loads from the Hub, see `loading.MAX_GB`
MOST_FILES = 50  # a sharded checkpoint with its texts has some twenty
MOST_ROOM_GB = 10.0  # of all that is kept
ARCHIVE = ".zip"
PREFIX = "eftclip-uploaded-"
LEFT_BEHIND_S = 86_400  # after which nobody works any more with what a server that was killed could not delete


class UploadedCheckpoints:
    """What is kept for the open pages; safe to use from many threads."""

    def __init__(
        self,
        uploads: Path,
        *,
        pickles: bool,
        most_gb: float = MOST_GB,
        kept_s: float = KEPT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing was uploaded yet.

        Args:
            uploads: the folder that Gradio puts uploads into; nothing is taken from elsewhere.
            pickles: whether weights may come as a pickle, which a page that others can reach never takes.
            most_gb: size of a checkpoint in 10⁹ bytes.
            kept_s: seconds after which it is deleted.
            clock: seconds from anywhere.
        """
        self._uploads, self._pickles, self._most = uploads, pickles, int(most_gb * 1e9)
        self._kept_s, self._clock, self._guard = kept_s, clock, threading.Lock()
        self._homes: dict[str, tuple[Path, float]] = {}
        beside = uploads.parent if os.access(uploads.parent, os.W_OK) else None  # on the same disk, if that can be
        self._root = tempfile.TemporaryDirectory(prefix=PREFIX, dir=beside, ignore_cleanup_errors=True)

    def receive(self, session_id: str, given: object) -> UploadedCheckpoint:
        """Take what a page has uploaded in the place of what it had before.

        Args:
            session_id: of the page.
            given: pairs of path and name: one weight file, the files of a folder, or one archive.

        Raises:
            CheckpointError: there is none, it is too large, no checkpoint, or a pickle where none is taken.
        """
        self.drop(session_id)
        files = self._checked(given)
        Path(self._root.name).mkdir(exist_ok=True)  # another server may have cleaned up behind this one
        home = Path(tempfile.mkdtemp(dir=self._root.name))
        with self._guard:
            earlier, _ = self._homes.get(session_id, (None, 0.0))
            self._homes[session_id] = (home, self._clock())
        if earlier is not None:  # sent at the same moment
            shutil.rmtree(earlier, ignore_errors=True)
        try:
            name = self._put(files, home)
            self._refuse_pickles(home, name)
            paths = sorted(home.iterdir())
            return UploadedCheckpoint(name, _digest(paths), str(paths[0] if len(paths) == 1 else home))
        except BaseException as error:
            self.drop(session_id)
            if isinstance(error, DataError):
                raise CheckpointError(str(error)) from error
            if isinstance(error, OSError):
                raise CheckpointError("The server could not keep the upload; try again later.") from error
            raise

    def drop(self, session_id: str) -> None:
        """The page was closed, or the visitor has taken it back."""
        with self._guard:
            home, _ = self._homes.pop(session_id, (None, 0.0))
        if home is not None:
            shutil.rmtree(home, ignore_errors=True)

    def remove_old(self, is_working: Callable[[str], bool] = lambda _: False) -> None:
        """Delete what has been here for too long; work that goes on may end, as it writes next to what it read."""
        with self._guard:
            old = [one for one, (_, since) in self._homes.items() if self._clock() - since > self._kept_s]
        for session_id in old:
            if not is_working(session_id):
                self.drop(session_id)
        for root in Path(self._root.name).parent.glob(f"{PREFIX}*"):
            if root != Path(self._root.name) and root.is_dir() and not root.is_symlink():
                _remove_left_behind(root)

    def _checked(self, given: object) -> list[tuple[Path, str]]:
        """Files of the upload folder, few and small enough, with the names that their owner knows."""
        pairs = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else []
        if not pairs:
            raise CheckpointError(NONE_YET)
        if len(pairs) > MOST_FILES:
            raise CheckpointError(f"{len(pairs)} files were sent; a checkpoint may have at most {MOST_FILES}.")
        files = [(Path(str(path)), one_line(str(name).replace("\\", "/").rpartition("/")[2])) for path, name in pairs]
        for path, name in files:
            if not path.resolve().is_relative_to(self._uploads.resolve()) or not path.is_file():
                raise CheckpointError(f"{name} is no longer on the server; choose it again.")
        size = sum(path.stat().st_size for path, _ in files)
        if size > self._most:
            raise CheckpointError(
                f"{files[0][1] if len(files) == 1 else 'The checkpoint'} has {size / 1e9:.2g} GB; "
                f"at most {self._most / 1e9:.2g} GB can be uploaded."
            )
        if size + size_of(Path(self._root.name)) > MOST_ROOM_GB * 1e9:
            raise CheckpointError(CROWDED)
        return files

    def _put(self, files: list[tuple[Path, str]], home: Path) -> str:
        """Put the files into their folder; the name of the whole."""
        path, name = files[0]
        archives = [shown for _, shown in files if shown.lower().endswith(ARCHIVE)]
        weights = [shown for _, shown in files if _is_weights(shown)]
        if archives and len(files) > 1:
            raise CheckpointError(f"{archives[0]} came with other files; choose one zip archive alone.")
        if archives:
            unpack_folder(path, home, name=name, wanted=_is_weights, most_bytes=self._most, most_files=MOST_FILES)
            return name
        if not weights:
            raise CheckpointError(
                f"{name} is neither a weight file ({', '.join(WEIGHT_SUFFIXES)}) nor a zip archive of a checkpoint's "
                "folder."
            )
        for source, shown in files:
            target = home / plain_file_name(shown)
            if target.exists():
                raise CheckpointError(f"Two of the files are named {shown}; choose the files of one folder.")
            _link(source, target)
        return next((one for one in weights if not one.endswith(PICKLE_SUFFIXES)), weights[0])

    def _refuse_pickles(self, home: Path, name: str) -> None:
        if self._pickles or any(path.suffix == ".safetensors" for path in home.iterdir()):
            return
        raise CheckpointError(
            f"{name}: the weights are a pickle, a format that can carry code, and this page takes none; upload "
            "safetensors, or run EftCLIP on your own machine."
        )


def _remove_left_behind(root: Path) -> None:
    """What a server that was killed has kept; one that still runs deletes its own long before."""
    with suppress(OSError):  # it belongs to somebody else, or is being removed just now
        for home in root.iterdir():
            if time.time() - home.lstat().st_ctime > LEFT_BEHIND_S:
                shutil.rmtree(home, ignore_errors=True)
        if time.time() - root.lstat().st_ctime > LEFT_BEHIND_S:
            root.rmdir()


def _is_weights(name: str) -> bool:
    return name.endswith(WEIGHT_SUFFIXES)


def _link(source: Path, target: Path) -> None:
    """The file under another name, which takes no room; a copy on another disk."""
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)


def _digest(paths: Sequence[Path]) -> str:
    """sha256 of names and contents."""
    whole = hashlib.sha256()
    for path in paths:
        with path.open("rb") as stream:
            whole.update(f"{path.name}\0{hashlib.file_digest(stream, 'sha256').hexdigest()}\0".encode())
    return whole.hexdigest()
