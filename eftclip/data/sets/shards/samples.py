"""The samples of tar shards: members that follow each other under one key, and members that belong to none."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from eftclip.data.file_kinds import FileKind, kind_of_head, kind_of_name
from eftclip.data.folders import HIDDEN, HOLDER, is_hidden
from eftclip.data.sets.base import MAX_BYTES, Explain, guarded
from eftclip.data.sets.layouts.side_texts import FIELDS, MAX_TEXT_BYTES
from eftclip.data.sets.shards.tar import Member, members


@dataclass(frozen=True)
class Shard:
    """One tar archive.

    Attributes:
        name: how people know it.
        open: gives its bytes from the beginning.
        path: where it lies on this machine; None where it can only be read from front to back.
    """

    name: str
    open: Callable[[], AbstractContextManager[IO[bytes]]]
    path: Path | None = None


@dataclass(frozen=True)
class Sample:
    """Members under one key, by what follows the first dot of their name.

    Attributes:
        left_out: why its one member, which may be a picture, is no sample; empty for samples.
    """

    shard: Shard
    key: str
    fields: Mapping[str, Member]
    left_out: str = ""

    @property
    def pictures(self) -> tuple[Member, ...]:
        """All of its pictures, `0001.jpg` before `0001.mask.png`, whichever comes first in the shard."""
        found = [member for member in self.fields.values() if _kind(member) is FileKind.PICTURE]
        return tuple(sorted(found, key=lambda member: _split(member.name)[1].count(".")))


def local_shard(name: str, path: Path) -> Shard:
    """A shard on this machine."""
    return Shard(name, lambda: path.open("rb"), path)


def all_samples(shards: Sequence[Shard], explain: Explain) -> Iterator[Sample]:
    """The samples of all shards, in their order."""
    for shard in shards:
        yield from guarded(_samples(shard), explain, shard.name)


def _samples(shard: Shard) -> Iterator[Sample]:
    """The samples of a shard; of the pictures on this machine only the places are noted."""
    key, fields = "", dict[str, Member]()
    with shard.open() as stream:
        for member in members(stream, shard.name, partial(_wanted, shard), seekable=shard.path is not None):
            name, field = _split(member.name)
            if not field or is_hidden(member.name) or _kind(member) is FileKind.HOLDER:
                yield from _strays(shard, member)
                continue
            if fields and (name != key or field in fields):
                yield Sample(shard, key, fields)
                fields = {}
            key = name
            fields[field] = member
    if fields:
        yield Sample(shard, key, fields)


def _strays(shard: Shard, member: Member) -> Iterator[Sample]:
    """A member that belongs to no sample: a picture without a key of its own, or something that is only counted."""
    kind = kind_of_head(member.head) if is_hidden(member.name) else _kind(member)
    if kind is FileKind.PICTURE and not is_hidden(member.name):
        yield Sample(shard, member.name, {"": member})
    elif kind is not FileKind.OTHER:
        yield Sample(shard, member.name, {"": member}, HIDDEN if is_hidden(member.name) else HOLDER)


def _split(name: str) -> tuple[str, str]:
    """Key and field of a member: its name up to the first dot behind the last slash, and the rest in small letters."""
    folder, slash, file = name.rpartition("/")
    stem, _, field = file.partition(".")
    return folder + slash + stem, field.lower()


def _kind(member: Member) -> FileKind:
    kind = kind_of_name(member.name) or kind_of_head(member.head)
    return FileKind.OTHER if kind is FileKind.HOLDER and not member.size else kind


def _wanted(shard: Shard, name: str, size: int) -> bool:
    field = _split(name)[1]
    if field in FIELDS:
        return size <= MAX_TEXT_BYTES
    # What can only be read from front to back is kept where it may be a picture, whatever it is called.
    return shard.path is None and kind_of_name(name) in (FileKind.PICTURE, None) and size <= MAX_BYTES
