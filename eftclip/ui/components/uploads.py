"""Files that a visitor brings: by path on the server and by the name that he knows."""

from pathlib import Path

from gradio.data_classes import FileData, ImageData, ListFiles
from PIL import Image

from eftclip.data import read_picture
from eftclip.errors import DataError

MOST_PICTURE_MB = 20  # of a picture, or of a zip archive of pictures


def uploaded_path(payload: ImageData | None) -> str | None:
    """The uploaded file as it is; Gradio has made sure that it lies in its upload folder."""
    return payload.path if payload else None


def read_upload(path: str) -> Image.Image:
    """Read a file of the upload folder; messages speak of "the picture", never of paths on the server.

    Raises:
        DataError: it is not a usable picture, or no longer there.
    """
    try:
        check_size(Path(path), "The picture")
        with Path(path).open("rb") as stream:
            return read_picture(stream)
    except OSError as error:
        raise DataError(
            "The picture is no longer on the server, where it is kept for an hour; choose it again."
        ) from error


def check_size(path: Path, name: str) -> None:
    """Hold a picture, or an archive of pictures, to less than a checkpoint may have.

    Raises:
        DataError: it is larger.
        OSError: it is no longer there.
    """
    if (size := path.stat().st_size) > MOST_PICTURE_MB * 1_000_000:
        raise DataError(f"{name} has {size / 1e6:,.0f} MB; at most {MOST_PICTURE_MB} MB can be uploaded for each file.")


def uploaded_files(payload: ListFiles | FileData | None) -> list[tuple[str, str]]:
    """Uploaded files with the names that they had on the visitor's machine; Gradio has made sure where they lie."""
    given = payload.root if isinstance(payload, ListFiles) else [payload] if payload else []
    return [(file.path, file.orig_name or file.path.rsplit("/", 1)[-1]) for file in given]
