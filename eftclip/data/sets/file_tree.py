"""Files known by name, of a folder, an archive or a Hub repository, become entries with the texts of their table."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath, PureWindowsPath
from typing import IO

from eftclip.data.file_kinds import SUFFIXES, FileKind, kind_of_name
from eftclip.data.sets.base import TEXT_KINDS, note, reason
from eftclip.data.sets.left_out import followed_by, unreadable
from eftclip.errors import DataError
from eftclip.types import Entry, ImageSet
from eftclip.untrusted_text import one_line

TABLE, FILE_COLUMN = "metadata.csv", "file_name"


@dataclass(frozen=True)
class FileTree:
    """Files of one place; names are relative to it and separated by slashes.

    Attributes:
        title: how sentences call the place.
        pictures: the picture files, in the order of their names.
        others: visible files that are no pictures, without the table.
        hidden: hidden files and folders, which are never looked into.
        left_out: what may be a picture or hold some and is no sample, and why: entries that cannot be read.
        read: the bytes of a listed picture.
        read_row: the bytes of a file that the table names, which may lie or lead out of the place.
        table: opens the metadata.csv of the place; None where it has none.
    """

    title: str
    pictures: Sequence[str]
    others: Sequence[str]
    hidden: Sequence[str]
    left_out: Sequence[tuple[str, str]]
    read: Callable[[str], bytes]
    read_row: Callable[[str], bytes]
    table: Callable[[], AbstractContextManager[IO[bytes]]] | None


@dataclass(frozen=True, slots=True)  # there may be a million of them
class _Sample:
    """A file of a tree; `row` says that only the table vouches for its name."""

    name: str
    text: str | None
    row: bool = False


def is_picture(name: str) -> bool:
    """Whether a file is taken for a picture, by its name alone."""
    return kind_of_name(name) is FileKind.PICTURE


def file_tree_set(
    tree: FileTree, source: str, kind: str, *, notes: tuple[str, ...] = (), insist: bool = False
) -> ImageSet:
    """Make a tree a set: first the rows of its table in their order, then the pictures without a row.

    Without a table, pictures that all lie in exactly one level of sub-folders have the folder's name as label.

    Args:
        tree: the files.
        source: what the user typed.
        kind: of the set.
        notes: further ones.
        insist: a table without the names of files is an error, and not only left out.

    Raises:
        DataError: there is no picture, or the table cannot be read.
    """
    samples, text_kind, about_table = _samples(tree, insist)
    if not samples:
        found = f" (found: {note(tree.others, 'file', 'files')[0].removesuffix('.')})" if tree.others else ""
        raise DataError(f"{tree.title} holds no picture{found}; give a set with {', '.join(sorted(SUFFIXES))} files.")
    others = note(tree.others, "file is no picture and was left out", "files are no pictures and were left out")
    hidden = note(tree.hidden, "hidden file or folder was left out", "hidden files or folders were left out")

    def walk(start: int) -> Iterator[Entry]:
        for index in range(start, len(samples)):
            sample = samples[index]
            read = partial(_read_row, tree, sample.name) if sample.row else partial(tree.read, sample.name)
            yield Entry(index, one_line(sample.name) or f"row {index} of {TABLE}", sample.text, read)

    images = ImageSet(source, kind, len(samples), text_kind, None, (*about_table, *others, *hidden, *notes), walk)
    named = {sample.name for sample in samples}  # a table may well name a hidden file
    return followed_by(images, [(name, unreadable(name, why)) for name, why in tree.left_out if name not in named])


def _samples(tree: FileTree, insist: bool) -> tuple[list[_Sample], str | None, tuple[str, ...]]:
    """The files in the order of the set, the kind of their texts, and what there is to say about the table."""
    about: tuple[str, ...] = ()
    if tree.table is not None:
        with tree.table() as stream:
            columns, rows = _read_table(stream)
        if rows is not None:
            named = {row.name for row in rows}
            bare = [_Sample(name, None) for name in tree.pictures if name not in named]
            kind = next((TEXT_KINDS[column] for column in TEXT_KINDS if column in columns), None)
            if kind is None:
                about = (f"{TABLE} has no column {', '.join(TEXT_KINDS)}, so no picture has a text.",)
            names = [sample.name for sample in bare]
            about += note(names, f"picture is not named in {TABLE}", f"pictures are not named in {TABLE}")
            return rows + bare, kind, about
        lacking = f"{TABLE} has no column {FILE_COLUMN}, only: {one_line(', '.join(columns))}"
        if insist:
            raise DataError(f"{lacking}; add it with the names of the pictures.")
        about = (f"{lacking}; it was left out.",)
    parts = [name.split("/") for name in tree.pictures]
    if parts and all(len(part) == 2 and part[0].strip(".") for part in parts):
        return [_Sample("/".join(p), p[0].replace("_", " ")) for p in parts], "label", about
    return [_Sample(name, None) for name in tree.pictures], None, about


def _read_table(stream: IO[bytes]) -> tuple[list[str], list[_Sample] | None]:
    """The columns of a table, and a sample for each row; None where it names no files."""
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    try:
        # Strict: a quote that is never closed would otherwise swallow all rows behind it, and nobody would know.
        reader = csv.reader(text, strict=True)
        columns = [column.strip() for column in next(reader, [])]
        if FILE_COLUMN not in columns:
            return columns, None
        file = columns.index(FILE_COLUMN)
        place = next((columns.index(column) for column in TEXT_KINDS if column in columns), None)
        return columns, [_sample(row, file, place) for row in reader if row]
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{TABLE} cannot be read ({reason(error)}); save it as CSV in UTF-8.") from error
    finally:
        text.detach()  # the stream is closed by whoever opened it


def _sample(row: list[str], file: int, place: int | None) -> _Sample:
    """A row that is too short has empty cells; backslashes are what Windows writes between folders."""
    name = row[file].strip().replace("\\", "/") if file < len(row) else ""
    text = row[place].strip() if place is not None and place < len(row) else ""
    return _Sample(str(PurePosixPath(name)) if name else "", text or None, row=True)


def _read_row(tree: FileTree, name: str) -> bytes:
    """The file that a row names; nothing outside the place is ever opened."""
    if not name:
        raise DataError(f"A row of {TABLE} names no file; fill in its {FILE_COLUMN}.")
    # Windows knows more ways out than others do: drives and shares.
    path = PureWindowsPath(name)
    if path.anchor or ".." in path.parts or ":/" in name:
        raise DataError(f"{TABLE} names {one_line(name)}, which is outside of its folder; name files inside of it.")
    return tree.read_row(name)
