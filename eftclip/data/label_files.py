"""Lists of labels as people keep them: lines, JSON, a table, one line with commas, numbered, HTML-escaped."""

import ast
import html
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eftclip.data.sets.base import reason
from eftclip.data.sets.layouts.class_names import NUMBER, SYNSET, synset_names
from eftclip.data.sets.layouts.delimited import read_table
from eftclip.data.text_files import read_text
from eftclip.errors import DataError
from eftclip.untrusted_text import one_line

MAX_BYTES = 1_000_000
COLUMNS = ("label", "labels", "class", "class_name", "classname", "name", "category", "text", "title")
KEYS = ("labels", "classes", "classnames", "class_names", "names", "categories")
ENTITY = re.compile(r"&(#\d{1,7}|#x[0-9a-f]{1,6}|[a-z]{2,31});", re.IGNORECASE)
LED = re.compile(r"(\d+|n\d{8})(\s*[:,;\t]\s*|\s*[.)]\s+|\s+)(?=\S)")  # 0: tench, 1. goldfish, n01440764 tench


def read_label_file(path: Path) -> tuple[tuple[str, ...], str]:
    """The labels in a file, in whatever form it has.

    Returns:
        the labels in their order, and what the file was read as, for people; empty for one label a line.

    Raises:
        DataError: it cannot be read, or is no list of labels.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"The label file {path} cannot be read ({error.strerror}); give a text file.") from error
    if len(raw) > MAX_BYTES:
        raise DataError(f"The label file {path} has {len(raw):,} bytes, more than any label list needs; shorten it.")
    name = f"The label file {path}"
    if path.suffix.lower() in (".csv", ".tsv"):
        return _usable(_of_table(raw, path.name), name), "table"
    text, encoding = read_text(raw, name)
    labels, form = read_label_text(text, name)
    return labels, ", ".join(part for part in (form, encoding if encoding != "utf-8" else "") if part)


def read_label_text(text: str, name: str = "The list of labels") -> tuple[tuple[str, ...], str]:
    """The labels in a text, in whatever form it has.

    Args:
        text: as it was typed, pasted or read from a file.
        name: how error messages call it.

    Returns:
        the labels in their order, and what the text was read as, for people; empty for one label a line.

    Raises:
        DataError: it is no list of labels.
    """
    begin = text.lstrip()[:1]
    if begin in ("[", "{"):
        return _usable(_of_json(text, name), name), "JSON"
    if begin == "<":
        raise DataError(f"{name} is written in HTML or XML; give one label per line as text.")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) == 1 and "," in lines[0]:
        return _usable(lines[0].split(","), name), "one line with commas"
    if len(lines) > 1 and all(LED.match(line) for line in lines) and not all(NUMBER.fullmatch(line) for line in lines):
        return _usable([LED.sub("", line, count=1) for line in lines], name), "numbered lines"
    return _usable(lines, name), ""


def _usable(labels: Sequence[str], name: str) -> tuple[str, ...]:
    """Labels without escapes and quotes around them, synsets translated; numbers are refused.

    Raises:
        DataError: most of them are numbers.
    """
    meant = [_unescaped(label) for label in labels]
    meant = [label for label in meant if label]
    numbers = [label for label in meant if NUMBER.fullmatch(label)]
    if meant and 2 * len(numbers) > len(meant):
        shown = ", ".join(one_line(number) for number in numbers[:3])
        raise DataError(f"{name} holds numbers ({shown}, …), which name nothing; give the names of the classes.")
    if meant and all(SYNSET.fullmatch(label) for label in meant):
        return tuple(synset_names().get(label, label) for label in meant)
    return tuple(meant)


def _unescaped(label: str) -> str:
    label = label.strip()
    if len(label) > 1 and label[0] == label[-1] and label[0] in "\"'":
        label = label[1:-1].strip()
    return html.unescape(label) if ENTITY.search(label) else label


def _of_json(text: str, name: str) -> list[str]:
    """The names in a JSON list or object, or in a list as Python writes it."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        try:
            values = ast.literal_eval(text.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            raise DataError(
                f"{name} begins like JSON and is none ({reason(error)}); correct it, or give one label per line."
            ) from error
    labels = _names(values)
    if not labels:
        raise DataError(f"{name} is JSON without a list of names; give a list, or an object of numbers and names.")
    return labels


def _names(values: Any) -> list[str]:
    """A list of names, objects with a name each, or an object: names by number, numbers by name, a list under a key."""
    if isinstance(values, list | tuple):
        named = [_name(value) for value in values]
        return [name for name in named if name] if all(named) else []
    if not isinstance(values, dict):
        return []
    for key in KEYS:
        if isinstance(values.get(key), list | dict):
            return _names(values[key])
    if values and all(isinstance(value, int) for value in values.values()):  # {"tench": 0}
        return [str(key) for key in sorted(values, key=lambda key: values[key])]
    keys = [str(key) for key in values]
    in_order = sorted(values, key=lambda key: int(key)) if all(key.isdecimal() for key in keys) else list(values)
    return _names([values[key] for key in in_order])


def _name(value: Any) -> str:
    """One label: a text, the last of several (synset and name), or what an object has under a fitting key."""
    if isinstance(value, list | tuple) and value and all(isinstance(part, str) for part in value):
        return str(value[-1]).replace("_", " ") if SYNSET.fullmatch(value[0]) else str(value[0])
    if isinstance(value, dict):
        return next((value[key] for key in COLUMNS if isinstance(value.get(key), str)), "")
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _is_number(row: Sequence[str], k: int) -> bool:
    return k < len(row) and NUMBER.fullmatch(row[k].strip()) is not None


def _of_table(raw: bytes, name: str) -> list[str]:
    """The column of a table that names the classes."""
    table = read_table(io.BytesIO(raw), name)
    lower = [column.lower() for column in table.columns]
    place = next((lower.index(column) for column in COLUMNS if column in lower), None)
    if place is not None:
        return [row[place] for row in table.rows if place < len(row)]
    rows = [table.columns, *table.rows]
    if len(rows) == 1:
        return rows[0]  # one line with commas
    if len(table.columns) == 1:
        return [row[0] for row in rows]
    words = [k for k in range(len(table.columns)) if not any(_is_number(row, k) for row in rows)]
    if len(words) == 1:
        return [row[words[0]] for row in rows if words[0] < len(row)]
    columns = one_line(", ".join(table.columns))
    raise DataError(f"{name} has no column {', '.join(COLUMNS[:4])}, only: {columns}; name the one with the labels.")
