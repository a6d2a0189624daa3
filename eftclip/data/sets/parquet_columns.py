"""Which columns of a parquet file hold pictures and texts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eftclip.data.sets.layouts.tables import TEXT_COLUMNS
from eftclip.errors import DataError
from eftclip.untrusted_text import one_line

PICTURE_COLUMNS = ("image", "img", "picture", "photo", "jpg", "jpeg", "png", "webp", "bytes")
NO_PICTURE = 9
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


@dataclass(frozen=True)
class Columns:
    """Where a row has its pictures and its text.

    Attributes:
        picture: name of the column with the sample's picture.
        others: further columns that may hold pictures, which are samples too.
        text: name of the column; None where there is none.
        text_kind: label or caption.
        note: about texts that cannot be used; empty without one.
        classes: names of the classes, where the text is a number.
    """

    picture: str
    others: tuple[str, ...]
    text: str | None
    text_kind: str | None
    note: str
    classes: tuple[str, ...] = ()

    @property
    def recognised(self) -> str:
        """What was recognised, for people."""
        texts = f"{self.text_kind}s from `{one_line(self.text)}`" if self.text else "without texts"
        more = f" and {one_line(', '.join(self.others))}" if self.others else ""
        return f"pictures from `{one_line(self.picture)}`{more}, {texts}"

    @property
    def names(self) -> list[str]:
        """All of them, each once."""
        return list(dict.fromkeys([self.picture, *self.others, *([self.text] if self.text else [])]))


def find_columns(source: str, features: Mapping[str, Any], names: Sequence[str] = ()) -> Columns:
    """Find the columns of a file.

    Args:
        source: how error messages call it.
        features: of its columns, as `datasets` tells them.
        names: of the classes, in the order of their numbers; numbers that nobody names are no labels.

    Raises:
        DataError: none holds pictures.
    """
    picture = min(features, key=lambda column: _likeness(column, features[column]), default=None)
    if picture is None or _likeness(picture, features[picture])[0] == NO_PICTURE:
        raise DataError(f"{source} has no column with pictures, only {one_line(', '.join(features))}; embed them.")
    schema = features.arrow_schema  # type: ignore[attr-defined]  # of `datasets`
    others = tuple(field.name for field in schema if field.name != picture and "binary" in str(field.type))
    return Columns(picture, others, *_text_column(features, named=bool(names)), tuple(names))


def holds_no_pictures(path: Path) -> bool:
    """Whether a parquet file is a mere table: no column of it has bytes, at any depth."""
    from pyarrow import ArrowException, parquet

    try:
        schema = parquet.read_schema(path)
    except (ArrowException, OSError):
        return False
    return not any("binary" in str(field.type) for field in schema)


def cells(value: Any) -> Iterator[Any]:
    """The pictures of a cell, which may be a list of them."""
    if isinstance(value, list | tuple):
        for item in value:
            yield from cells(item)
    else:
        yield value


def _likeness(column: str, feature: Any) -> tuple[int, int]:
    """How likely a column holds the pictures, smallest first: by what it holds, then by its name.

    An image column comes before bytes with a path, and these before mere bytes or paths with a fitting name.
    """
    from datasets import Image, List, Value

    names = len(PICTURE_COLUMNS)
    fitting = PICTURE_COLUMNS.index(column.lower()) if column.lower() in PICTURE_COLUMNS else names
    if isinstance(feature, List):
        kind, place = _likeness(column.lower().removesuffix("s"), feature.feature)
        return (kind if kind in (0, 1) else NO_PICTURE), place + 1
    if isinstance(feature, Image):
        return 0, fitting
    if isinstance(feature, dict):
        return (1 if {"bytes", "path"} <= feature.keys() else NO_PICTURE), fitting
    dtype = feature.dtype if isinstance(feature, Value) else ""
    if "binary" in dtype:
        return (2 if fitting < names else 4), fitting
    return (3 if "string" in dtype and fitting < names else NO_PICTURE), fitting


def _text_column(features: Mapping[str, Any], *, named: bool) -> tuple[str | None, str | None, str]:
    """The column with the texts, their kind, and a note; one with a fitting name, or the first with class names."""
    from datasets import ClassLabel, List, Value

    note = ""
    for column in (name for wanted in TEXT_COLUMNS for name in features if name.lower() == wanted):
        feature, kind = features[column], TEXT_COLUMNS[column.lower()]
        feature = feature.feature if isinstance(feature, List) else feature
        if isinstance(feature, ClassLabel):
            return column, "label", ""
        if kind == "label" and isinstance(feature, Value) and feature.dtype in INTEGERS:
            if named:
                return column, kind, ""
            note = note or f"The column {one_line(column)} holds numbers, which are no labels; store their names."
        elif isinstance(feature, Value) and "string" in feature.dtype:
            return column, kind, note
    classes = next((name for name, feature in features.items() if isinstance(feature, ClassLabel)), None)
    return classes, "label" if classes else None, "" if classes else note
