"""A zip archive, which anybody may have sent: read in place, never extracted, never trusted about a size."""

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import IO

from eftclip.data.file_kinds import HEAD_BYTES, FileKind, kind_of_head, kind_of_name
from eftclip.data.folders import HIDDEN, HOLDER, is_hidden, sorted_paths
from eftclip.data.sets.base import MAX_BYTES, note, read_bounded, reason, too_large
from eftclip.data.sets.file_tree import TABLE, FileTree, file_tree_set
from eftclip.errors import DataError, MissingError
from eftclip.types import ImageSet
from eftclip.untrusted_text import one_line

MAX_MEMBERS = 100_000  # their directory takes some 60 MB of memory, which a visitor may cost
# Read in one piece before members can be counted: 100,000 of them with names of a hundred characters.
MAX_DIRECTORY_MB = 16
UTF8 = 0x800  # bit of a member's flags
ENCRYPTED = 0x1 | 0x40  # bits of a member's flags: the old cipher, strong encryption
# bzip2 and LZMA are left out: Python inflates them without a limit, a few kilobytes to gigabytes in one step.
TWIN = "is there twice; the later one was read, and the earlier one was left out: give each a name of its own."
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class _Bounded(io.BufferedReader):
    """A file that gives no more than `MAX_DIRECTORY_MB` at once: `zipfile` asks for the whole directory."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > MAX_DIRECTORY_MB * 1_000_000:
            raise zipfile.BadZipFile(f"its directory is larger than {MAX_DIRECTORY_MB} MB")
        return super().read(size)

    def __del__(self) -> None:
        """Close quietly once nobody can read from the archive any more."""
        self.close()


def open_zip(source: str, path: Path, split: str = "") -> ImageSet:
    """Make the pictures of an archive a set; one with a metadata.csv, also in its only folder, is read as a folder.

    Raises:
        DataError: it is no zip archive, has too many members or no picture, or its table cannot be read.
    """
    archive = opened_archive(path, path.name)
    members: dict[str, zipfile.ZipInfo] = {}
    twins = []
    for info in archive.infolist():
        if not info.filename.endswith("/"):
            name = member_name(info)
            twins += [name] if name in members else []
            members[name] = info
    hidden = sorted_paths(name for name in members if is_hidden(name))
    visible = sorted_paths(members.keys() - set(hidden))
    kinds = {name: _kind(archive, members[name], kind_of_name(name)) for name in visible}
    pictures = [name for name in visible if kinds[name] is FileKind.PICTURE]
    left_out = [(name, HOLDER) for name in visible if kinds[name] is FileKind.HOLDER]
    left_out += [(name, HIDDEN) for name in hidden if _kind(archive, members[name]) is not FileKind.OTHER]
    left_out += [(name, TWIN) for name in twins if kinds.get(name) is FileKind.PICTURE]
    root = _root(pictures, visible)

    def read(name: str) -> bytes:
        return _read(archive, members.get(root + name), f"{one_line(name)} in {path.name}")

    tree = FileTree(
        title=path.name,
        pictures=[name.removeprefix(root) for name in pictures],
        others=[name.removeprefix(root) for name in visible if kinds[name] is not FileKind.PICTURE],
        hidden=hidden,
        left_out=left_out,
        read=read,
        read_row=read,
        split=split,
        open=lambda name: _stream(archive, members[root + name], name),
    )
    earlier = note(
        twins,
        "member has the name of a later one and was left out",
        "members have the name of a later one and were left out",
    )
    return file_tree_set(tree, source, "zip", notes=earlier)


def opened_archive(path: Path, name: str) -> zipfile.ZipFile:
    """The archive, its directory read within bounds.

    Args:
        path: where it is.
        name: for messages.

    Raises:
        DataError: it is no zip archive, or has too many members.
    """
    try:
        archive = zipfile.ZipFile(_Bounded(io.FileIO(path)))
    except Exception as error:  # besides BadZipFile: whatever a crafted directory makes the parser stumble over
        raise DataError(f"{name} is no zip archive that can be read ({reason(error)}); pack it again.") from error
    if len(archive.infolist()) > MAX_MEMBERS:
        raise DataError(
            f"{name} has {len(archive.infolist()):,} members; split it into archives of at most {MAX_MEMBERS:,}."
        )
    return archive


def member_name(info: zipfile.ZipInfo) -> str:
    """A member's name with slashes; nothing is ever written under it.

    Many programs write UTF-8 without the flag that says so; what reads as UTF-8 hardly is anything else.
    """
    name = info.filename
    if not info.flag_bits & UTF8:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return str(PurePosixPath(name.replace("\\", "/")))


def _root(pictures: list[str], visible: list[str]) -> str:
    """The one folder that was packed as a whole, with its slash; empty where the archive has no such folder."""
    top = {name.split("/")[0] for name in pictures}
    if len(top) != 1 or TABLE in visible:
        return ""
    root = f"{top.pop()}/"
    # Pictures one level below would lose the only folder that can be their label.
    deep = all(name.count("/") == 2 for name in pictures)
    return root if deep or root + TABLE in visible else ""


def _kind(archive: zipfile.ZipFile, info: zipfile.ZipInfo, named: FileKind | None = None) -> FileKind:
    """What its name says, or else the first bytes of a member; one that cannot be opened may be anything."""
    if named is FileKind.PICTURE or not info.file_size:
        return named if named is FileKind.PICTURE else FileKind.OTHER
    if named is not None:
        return named
    if info.flag_bits & ENCRYPTED or info.compress_type not in METHODS:
        return FileKind.HOLDER
    try:
        with archive.open(info) as stream:
            return kind_of_head(stream.read(HEAD_BYTES))
    except Exception:  # as below: damaged members raise anything
        return FileKind.HOLDER


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo | None, name: str, *, empty: bool = False) -> bytes:
    """One member, inflated chunk by chunk until it ends or is too large, whatever its header claims."""
    if info is None:
        raise MissingError(f"{name} is not there; add the file, or leave it out of the set.")
    if info.flag_bits & ENCRYPTED:
        raise DataError(f"{name} is encrypted; pack it without a password.")
    if info.compress_type not in METHODS:
        raise DataError(f"{name} is packed by a method that is not read (number {info.compress_type}); use Deflate.")
    if info.file_size > MAX_BYTES:
        raise too_large(name)
    if empty and not info.file_size:
        return b""
    try:
        with archive.open(info) as stream:
            return read_bounded(stream, name)
    except DataError:
        raise
    except Exception as error:  # as above: zlib, struct and zipfile raise what damaged members make them
        raise DataError(f"{name} is damaged ({reason(error)}); pack it again.") from error


@contextmanager
def _stream(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> Iterator[IO[bytes]]:
    """A table or a text of an archive, held to the same limits as a picture."""
    yield io.BytesIO(_read(archive, info, one_line(name), empty=True))
