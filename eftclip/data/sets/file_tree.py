"""Files known by name, of a folder, an archive or a Hub repository, become entries with the texts of their layout."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePosixPath, PureWindowsPath

from eftclip.data.file_kinds import SUFFIXES, FileKind, kind_of_name
from eftclip.data.sets.base import note, refuse
from eftclip.data.sets.layouts.parts import part_of
from eftclip.data.sets.layouts.recognise import Open, Recognised, Sample, recognise, side_text
from eftclip.data.sets.left_out import followed_by, unreadable
from eftclip.errors import DataError
from eftclip.types import Entry, ImageSet
from eftclip.untrusted_text import one_line

TABLE = "metadata.csv"


@dataclass(frozen=True)
class FileTree:
    """Files of one place; names are relative to it and separated by slashes.

    Attributes:
        title: how sentences call the place.
        pictures: the picture files, in the order of their names.
        others: visible files that are no pictures.
        hidden: hidden files and folders.
        left_out: what may be a picture or hold some and is no sample, and why: entries that cannot be read.
        read: the bytes of a listed picture.
        read_row: the bytes of a file that a table names, which may lie or lead out of the place.
        open: one of `others`, as a stream.
        root: absolute path of the place; empty where it has none.
        sides: whether the files beside pictures may be opened.
        split: the part that is wanted; empty for all of it.
    """

    title: str
    pictures: Sequence[str]
    others: Sequence[str]
    hidden: Sequence[str]
    left_out: Sequence[tuple[str, str]]
    read: Callable[[str], bytes]
    read_row: Callable[[str], bytes]
    open: Open
    root: str = ""
    sides: bool = True
    split: str = ""


def is_picture(name: str) -> bool:
    """Whether a file is taken for a picture, by its name alone."""
    return kind_of_name(name) is FileKind.PICTURE


def file_tree_set(tree: FileTree, source: str, kind: str, *, notes: tuple[str, ...] = (), insist: str = "") -> ImageSet:
    """Make a tree a set: first the rows of its tables in their order, then the pictures without a row.

    Args:
        tree: the files.
        source: what the user typed.
        kind: of the set.
        notes: further ones.
        insist: the table that was named; if it names no files that is an error.

    Raises:
        DataError: there is no picture, or a table cannot be read.
    """
    if tree.split and not insist:
        tree, insist, about = _part(tree)
        notes = (*about, *notes)
    found = recognise(tree.pictures, tree.others, tree.open, root=tree.root, insist=insist, sides=tree.sides)
    others = [name for name in tree.others if name not in found.used and PurePosixPath(name).name != TABLE]
    if not found.samples:
        told = f" (found: {note(others, 'file', 'files')[0].removesuffix('.')})" if others else ""
        raise DataError(f"{tree.title} holds no picture{told}; give a set with {', '.join(sorted(SUFFIXES))} files.")

    def walk(start: int) -> Iterator[Entry]:
        for index in range(start, len(found.samples)):
            yield _entry(tree, found, index, found.samples[index])

    told_notes = (
        *found.notes,
        *note(others, "file is no picture and was left out", "files are no pictures and were left out"),
        *note(tree.hidden, "hidden file or folder was left out", "hidden files or folders were left out"),
        *notes,
    )
    images = ImageSet(source, kind, len(found.samples), found.text_kind, None, told_notes, walk, found.layout)
    named = {sample.name for sample in found.samples}  # a table may well name a hidden file
    return followed_by(images, [(name, unreadable(name, why)) for name, why in tree.left_out if name not in named])


def _part(tree: FileTree) -> tuple[FileTree, str, tuple[str, ...]]:
    """The part of a tree that is wanted, the table that names it, and a note."""
    part = part_of([*tree.pictures, *tree.others], tree.split, tree.title)
    kept = replace(
        tree,
        pictures=[name for name in tree.pictures if part.keeps(name)],
        others=[name for name in tree.others if part.keeps(name)],
        hidden=[name for name in tree.hidden if part.keeps(name)],
        left_out=[(name, why) for name, why in tree.left_out if part.keeps(name)],
    )
    return kept, part.table, (part.note,) if part.note else ()


def _entry(tree: FileTree, found: Recognised, index: int, sample: Sample) -> Entry:
    """A sample as an entry; whatever is wrong with it comes up when it is read."""
    name = one_line(sample.name) or f"row {index} of {PurePosixPath(sample.table).name}"
    read = partial(_read_row, tree, sample) if sample.table else partial(tree.read, sample.name)
    text = sample.text
    if (files := found.side_files.get(sample.name)) is not None:
        try:
            text = side_text(sample.name, files, tree.open, found.text_kind, found.names)
        except DataError as error:
            return Entry(index, name, None, partial(refuse, error))
    return Entry(index, name, text, read)


def _read_row(tree: FileTree, sample: Sample) -> bytes:
    """The file that a row names; nothing outside the place is ever opened."""
    table = one_line(PurePosixPath(sample.table).name)
    if not sample.name:
        raise DataError(f"A row of {table} names no file; fill in its name.")
    # Windows knows more ways out than others do: drives and shares.
    path = PureWindowsPath(sample.name)
    if path.anchor or ".." in path.parts or ":/" in sample.name:
        raise DataError(f"{table} names {one_line(sample.name)}, which is outside of its folder; name files inside.")
    return tree.read_row(sample.name)
