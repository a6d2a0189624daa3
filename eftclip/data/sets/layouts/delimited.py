"""Rows of a table: CSV in any separator, TSV, or one JSON object a line; what was found is said, or the line named."""

import csv
import io
import json
from dataclasses import dataclass
from typing import IO

from eftclip.data.sets.base import reason
from eftclip.data.text_files import encoding_by_mark
from eftclip.errors import DataError
from eftclip.untrusted_text import one_line

SEPARATORS = {",": "comma", "\t": "tab", ";": "semicolon", "|": "bar"}
MOST_COLUMNS = 1000
SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson")


@dataclass(frozen=True)
class Table:
    """A table as it stands there.

    Attributes:
        columns: the names in its first line, or the keys of its first object.
        rows: cells in the order of `columns`, without the first line.
        form: how it is written, for people: `tab separated`.
    """

    columns: list[str]
    rows: list[list[str]]
    form: str


def read_table(stream: IO[bytes], name: str) -> Table:
    """Read a table whole.

    Args:
        stream: at its beginning, and seekable.
        name: of the file, whose suffix tells JSON lines from CSV.

    Raises:
        DataError: it is not understood; the sentence names the line.
    """
    encoding = encoding_by_mark(stream.read(4))
    stream.seek(0)
    text = io.TextIOWrapper(stream, encoding="utf-8-sig" if encoding == "utf-8" else encoding, newline="")
    try:
        table = _json_lines(text, name) if name.lower().endswith((".jsonl", ".ndjson")) else _csv(text, name)
    except UnicodeError as error:
        raise DataError(f"{name} cannot be read ({reason(error)}); save it as CSV in UTF-8.") from error
    finally:
        text.detach()  # the stream is closed by whoever opened it
    coded = "" if encoding.startswith("utf-8") else f", {encoding.upper()}"
    return Table(table.columns, table.rows, table.form + coded)


def _csv(text: io.TextIOWrapper, name: str) -> Table:
    first = text.readline()
    separator = "\t" if name.lower().endswith(".tsv") else _separator(first)
    text.seek(0)
    # Strict: a quote that is never closed would otherwise swallow all rows behind it, and nobody would know.
    reader = csv.reader(text, delimiter=separator, strict=True)
    try:
        columns = [column.strip() for column in next(reader, [])]
        return Table(columns, [row for row in reader if row], f"{SEPARATORS[separator]} separated")
    except csv.Error as error:
        raise DataError(
            f"{name} cannot be read in line {reader.line_num:,} ({reason(error)}); put cells with quotes into quotes, "
            "double the quotes inside of them, and save it as CSV in UTF-8."
        ) from error


def _separator(line: str) -> str:
    """What separates the columns of a first line."""
    counts = {separator: _columns(line, separator) for separator in SEPARATORS}
    return max(counts, key=lambda separator: counts[separator])  # the comma where none is in it


def _columns(line: str, separator: str) -> int:
    try:
        return len(next(csv.reader([line], delimiter=separator), []))
    except csv.Error:  # a first line that only another separator makes sense of
        return 0


def _json_lines(text: io.TextIOWrapper, name: str) -> Table:
    columns: dict[str, int] = {}
    rows: list[dict[str, str]] = []
    for number, line in enumerate(text, start=1):
        if not line.strip():
            continue
        rows.append(_json_row(line, name, number))
        columns |= {key: len(columns) for key in rows[-1] if key not in columns}
        if len(columns) > MOST_COLUMNS:
            raise DataError(f"{name} has more than {MOST_COLUMNS} keys in its lines; give the same keys in each.")
    return Table(list(columns), [[row.get(column, "") for column in columns] for row in rows], "one JSON object a line")


def _json_row(line: str, name: str, number: int) -> dict[str, str]:
    try:
        values = json.loads(line)
        if not isinstance(values, dict):
            raise ValueError("no JSON object")
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name} cannot be read in line {number:,} ({reason(error)}); correct it.") from error
    return {one_line(key): _cell(value) for key, value in values.items()}


def _cell(value: object) -> str:
    """A value as text; of a list of captions the first."""
    if isinstance(value, list) and value:
        value = value[0]
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
