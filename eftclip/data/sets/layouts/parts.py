"""One part of a set on this machine: the folder, the table or the files that are called after it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from eftclip.data.sets.layouts.delimited import SUFFIXES
from eftclip.data.sets.splits import WORDS, names_any_split, names_split
from eftclip.errors import DataError
from eftclip.untrusted_text import one_line

DEFAULT = "train"


@dataclass(frozen=True)
class Part:
    """What belongs to a part.

    Attributes:
        keeps: whether a file does.
        table: the table that names its pictures; empty where folders or files tell.
        note: a sentence for people; empty without one.
    """

    keeps: Callable[[str], bool]
    table: str = ""
    note: str = ""


def part_of(names: Sequence[str], split: str, title: str) -> Part:
    """Find a part by the names of folders, of tables, or of files, tried in this order.

    Args:
        names: of all files of the set, relative to it.
        split: which part.
        title: how error messages call the set.

    Raises:
        DataError: the set has parts, and not this one; or none at all, and another one than `train` was asked for.
    """
    wanted = _canonical(split)
    folders = {_canonical(part) for name in names for part in name.split("/")[:-1] if names_any_split(part)}
    exact = {part for name in names for part in name.split("/")[:-1] if part == split}
    if exact or wanted in folders:
        return Part(lambda name: _folder_part(name, split) in (None, wanted))
    tables = [name for name in names if name.lower().endswith(SUFFIXES)]
    if named := [name for name in tables if names_split(PurePosixPath(name).stem, wanted)]:
        return Part(lambda name: name not in tables or name in named, table=named[0])
    files = [name for name in names if name.lower().endswith((".tar", ".parquet"))]
    chosen = {name for name in files if names_split(PurePosixPath(name).stem, wanted)}
    if chosen:
        return Part(lambda name: name not in files or name in chosen)
    others = folders | {split for split in WORDS for name in (*tables, *files) if _called(name, split)}
    if others or wanted != DEFAULT:
        listed = f"it has: {', '.join(sorted(others))}" if others else "it has no parts, so leave --split out"
        raise DataError(f"{title} has no part {one_line(split)!r}; {listed}.")
    return Part(lambda name: True, note=f"The set has no parts, so all of it is taken for {DEFAULT}.")


def _canonical(word: str) -> str:
    """What the Hub calls a part: `val` and `dev` are `validation`."""
    return next((split for split, words in WORDS.items() if word.lower() in words), word)


def _folder_part(name: str, split: str) -> str | None:
    """The part whose folder a file lies in; None outside of all of them."""
    parts = name.split("/")[:-1]
    if split in parts:
        return _canonical(split)
    return next((_canonical(part) for part in parts if names_any_split(part)), None)


def _called(name: str, split: str) -> bool:
    return names_split(PurePosixPath(name).stem, split)
