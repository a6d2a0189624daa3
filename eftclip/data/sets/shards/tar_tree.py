"""A tar archive of folders, as `tar cf` packs them: read in place, like a zip archive."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from eftclip.data.file_kinds import FileKind, kind_of_head, kind_of_name
from eftclip.data.folders import HIDDEN, HOLDER, is_hidden, sorted_paths
from eftclip.data.sets.base import MAX_BYTES, Explain, guarded, not_empty, reason, too_large
from eftclip.data.sets.file_tree import FileTree, file_tree_set
from eftclip.data.sets.shards.tar import Member, members
from eftclip.errors import DataError, MissingError
from eftclip.types import ImageSet
from eftclip.untrusted_text import one_line

TWIN = "is there twice; the later one was read, and the earlier one was left out: give each a name of its own."


def open_tar_tree(source: str, title: str, path: Path, explain: Explain, split: str = "") -> ImageSet:
    """Make the pictures of an archive a set, with the texts of its tables or folders.

    Args:
        source: what the user typed.
        title: how sentences call the archive.
        path: where it lies.
        explain: makes one sentence of what reading it may raise.
        split: the part that is wanted; empty for all of it.

    Raises:
        DataError: it is damaged or holds no picture.
    """
    found, kinds, twins = dict[str, Member](), dict[str, FileKind](), list[str]()
    for member in guarded(_members(path, title), explain, title):
        name = str(PurePosixPath(member.name))
        if name in found and kinds[name] is FileKind.PICTURE:
            twins.append(name)
        found[name], kinds[name] = member, _kind(member)
    hidden = sorted_paths(name for name in found if is_hidden(name))
    visible = sorted_paths(found.keys() - set(hidden))
    left_out = [(name, HOLDER) for name in visible if kinds[name] is FileKind.HOLDER]
    left_out += [(name, HIDDEN) for name in hidden if kinds[name] is not FileKind.OTHER]
    left_out += [(name, TWIN) for name in twins]

    def read(name: str) -> bytes:
        shown = f"{one_line(name)} in {title}"
        if name not in found:
            raise MissingError(f"{shown} is not there; add the file, or leave it out of the set.")
        return not_empty(read_member(path, found[name], shown), shown)

    @contextmanager
    def opened(name: str) -> Iterator[IO[bytes]]:
        yield io.BytesIO(read_member(path, found[name], f"{one_line(name)} in {title}"))

    tree = FileTree(
        title=title,
        pictures=[name for name in visible if kinds[name] is FileKind.PICTURE],
        others=[name for name in visible if kinds[name] is not FileKind.PICTURE],
        hidden=hidden,
        left_out=left_out,
        read=read,
        read_row=read,
        open=opened,
        split=split,
    )
    return file_tree_set(tree, source, "tar")


def read_member(path: Path, member: Member, name: str) -> bytes:
    """The bytes of a member of an archive on this machine.

    Raises:
        DataError: it is no plain file, is too large, or the archive ends before it does.
    """
    if not member.regular:
        raise DataError(f"{name} is a link or a device, which is never followed; pack the file itself.")
    if member.size > MAX_BYTES:
        raise too_large(name)
    try:
        with path.open("rb") as stream:
            stream.seek(member.offset)
            raw = stream.read(member.size)
    except OSError as error:
        raise DataError(f"{name} cannot be read ({reason(error)}); check the shard.") from error
    if len(raw) < member.size:
        raise DataError(f"{name} is cut off after {len(raw):,} of {member.size:,} bytes; get the shard again.")
    return raw


def _members(path: Path, title: str) -> Iterator[Member]:
    with path.open("rb") as stream:
        yield from members(stream, title, lambda name, size: False, seekable=True)


def _kind(member: Member) -> FileKind:
    """By its name where that says enough; of hidden members the contents alone count."""
    named = None if is_hidden(member.name) else kind_of_name(member.name)
    kind = named or kind_of_head(member.head)
    return FileKind.OTHER if kind is FileKind.HOLDER and not member.size else kind
