"""A folder of pictures on this machine."""

from functools import partial
from pathlib import Path
from typing import IO

from eftclip.data.folders import FolderListing
from eftclip.data.sets.base import note, read_bounded, reason
from eftclip.data.sets.file_tree import FileTree, file_tree_set
from eftclip.errors import DataError, MissingError
from eftclip.types import ImageSet
from eftclip.untrusted_text import one_line


def open_folder(source: str, folder: Path, found: FolderListing, *, insist: str = "", split: str = "") -> ImageSet:
    """Make a folder of pictures a set, with the texts of its layout.

    Args:
        source: what the user typed.
        folder: where it is.
        found: what it holds.
        insist: the table in it that was named, so it must name the pictures; empty where the folder was.
        split: the part that is wanted; empty for all of it.

    Raises:
        DataError: it holds no picture, or its table cannot be read.
    """
    tree = FileTree(
        title=f"The folder {source}",
        pictures=found.pictures,
        others=found.others,
        hidden=found.hidden,
        left_out=found.left_out,
        read=lambda name: read_file(folder / name, name),
        read_row=partial(read_inside, folder),
        open=lambda name: open_file(folder / name),
        root=folder.absolute().as_posix(),
        split=split,
    )
    links = note(found.links, "link to a folder was not followed", "links to folders were not followed")
    return file_tree_set(tree, source, "folder", notes=links, insist=insist)


def read_inside(folder: Path, name: str, shown: str = "") -> bytes:
    """The bytes of a picture that a file of the data set names.

    Args:
        folder: what the name must not lead out of, by itself or through a link.
        name: relative to the folder, or absolute.
        shown: how error messages call it, where that is not its name.

    Raises:
        MissingError: there is no such file.
        DataError: it lies outside of the folder, or cannot be read.
    """
    shown = shown or one_line(name)
    try:
        path = (folder / name).resolve()
        outside = not any(path.is_relative_to(place) for place in _inside(folder.resolve()))
    except (OSError, ValueError, RuntimeError) as error:  # a name that cannot be, links in circles
        raise DataError(f"{shown} cannot be read ({reason(error)}); correct its name.") from error
    if outside:
        raise DataError(f"{shown} lies outside of its data set's folder; copy the file into it.")
    return read_file(path, shown)


def _inside(folder: Path) -> list[Path]:
    """Where files of a folder may lie: below it, and for a snapshot in the cache of the Hub beside the snapshots."""
    places = [folder]
    for snapshot in (folder, *folder.parents):
        if snapshot.parent.name == "snapshots" and (blobs := snapshot.parent.parent / "blobs").is_dir():
            places.append(blobs)
    return places


def read_file(path: Path, name: str) -> bytes:
    """The bytes of one picture file.

    Raises:
        MissingError: there is no such file.
        DataError: it is no file, cannot be read, is empty or larger than `MAX_FILE_MB`.
    """
    shown = one_line(name)
    try:
        if not path.exists():
            raise MissingError(f"{shown} is not there; add the file, or leave it out of the set.")
        if not path.is_file():  # a pipe or a device would never end
            raise DataError(f"{shown} is not a file; replace it by a picture file.")
        with path.open("rb") as stream:
            return read_bounded(stream, shown)
    except (OSError, ValueError) as error:
        raise DataError(f"{shown} cannot be read ({reason(error)}); check the file.") from error


def open_file(path: Path) -> IO[bytes]:
    """A table or a text as a stream.

    Raises:
        DataError: it may not be read.
    """
    try:
        if not path.is_file():  # a pipe would never end
            raise DataError(f"{path.name} is not a file, or a link that leads nowhere; replace it.")
        return path.open("rb")
    except OSError as error:
        raise DataError(f"{path.name} cannot be read ({reason(error)}); change its permissions.") from error
