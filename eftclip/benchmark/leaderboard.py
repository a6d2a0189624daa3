"""A leaderboard: rows and columns of what was measured, and which cell of a column is the best."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from eftclip.types import Rate

Document = dict[str, Any]
NOTHING = "–"
MORE: Final = 1  # what is better in a column
FEWER: Final = -1
NEITHER: Final = 0


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: as people read it; a dash where nothing was measured.
        value: what numbers are sorted and compared by; None for words, and where nothing was measured.
        rate: the counts behind it, if it is a share.
        interval: of that share, 95 %, both ends in [0, 1], where the file has one.
    """

    text: str = NOTHING
    value: float | None = None
    rate: Rate | None = None
    interval: tuple[float, float] | None = None

    @property
    def measured(self) -> bool:
        """Whether there is anything."""
        return self.text != NOTHING


EMPTY = Cell()


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        key: by which a row names its cell.
        head: what stands above it.
        about: a sentence on what it means.
        better: whether more or fewer is better, or neither.
        choice: its words are offered to choose rows by.
        brief: it is also shown where there is little room.
    """

    key: str
    head: str
    about: str
    better: Literal[-1, 0, 1] = NEITHER
    choice: bool = False
    brief: bool = True


POISONED = (  # of every leaderboard; `names.traits` tells both
    Column("attack", "attack", "How the checkpoint was poisoned.", choice=True, brief=False),
    Column("tower", "tower", "The image tower of the checkpoint.", choice=True, brief=False),
)


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        cells: by the keys of their columns; those left out are empty.
        group: rows of one group are held against each other, e.g. those of one checkpoint and target.
        competes: it is of a method, not of the state before all of them.
    """

    cells: Mapping[str, Cell]
    group: tuple[str, ...]
    competes: bool = True

    def cell(self, key: str) -> Cell:
        """Its cell in a column."""
        return self.cells.get(key, EMPTY)


@dataclass(frozen=True)
class Source:
    """Where numbers come from.

    Attributes:
        file: the name of the result file.
        commit: that it was measured at; with `+`, with changes that were not committed.
        command: that measures it again, from the folder of the repository.
    """

    file: str
    commit: str
    command: str


@dataclass(frozen=True)
class Leaderboard:
    """One table and what has to be said about it. Sentences may hold `code`, *emphasis* and **strong emphasis**.

    Attributes:
        name: a word for addresses.
        title: what is compared.
        columns: from left to right.
        rows: in the order of the files.
        introduction: sentences in front of the table.
        remarks: sentences behind it.
        models: each checkpoint by name, with what is known of it.
        sources: where the numbers come from.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    introduction: tuple[str, ...]
    remarks: tuple[str, ...]
    models: tuple[tuple[str, str], ...]
    sources: tuple[Source, ...]

    def best(self) -> frozenset[tuple[int, str]]:
        """Index of the row and key of the column of each cell that no other of its group beats.

        Where all are alike, and where nothing is there to be held against, none is.
        """
        groups: dict[tuple[str, ...], list[int]] = {}
        for k, row in enumerate(self.rows):
            if row.competes:
                groups.setdefault(row.group, []).append(k)
        return frozenset(
            (k, column.key)
            for column in self.columns
            if column.better != NEITHER
            for ones in groups.values()
            for k in _winners({k: self.rows[k].cell(column.key).value for k in ones}, column.better)
        )

    def alike(self) -> dict[str, str]:
        """Columns to choose by that have one word in all rows, and that word; never the first."""
        found = {}
        for column in self.columns[1:]:
            texts = {row.cell(column.key).text for row in self.rows}
            if column.choice and len(texts) == 1 and texts != {NOTHING}:
                found[column.key] = texts.pop()
        return found

    def choices(self) -> dict[str, list[str]]:
        """Words to choose rows by, for each column that has several."""
        found = {
            column.key: sorted({row.cell(column.key).text for row in self.rows if row.cell(column.key).measured})
            for column in self.columns
            if column.choice
        }
        return {key: words for key, words in found.items() if len(words) > 1}


def words(text: str) -> Cell:
    """A cell of words."""
    return Cell(text) if text else EMPTY


def number(value: float | None, decimals: int = 0) -> Cell:
    """A cell of one number; what looks alike is alike, so it is compared as it is written."""
    return EMPTY if value is None else Cell(f"{value:,.{decimals}f}", round(float(value), decimals))


def rate(counted: Document | None) -> Cell:
    """A cell of hits and total, as result files have them; empty where nothing was counted.

    Raises:
        KeyError, TypeError, ValueError: these are no counts.
    """
    if not counted or not counted["total"]:
        return EMPTY
    share = Rate(counted["hits"], counted["total"])
    known = "low" in counted and "high" in counted
    interval = (float(counted["low"]), float(counted["high"])) if known else None
    return Cell(f"{share.hits:,} of {share.total:,}", share.value, share, interval)


def source(name: str, document: Document) -> Source:
    """Where the numbers of a file come from."""
    command = re.sub(r" --out \S+", "", str(document["command"]))  # where it was written does not matter
    parts = document.get("checkpoints", {})
    commits = [document["commit"]] if "commit" in document else sorted({one["commit"] for one in parts.values()})
    return Source(f"{name}.json", ", ".join(map(str, commits)), command)


def once(texts: Iterable[str]) -> tuple[str, ...]:
    """Sentences of several files, each only once."""
    return tuple(dict.fromkeys(text for text in texts if text))


def listed(texts: Iterable[str]) -> str:
    """`a, b`, or that there are none."""
    return ", ".join(texts) or "none"


def _winners(values: Mapping[int, float | None], better: int) -> list[int]:
    known = {k: value for k, value in values.items() if value is not None and not math.isnan(value)}
    if len(set(known.values())) < 2:
        return []
    top = max(known.values(), key=lambda value: better * value)
    return [k for k, value in known.items() if value == top]


def left_out(document: Document, shown: Mapping[str, str]) -> list[str]:
    """A sentence for each reason why cells were not measured.

    Args:
        document: a result file.
        shown: what methods are called.
    """
    reasons: dict[str, dict[str, dict[str, None]]] = {}  # reason, method, checkpoints: in the order of the file
    for one in document.get("left_out", []):
        methods = reasons.setdefault(str(one.get("reason", "the budget did not reach")), {})
        methods.setdefault(shown.get(one["method"], one["method"]), {})[f"`{one['checkpoint']}`"] = None
    told = {
        reason: "; ".join(f"{method} on {', '.join(names)}" for method, names in methods.items())
        for reason, methods in reasons.items()
    }
    return [f"Not measured, as {reason}: {cells}." for reason, cells in told.items()]
