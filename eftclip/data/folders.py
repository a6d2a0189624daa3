"""What lies below a folder of this machine: every file is sorted once, and nothing that may be a picture is lost."""

import os
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from eftclip.data.file_kinds import HEAD_BYTES, SUFFIXES, FileKind, kind_of_head, kind_of_name
from eftclip.errors import DataError

# What programs keep for themselves: no loader of pictures looks into it, and a clone with large files holds all twice.
STORES = frozenset({".git", ".hg", ".svn", ".jj", ".bzr"})
HIDDEN = "is hidden and was left out; rename it, or take it out of the set."
HOLDER = "may hold pictures and was left out; give it by itself, or take it out of the set."
AROUND = "is a link to a folder around this one and was not followed; name that folder instead."


@dataclass(frozen=True)
class FolderListing:
    """What lies below a folder, by names relative to it and in their order.

    Attributes:
        pictures: visible files that are pictures by their name or their contents.
        others: visible files that are no pictures.
        hidden: hidden files and folders.
        links: links to folders whose pictures are listed all the same.
        left_out: what may be a picture or hold some and is not listed as one, and why.
    """

    pictures: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)


def list_folder(folder: Path) -> FolderListing:
    """List a folder and all below it, also behind links to other folders, each folder once.

    Raises:
        DataError: one of the folders cannot be read, which must not look like an empty one.
    """
    found, walked, links = FolderListing(), set[tuple[int, int]](), deque[Path]()
    _walk(folder, folder, found, walked, links)
    while links:
        link = links.popleft()
        name = link.relative_to(folder).as_posix()
        if folder.resolve().is_relative_to(target := link.resolve()) and target != folder.resolve():
            found.left_out.append((name, AROUND))
        elif _identity(link) in walked:
            found.links.append(name)
        else:
            _walk(folder, link, found, walked, links)
    for names in (found.pictures, found.others, found.hidden, found.links):
        names.sort(key=lambda name: name.split("/"))
    found.left_out.sort(key=lambda pair: pair[0].split("/"))
    return found


def list_pictures(paths: Sequence[Path]) -> tuple[Path, ...]:
    """The picture files under some paths.

    Args:
        paths: files, taken whatever they are called, and folders, searched with their sub-folders for pictures, by name
            and by contents; hidden files and folders are left out, see `list_left_out`.

    Returns:
        every file once; folders in alphabetical order.

    Raises:
        DataError: a path is missing or a folder cannot be read or holds no picture, so no report is ever empty.
    """
    if not paths:
        raise DataError("No picture was named; give at least one picture file or a folder of pictures.")
    found: dict[Path, None] = {}
    for path in paths:
        if not _exists(path):
            raise DataError(f"{path} does not exist; give a picture file or a folder of pictures.")
        listed = [path / name for name in list_folder(path).pictures] if path.is_dir() else [path]
        if not listed:
            raise DataError(f"The folder {path} holds no picture ({', '.join(sorted(SUFFIXES))}); name another folder.")
        found.update(dict.fromkeys(listed))
    return tuple(found)


def list_left_out(paths: Sequence[Path]) -> list[tuple[Path, str]]:
    """What below some folders may be a picture, or hold some, and is not in `list_pictures`; and why.

    Raises:
        DataError: a folder cannot be read.
    """
    folders = [path for path in dict.fromkeys(paths) if path.is_dir()]
    return [(folder / name, why) for folder in folders for name, why in list_folder(folder).left_out]


def is_hidden(name: str) -> bool:
    """Whether a file is hidden, lies in a hidden folder, or is what macOS adds to archives."""
    return any((part[:1] == "." and part.strip(".")) or part == "__MACOSX" for part in name.split("/"))


def sorted_paths(names: Iterable[str]) -> list[str]:
    """Names sorted as paths are, folder by folder."""
    return sorted(names, key=lambda name: name.split("/"))


def _walk(root: Path, start: Path, found: FolderListing, walked: set[tuple[int, int]], links: "deque[Path]") -> None:
    """Sort what lies in one folder and below it; links to folders are only noted."""
    for where, folders, files in os.walk(start, onerror=_unreadable):
        inside = Path(where).relative_to(root)
        walked.add(_identity(Path(where)))
        hidden = [name for name in folders if is_hidden(name)]
        for name in hidden:
            found.hidden.append((inside / name).as_posix())
            _look_into(root, Path(where, name), found)
        links.extend(Path(where, name) for name in folders if name not in hidden and Path(where, name).is_symlink())
        folders[:] = [name for name in folders if name not in hidden and _identity(Path(where, name)) not in walked]
        for name in files:
            _sort(root, (inside / name).as_posix(), found)


def _sort(root: Path, name: str, found: FolderListing) -> None:
    """Put one file where it belongs."""
    if is_hidden(name):
        found.hidden.append(name)
        if _kind(root / name, "") is not FileKind.OTHER:
            found.left_out.append((name, HIDDEN))
        return
    kind = _kind(root / name, name)
    if kind is FileKind.PICTURE:
        found.pictures.append(name)
        return
    found.others.append(name)
    if kind is FileKind.HOLDER:
        found.left_out.append((name, HOLDER))


def _look_into(root: Path, folder: Path, found: FolderListing) -> None:
    """Leave out the pictures of a hidden folder one by one, so that each is counted."""
    if folder.name in STORES or folder.is_symlink():
        return
    for where, folders, files in os.walk(folder, onerror=_unreadable):
        folders[:] = [name for name in folders if name not in STORES]
        for path in (Path(where, name) for name in files):
            if _kind(path, "") is not FileKind.OTHER:
                found.left_out.append((path.relative_to(root).as_posix(), HIDDEN))


def _kind(path: Path, name: str) -> FileKind:
    """By its name where there is one to go by and it says enough, else by its first bytes."""
    kind = kind_of_name(name) if name else None
    if kind is FileKind.PICTURE:
        return kind
    try:
        if not path.is_file():  # a pipe would never end, and a link to nowhere holds nothing
            return FileKind.OTHER
        if kind is not None:
            return kind if path.stat().st_size else FileKind.OTHER
        with path.open("rb") as stream:
            return kind_of_head(stream.read(HEAD_BYTES))
    except OSError:
        return FileKind.HOLDER  # nobody knows what is in it


def _identity(path: Path) -> tuple[int, int]:
    try:
        about = path.stat()
    except OSError:  # a link in circles leads nowhere
        return (0, 0)
    return about.st_dev, about.st_ino


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name longer than any file system takes
        return False


def _unreadable(error: OSError) -> None:
    """A folder that cannot be listed must not look like an empty one."""
    raise DataError(
        f"The folder {error.filename} cannot be read ({error.strerror}); change its permissions."
    ) from error
