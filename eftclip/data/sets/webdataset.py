"""WebDataset shards: the members of a tar archive that follow each other under one key are a sample.

Read by ourselves: the builder in `datasets` refuses a set where one of the first samples has no caption, ends at the
first side file that is damaged, and loads side files of every kind it knows, tensors among them.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from eftclip.data.file_kinds import FileKind, kind_of_head, kind_of_name
from eftclip.data.folders import HIDDEN, HOLDER, is_hidden
from eftclip.data.sets.base import MAX_BYTES, TEXT_KINDS, Explain, guarded, not_empty, reason, refuse, too_large
from eftclip.data.sets.left_out import unreadable
from eftclip.data.sets.tar import Member, members
from eftclip.errors import DataError, MissingError
from eftclip.types import Entry, ImageSet
from eftclip.untrusted_text import one_line

MAX_TEXT_BYTES = 1 << 20  # of a side file: captions are some hundred bytes, and the fields around them not much more
PEEKED = 8  # samples that are looked at for a text before a set is said to have none
JSON, CLASS = "json", "cls"


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
class _Sample:
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


def open_webdataset(source: str, shards: Sequence[Shard], explain: Explain) -> ImageSet:
    """Make shards a set; each picture is a sample, with the text of its key.

    Hidden members are no samples, by convention, nor are names without a dot; those that may be pictures are counted.

    Args:
        source: what the user typed.
        shards: in their order; one or more.
        explain: makes one sentence of what reading them may raise.

    Raises:
        DataError: the first shard is no tar archive, or none holds a sample.
    """
    samples = partial(_all_samples, shards, explain)
    text_kind = _text_kind(samples(), source)

    def walk(start: int) -> Iterator[Entry]:
        places = ((sample, picture) for sample in samples() for picture in sample.pictures or (None,))
        for index, (sample, picture) in enumerate(places):
            if index >= start:
                yield _entry(index, sample, picture, text_kind)

    return ImageSet(source, "webdataset", None, text_kind, None, (), walk)


def local_shard(name: str, path: Path) -> Shard:
    """A shard on this machine."""
    return Shard(name, lambda: path.open("rb"), path)


def _all_samples(shards: Sequence[Shard], explain: Explain) -> Iterator[_Sample]:
    for shard in shards:
        yield from guarded(_samples(shard), explain, shard.name)


def _samples(shard: Shard) -> Iterator[_Sample]:
    """The samples of a shard; of the pictures on this machine only the places are noted."""
    key, fields = "", dict[str, Member]()
    with shard.open() as stream:
        for member in members(stream, shard.name, partial(_wanted, shard), seekable=shard.path is not None):
            name, field = _split(member.name)
            if not field or is_hidden(member.name) or _kind(member) is FileKind.HOLDER:
                yield from _strays(shard, member)
                continue
            if fields and (name != key or field in fields):
                yield _Sample(shard, key, fields)
                fields = {}
            key = name
            fields[field] = member
    if fields:
        yield _Sample(shard, key, fields)


def _strays(shard: Shard, member: Member) -> Iterator[_Sample]:
    """A member that belongs to no sample: a picture without a key of its own, or something that is only counted."""
    kind = kind_of_head(member.head) if is_hidden(member.name) else _kind(member)
    if kind is FileKind.PICTURE and not is_hidden(member.name):
        yield _Sample(shard, member.name, {"": member})
    elif kind is not FileKind.OTHER:
        yield _Sample(shard, member.name, {"": member}, HIDDEN if is_hidden(member.name) else HOLDER)


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
    if field in TEXT_KINDS or field in (JSON, CLASS):
        return size <= MAX_TEXT_BYTES
    # What can only be read from front to back is kept where it may be a picture, whatever it is called.
    return shard.path is None and kind_of_name(name) in (FileKind.PICTURE, None) and size <= MAX_BYTES


def _entry(index: int, sample: _Sample, picture: Member | None, text_kind: str | None) -> Entry:
    """A picture of a sample as an entry; whatever is wrong with it comes up when it is read."""
    name = one_line(f"{sample.shard.name}/{picture.name if picture else sample.key}")
    if sample.left_out:
        return Entry(index, name, None, unreadable(name, sample.left_out))
    try:
        text = next((text for kind, text in _texts(sample) if kind == text_kind), None)
    except DataError as error:
        return Entry(index, name, None, partial(refuse, error))
    if picture is None:
        found = one_line(", ".join(sample.fields))
        missing = MissingError(f"{name} has no picture, only {found}; add it, or leave the sample out of the shard.")
        return Entry(index, name, text, partial(refuse, missing))
    return Entry(index, name, text, partial(_picture, sample.shard, picture, name))


def _picture(shard: Shard, member: Member, name: str) -> bytes:
    if not member.regular:
        raise DataError(f"{name} is a link or a device, which is never followed; pack the file itself.")
    if member.size > MAX_BYTES:
        raise too_large(name)
    if shard.path is None:
        return not_empty(member.data or b"", name)
    try:
        with shard.path.open("rb") as stream:
            stream.seek(member.offset)
            raw = stream.read(member.size)
    except OSError as error:
        raise DataError(f"{name} cannot be read ({reason(error)}); check the shard.") from error
    if len(raw) < member.size:
        raise DataError(f"{name} is cut off after {len(raw):,} of {member.size:,} bytes; get the shard again.")
    return not_empty(raw, name)


def _texts(sample: _Sample) -> Iterator[tuple[str, str]]:
    """Kinds and texts that a sample states, the one to prefer first."""
    for field, kind in TEXT_KINDS.items():
        if field in sample.fields and (text := _side_file(sample, field)):
            yield kind, text
    if JSON in sample.fields:
        try:
            values = json.loads(_side_file(sample, JSON))
        except (ValueError, RecursionError) as error:
            raise _unreadable(sample, JSON, error) from error
        for field, kind in TEXT_KINDS.items():
            value = values.get(field) if isinstance(values, dict) else None
            if isinstance(value, str | int) and (text := str(value).strip()):
                yield kind, text
    # A number says the least, so it comes last.
    if CLASS in sample.fields and (text := _side_file(sample, CLASS)):
        yield "label", text


def _side_file(sample: _Sample, field: str) -> str:
    member = sample.fields[field]
    if member.data is None:
        raise _unreadable(sample, field, ValueError(f"{member.size:,} bytes, or a link"))
    try:
        return member.data.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise _unreadable(sample, field, error) from error


def _unreadable(sample: _Sample, field: str, error: Exception) -> DataError:
    name = one_line(f"{sample.shard.name}/{sample.key}")
    return DataError(f"{name} has a text that cannot be read, .{field} ({reason(error)}); correct it.")


def _text_kind(samples: Iterator[_Sample], source: str) -> str | None:
    """What kind of text the first samples state; damage behind the first one is left for the pass to come upon."""
    seen = 0
    try:
        for sample in samples:
            seen += 1
            try:
                if found := next(_texts(sample), None):
                    return found[0]
            except DataError:
                pass  # of this sample alone; its entry says so
            if seen == PEEKED:
                return None
    except DataError:
        if not seen:
            raise
    if not seen:
        raise DataError(f"{source} holds no sample; give shards with pictures (0001.jpg) and texts (0001.txt).")
    return None
