"""The folder that uploads and files for download go into."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from eftclip.errors import PageError


def check_temporary_folder() -> None:
    """See that files can be written where Gradio puts them.

    Raises:
        PageError: they cannot.
    """
    folder = _folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="eftclip-try-", dir=folder):
            pass
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise PageError(
            f"The folder for uploads, {folder}, cannot be written ({reason or error}{_owner(folder)}): set "
            "GRADIO_TEMP_DIR to a folder of your own."
        ) from error


def _folder() -> Path:
    """The same as `gradio.utils.get_upload_folder`, which cannot be imported everywhere."""
    try:
        return Path(os.environ.get("GRADIO_TEMP_DIR") or Path(tempfile.gettempdir()) / "gradio")
    except OSError as error:
        raise PageError(
            "This machine has no folder for temporary files that can be written: set TMPDIR to one of your own."
        ) from error


def _owner(folder: Path) -> str:
    """Whose it is, where that is somebody else."""
    with suppress(OSError, KeyError, NotImplementedError, AttributeError):
        if folder.stat().st_uid != os.geteuid():
            return f"; it belongs to {folder.owner()}"
    return ""
