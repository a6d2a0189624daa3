"""What a tree of files is: its tables, its side files, its class folders, tried in this order."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import PurePosixPath
from typing import IO

from eftclip.data.sets.base import note
from eftclip.data.sets.layouts.class_folders import labels_by_folder
from eftclip.data.sets.layouts.class_names import NAME_FILES, read_class_names
from eftclip.data.sets.layouts.delimited import SUFFIXES, read_table
from eftclip.data.sets.layouts.file_names import FileNames
from eftclip.data.sets.layouts.side_texts import FIELDS, MAX_TEXT_BYTES, stated_texts
from eftclip.data.sets.layouts.tables import FILE_COLUMN, TEXT_COLUMNS, Reading, names_addresses, read_rows
from eftclip.errors import DataError
from eftclip.untrusted_text import one_line

TABLES = ("metadata.csv", "metadata.jsonl")  # of these the rows stand, whatever they name
PEEKED = 8  # pictures that are looked at for a text beside them
STATISTICS = "_stats.json"  # what img2dataset writes for each shard
Open = Callable[[str], AbstractContextManager[IO[bytes]]]


@dataclass(frozen=True, slots=True)  # there may be a million of them
class Sample:
    """A picture of a tree.

    Attributes:
        name: relative to the tree; as a table writes it where the tree lists no such picture; may be empty.
        text: label or caption.
        table: of the row that alone vouches for the name; empty for listed pictures without a row.
    """

    name: str
    text: str | None
    table: str = ""


@dataclass(frozen=True)
class Recognised:
    """What a tree is.

    Attributes:
        samples: in the order of the set.
        text_kind: label or caption; None without texts.
        layout: one line for people.
        notes: sentences about texts.
        used: files that are no pictures and serve the layout.
        side_files: for each picture the files beside it, where texts are read picture by picture.
        names: of the classes, in the order of their numbers.
    """

    samples: list[Sample]
    text_kind: str | None
    layout: str
    notes: tuple[str, ...] = ()
    used: frozenset[str] = frozenset()
    side_files: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    names: tuple[str, ...] = ()


def recognise(
    pictures: Sequence[str], others: Sequence[str], open_file: Open, *, root: str, insist: str, sides: bool
) -> Recognised:
    """Tell what a tree is from its names and its small files.

    Args:
        pictures: names of the picture files, in their order.
        others: all other visible files.
        open_file: opens one of `others`.
        root: absolute path of the tree; empty where it has none.
        insist: the table that the user named; empty where he named the tree.
        sides: whether files beside pictures may be opened, each costs a request elsewhere.

    Raises:
        DataError: a table is not understood, or the one that was named names no pictures.
    """
    names, named_by = _class_names(others, open_file)
    tables, notes = _tables(pictures, others, open_file, names, root, insist)
    if tables:
        return _with_tables(pictures, tables, notes, names, insist)
    notes += never_downloaded(others, open_file) if sides else ()
    beside = _side_files(pictures, others) if sides else {}
    if kind := _side_kind(pictures, beside, open_file, names):
        used = frozenset(file for files in beside.values() for file in files.values())
        suffixes = sorted({f".{suffix}" for files in beside.values() for suffix in files})
        layout = f"pictures with {', '.join(suffixes)} beside them, {kind}s from there"
        return Recognised([Sample(name, None) for name in pictures], kind, layout, notes, used, beside, names)
    found = labels_by_folder(pictures, names)
    notes += (found.note,) if found.note else ()
    samples = [Sample(name, label) for name, label in zip(pictures, found.labels, strict=True)]
    labelled = any(found.labels)
    used = frozenset({named_by} if named_by and labelled else ())
    layout = f"pictures in {found.recognised}" if labelled else "pictures without labels"
    return Recognised(samples, "label" if labelled else None, layout, notes, used, {}, names)


def side_text(
    name: str, files: Mapping[str, str], open_file: Open, kind: str | None, names: Sequence[str]
) -> str | None:
    """The text of that kind beside one picture.

    Raises:
        DataError: it cannot be read.
    """
    fields = {suffix: partial(_read, open_file, file) for suffix, file in files.items()}
    return next((text for told, text in stated_texts(one_line(name), fields, names) if told == kind), None)


def _tables(
    pictures: Sequence[str], others: Sequence[str], open_file: Open, names: Sequence[str], root: str, insist: str
) -> tuple[dict[str, Reading], tuple[str, ...]]:
    """All tables that name pictures, those of a well-known name first; and what there is to say of the others."""
    files, found, notes = FileNames(pictures, root), dict[str, Reading](), tuple[str, ...]()
    listed = [insist] if insist else [name for name in others if name.lower().endswith(SUFFIXES)]
    for name in sorted(listed, key=lambda name: (PurePosixPath(name).name not in TABLES, name.split("/"))):
        file = PurePosixPath(name)
        known = file.name in TABLES or bool(insist)
        try:
            with open_file(name) as stream:
                table = read_table(stream, one_line(name))
        except DataError:
            if known:
                raise
            continue  # some other file of that suffix
        match = partial(files.find, folder="" if str(file.parent) == "." else str(file.parent))
        reading = read_rows(table, one_line(name), match, names, insist=known)
        if reading is not None:
            found[name] = reading
        elif insist and names_addresses(table):
            raise DataError(
                f"{one_line(name)} names addresses in the web ({table.form}), and nothing is fetched from there; "
                "download the pictures first, for example with img2dataset, and give what it wrote."
            )
        elif known:
            lacking = f"{one_line(name)} has no column {FILE_COLUMN}, only: {one_line(', '.join(table.columns))}"
            if insist:
                raise DataError(f"{lacking}; add it with the names of the pictures.")
            notes += (f"{lacking}; it was left out.",)
    return found, notes


def _with_tables(
    pictures: Sequence[str],
    tables: Mapping[str, Reading],
    notes: tuple[str, ...],
    names: tuple[str, ...],
    insist: str,
) -> Recognised:
    """The rows in their order, then the pictures without one; of several tables only what each adds."""
    samples: list[Sample] = []
    named: set[str] = set()
    kind = next((reading.text_kind for reading in tables.values() if reading.text_kind), None)
    used = []
    for name, reading in tables.items():
        rows = [row for row in reading.rows if row.name not in named]
        if named and not any(row.known for row in rows):
            continue
        used.append(name)
        told = reading.text_kind == kind
        samples += [Sample(_tidy(row.name), row.text if told else None, name) for row in rows]
        named |= {row.name for row in reading.rows if row.known}
        if reading.note:
            notes += (reading.note,)
        elif reading.text_kind is None:
            notes += (f"{one_line(name)} has no column {', '.join(list(TEXT_COLUMNS)[:4])}, so no picture has a text.",)
    bare = [name for name in pictures if name not in named]
    listed = one_line(" and ".join(PurePosixPath(name).name for name in used))
    if insist and PurePosixPath(insist).name not in TABLES:
        rest = f"not named in {listed} and not of this set"
        notes += note(bare, f"picture is {rest}", f"pictures are {rest}")
        bare = []
    notes += note(bare, f"picture is not named in {listed}", f"pictures are not named in {listed}")
    layout = "; ".join(tables[name].recognised for name in used)
    samples += [Sample(name, None) for name in bare]
    by_folder = labels_by_folder([sample.name for sample in samples], names)
    numbers = any(tables[name].note for name in used)
    if kind is None and numbers and by_folder.recognised:  # a table of numbers does not unsay what folders say
        kind, layout = "label", f"{layout}; pictures in {by_folder.recognised}"
        samples = [replace(sample, text=label) for sample, label in zip(samples, by_folder.labels, strict=True)]
    return Recognised(samples, kind, layout, notes, frozenset(used), {}, names)


def _tidy(name: str) -> str:
    """A name as written in a table, with slashes; backslashes are what Windows writes between folders."""
    return str(PurePosixPath(name.replace("\\", "/"))) if name else ""


def _side_files(pictures: Sequence[str], others: Sequence[str]) -> dict[str, dict[str, str]]:
    """For each picture the files that are called as it is, by their suffix."""
    beside: dict[str, dict[str, str]] = {}
    for name in others:
        stem, _, suffix = name.rpartition(".")
        if suffix.lower() in FIELDS:
            beside.setdefault(stem, {})[suffix.lower()] = name
    stems = ((name, name.rpartition(".")[0]) for name in pictures)
    return {name: beside[stem] for name, stem in stems if stem in beside}


def _side_kind(
    pictures: Iterable[str], beside: Mapping[str, Mapping[str, str]], open_file: Open, names: Sequence[str]
) -> str | None:
    """What kind of text the first pictures have beside them."""
    for name in [name for name in pictures if name in beside][:PEEKED]:
        fields = {suffix: partial(_read, open_file, file) for suffix, file in beside[name].items()}
        try:
            if told := next(stated_texts(name, fields, names), None):
                return told[0]
        except DataError:
            continue  # of this picture alone; its entry says so
    return None


def never_downloaded(others: Sequence[str], open_file: Open) -> tuple[str, ...]:
    """A sentence about what img2dataset could not download, as its statistics say; none where it got all."""
    count = lost = 0
    for name in (name for name in others if name.endswith(STATISTICS)):
        try:
            told = json.loads(_read(open_file, name))
            count, lost = count + int(told["count"]), lost + int(told["count"]) - int(told["successes"])
        except (DataError, ValueError, KeyError, TypeError, RecursionError):
            continue  # statistics of something else
    return (f"{lost:,} of {count:,} pictures were never downloaded, as img2dataset's statistics say.",) if lost else ()


def _class_names(others: Sequence[str], open_file: Open) -> tuple[tuple[str, ...], str]:
    """The names of the classes in the order of their numbers, and the file that states them."""
    for name in (name for name in others if PurePosixPath(name).name in NAME_FILES):
        with suppress(DataError):  # it names nothing, so numbers stay numbers, and that is said
            if names := read_class_names(_read(open_file, name), name):
                return names, name
    return (), ""


def _read(open_file: Open, name: str) -> bytes:
    with open_file(name) as stream:
        raw = stream.read(MAX_TEXT_BYTES + 1)
    if len(raw) > MAX_TEXT_BYTES:
        raise DataError(f"{one_line(name)} has more than {MAX_TEXT_BYTES:,} bytes; make it shorter.")
    return raw
