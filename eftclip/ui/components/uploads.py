"""Files that a visitor brings: by path on the server and by the name that he knows."""

from pathlib import Path

from gradio.data_classes import FileData, ImageData, ListFiles
from PIL import Image

from eftclip.data import read_picture
from eftclip.errors import DataError


def uploaded_path(payload: ImageData | None) -> str | None:
    """The uploaded file as it is; Gradio has made sure that it lies in its upload folder."""
    return payload.path if payload else None


def read_upload(path: str) -> Image.Image:
    """Read a file of the upload folder; messages speak of "the picture", never of paths on the server.

    Raises:
        DataError: it is not a usable picture, or no longer there.
    """
    try:
        with Path(path).open("rb") as stream:
            return read_picture(stream)
    except OSError as error:
        raise DataError(
            "The picture is no longer on the server, where it is kept for an hour; choose it again."
        ) from error


def uploaded_files(payload: ListFiles | FileData | None) -> list[tuple[str, str]]:
    """Uploaded files with the names that they had on the visitor's machine; Gradio has made sure where they lie."""
    given = payload.root if isinstance(payload, ListFiles) else [payload] if payload else []
    return [(file.path, file.orig_name or file.path.rsplit("/", 1)[-1]) for file in given]
