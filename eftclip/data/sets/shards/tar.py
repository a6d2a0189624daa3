"""The members of a tar shard, in one pass from front to back.

Python's `tarfile` takes a damaged header, or an end in the middle of nowhere, for the end of the archive, so half a
shard passes for a whole one; it also remembers every member, and reads extended headers of any size into memory.
"""

import os
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import IO

from eftclip.data.file_kinds import HEAD_BYTES
from eftclip.data.sets.base import CHUNK_BYTES
from eftclip.errors import DataError

BLOCK = 512
MAX_HEADER_BYTES = 1 << 20  # extended headers hold long names; real ones are far smaller
EXTENDED = (
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
)
Wanted = Callable[[str, int], bool]


@dataclass(frozen=True)
class Member:
    """One member of a shard that is no folder.

    Attributes:
        name: as it stands there; not to be used as a path.
        size: of its data in bytes.
        offset: where its data begins.
        regular: a file with its bytes, and no link or device.
        head: its first bytes, at most `HEAD_BYTES`; none of a link.
        data: the bytes, where they were asked for.
    """

    name: str
    size: int
    offset: int
    regular: bool
    head: bytes
    data: bytes | None


@dataclass(frozen=True)
class _Extended:
    """What headers in front of a member's own say about it."""

    name: str | None = None
    size: int | None = None
    sparse: bool = False


class _Cursor:
    """A place in a stream that is only left forwards, by exactly as many bytes as were meant."""

    def __init__(self, stream: IO[bytes], shard: str, seekable: bool) -> None:
        self.offset = 0
        self._stream, self._shard, self._seekable = stream, shard, seekable

    def block(self) -> bytes:
        """A header; shorter where the stream ends."""
        return self._read(BLOCK)

    def data(self, size: int) -> bytes:
        """Exactly the data of a member, its padding left behind."""
        raw = self._read(size)
        if len(raw) < size:
            raise self.cut_off()
        self.skip(-size % BLOCK)
        return raw

    def head(self, size: int) -> bytes:
        """The beginning of a member's data; shorter where the stream ends, which the next header will show."""
        return self._read(size)

    def skip(self, size: int) -> None:
        """Go on; beyond the end of a file there is just nothing more to read."""
        if self._seekable:
            self._stream.seek(size, os.SEEK_CUR)
            self.offset += size
            return
        while size > 0 and (piece := self._read(min(size, CHUNK_BYTES))):
            size -= len(piece)

    def cut_off(self) -> DataError:
        return DataError(f"{self._shard} is cut off at byte {self.offset:,}; get it again.")

    def _read(self, size: int) -> bytes:
        raw = self._stream.read(size)
        self.offset += len(raw)
        return raw


def members(stream: IO[bytes], shard: str, wanted: Wanted, *, seekable: bool) -> Iterator[Member]:
    """Go through a shard up to its end mark.

    Args:
        stream: at its beginning.
        shard: how error messages call it.
        wanted: decides by name and size whether the data of a file is read on the way.
        seekable: data that is not wanted is jumped over.

    Raises:
        DataError: from the iterator: it is no tar archive, is damaged, or ends without its end mark.
    """
    cursor, extended = _Cursor(stream, shard, seekable), _Extended()
    while (header := _header(cursor, shard)) is not None:
        has_data = header.isreg() or header.type not in tarfile.SUPPORTED_TYPES or header.type in EXTENDED
        size = header.size if extended.size is None or header.type in EXTENDED else extended.size
        if size < 0 or header.type == tarfile.GNUTYPE_SPARSE:
            raise DataError(f"{shard} has a member that is no plain file at byte {cursor.offset:,}; pack it again.")
        if header.type in EXTENDED:
            if size > MAX_HEADER_BYTES:
                raise DataError(f"{shard} has a header of {size:,} bytes at byte {cursor.offset:,}; pack it again.")
            extended = _extended(extended, header.type, cursor.data(size), shard)
            continue
        name, regular, offset = extended.name or header.name, header.isreg() and not extended.sparse, cursor.offset
        data = cursor.data(size) if regular and wanted(name, size) else None
        head = b"" if data is None else data[:HEAD_BYTES]
        if data is None and has_data:  # links, folders and devices have no data, whatever their header says
            head = cursor.head(min(size, HEAD_BYTES)) if regular else b""
            cursor.skip(size - len(head) + -size % BLOCK)
        if not header.isdir():
            yield Member(name, size, offset, regular, head, data)
        extended = _Extended()


def _header(cursor: _Cursor, shard: str) -> tarfile.TarInfo | None:
    """The next header; None at the end mark, a block of zeros."""
    start, block = cursor.offset, cursor.block()
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        if len(block) == BLOCK and not any(block):
            return None
        if len(block) < BLOCK and start:
            raise cursor.cut_off() from error
        what = f"is damaged at byte {start:,}; get it again" if start else "is no tar archive; give an unpacked .tar"
        raise DataError(f"{shard} {what}.") from error


def _extended(known: _Extended, kind: bytes, raw: bytes, shard: str) -> _Extended:
    """What an extended header says about the member after it."""
    if kind == tarfile.GNUTYPE_LONGNAME:
        return replace(known, name=raw.split(b"\0", 1)[0].decode("utf-8", "surrogateescape"))
    if kind in (tarfile.GNUTYPE_LONGLINK, tarfile.XGLTYPE):
        return known
    try:
        records = dict(_records(raw))
        size = int(records["size"]) if "size" in records else known.size
    except ValueError as error:
        raise DataError(f"{shard} has a damaged header; get it again.") from error
    sparse = any(key.startswith("GNU.sparse") for key in records)
    return replace(known, name=records.get("path", known.name), size=size, sparse=sparse)


def _records(raw: bytes) -> Iterator[tuple[str, str]]:
    """`length key=value` lines; the length counts the whole line."""
    place = 0
    while place < len(raw):
        space = raw.index(b" ", place)
        end = place + int(raw[place:space])
        if end <= space:
            raise ValueError("a record that ends before it begins")
        key, _, value = raw[space + 1 : end - 1].decode("utf-8", "surrogateescape").partition("=")
        yield key, value
        place = end
