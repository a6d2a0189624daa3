"""Parquet files with pictures inside, streamed by `datasets` a row group at a time, never decoded by it."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eftclip.data.sets.base import MAX_BYTES, TEXT_KINDS, Explain, guarded, not_empty, too_large
from eftclip.data.sets.folder import read_inside
from eftclip.errors import DataError, MissingError
from eftclip.types import Entry, ImageSet
from eftclip.untrusted_text import one_line

if TYPE_CHECKING:
    from datasets import IterableDataset

ROWS = 16  # handed over at once; a row group is read whole whatever this says
CHAIN = "::"  # fsspec reads a file inside of another one, of any kind and anywhere: `part::https://…`
SPLIT = "train"  # how a stream of our own is called
PICTURE_COLUMNS = ("image", "img", "picture", "photo", "jpg", "jpeg", "png", "webp", "bytes")
NO_PICTURE = 9
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


@dataclass(frozen=True)
class _Columns:
    """Where a row has its picture and its text.

    Attributes:
        picture: name of the column.
        text: name of the column; None where there is none.
        text_kind: label or caption.
    """

    picture: str
    text: str | None
    text_kind: str | None


def open_parquet(
    source: str, files: Sequence[str], explain: Explain, *, root: Path | None, token: str | None = None
) -> ImageSet:
    """Make parquet files a set.

    Args:
        source: what the user typed.
        files: paths, or addresses that begin with hf://, in their order; one or more.
        explain: makes one sentence of what reading them may raise.
        root: folder that rows may name files of; None where no row may, as those of a stranger must not.
        token: for the Hub.

    Raises:
        DataError: the first file cannot be read, has no column with pictures, or the files on this machine no row.
    """
    columns = next(guarded(_columns(source, files[0], token), explain, files[0]))

    def walk(start: int) -> Iterator[Entry]:
        rows = (row for file in files for row in guarded(_rows(file, columns, token), explain, file))
        index = -1
        for index, (value, text) in enumerate(rows):
            if index >= start:
                name = _name(index, value)
                yield Entry(index, name, text, partial(_picture, value, root, name))
        if index < 0:
            raise DataError(f"{source} has no rows; give a file with pictures.")

    if root is not None:  # on the Hub, one row costs a whole row group; there the pass finds out
        next(walk(0))
    return ImageSet(source, "parquet", None, columns.text_kind, None, (), walk)


def _stream(file: str, columns: list[str] | None, token: str | None) -> "IterableDataset":
    """The rows of one file."""
    from datasets import load_dataset_builder  # takes a second, which a check of one photograph need not wait for
    from datasets.data_files import DataFilesDict, DataFilesList

    if CHAIN in file:
        raise DataError(f"{one_line(file)} has {CHAIN} in its name, which would lead elsewhere; rename it.")
    # Found already: given as mere text, a name with a bracket or a question mark would be taken for a pattern.
    found = DataFilesDict({SPLIT: DataFilesList([file], origin_metadata=[()])})
    # The builder leaves a lock file behind for each data set; nothing else is ever written.
    with tempfile.TemporaryDirectory() as cache:
        builder = load_dataset_builder(
            "parquet", data_files=found, columns=columns, batch_size=ROWS, token=token, cache_dir=cache
        )
    # One shard per row group: otherwise Arrow reads ahead in threads, and a pass that is left early makes Python
    # abort or hang as it exits (datasets 5.2 with pyarrow 26: in 4 of 7 runs; with row groups in none of 14).
    return builder.as_streaming_dataset(SPLIT).reshard().decode(False)


def _rows(file: str, columns: _Columns, token: str | None) -> Iterator[tuple[Any, str | None]]:
    """Picture and text of each row."""
    stream = _stream(file, [columns.picture, *([columns.text] if columns.text else [])], token)
    names = getattr(stream.features[columns.text], "names", None) if columns.text else None
    for row in stream:
        yield row[columns.picture], _text(row[columns.text], names) if columns.text else None


def _text(value: object, names: Sequence[str] | None) -> str | None:
    """A cell as text; the number of a class by its name, and −1, which stands for no class, as none."""
    if names is not None:
        return names[value] if isinstance(value, int) and 0 <= value < len(names) else None
    return (str(value).strip() or None) if isinstance(value, str | int) else None


def _name(index: int, value: object) -> str:
    """Rows are found by their number; the path that a picture was packed under helps people."""
    path = value.get("path") if isinstance(value, Mapping) else value
    return one_line(f"row {index} ({path})") if isinstance(path, str) and path else f"row {index}"


def _picture(value: Any, root: Path | None, name: str) -> bytes:
    """The bytes of a cell; a path only below `root`."""
    path = value
    if isinstance(value, Mapping):
        value, path = value.get("bytes"), value.get("path")
    if isinstance(value, bytes):
        if len(value) > MAX_BYTES:
            raise too_large(name)
        return not_empty(value, name)
    if not isinstance(path, str) or not path:
        raise MissingError(f"{name} has no picture; fill in the cell, or leave out the row.")
    if root is None:
        raise DataError(f"{name} names a file instead of holding a picture; no such file is opened: embed the picture.")
    return read_inside(root, path, name)


def _columns(source: str, file: str, token: str | None) -> Iterator[_Columns]:
    """Find the columns of a file; a single step, as whatever reads a file is gone through in steps."""
    features = _stream(file, None, token).features
    picture = min(features, key=lambda column: _likeness(column, features[column]), default=None)
    if picture is None or _likeness(picture, features[picture])[0] == NO_PICTURE:
        raise DataError(f"{source} has no column with pictures, only {one_line(', '.join(features))}; embed them.")
    yield _Columns(picture, *_text_column(features))


def _likeness(column: str, feature: Any) -> tuple[int, int]:
    """How likely a column holds the pictures, smallest first: by what it holds, then by its name.

    An image column comes before bytes with a path, and these before mere bytes or paths with a fitting name.
    """
    from datasets import Image, Value

    names = len(PICTURE_COLUMNS)
    fitting = PICTURE_COLUMNS.index(column.lower()) if column.lower() in PICTURE_COLUMNS else names
    if isinstance(feature, Image):
        return 0, fitting
    if isinstance(feature, dict):
        return (1 if {"bytes", "path"} <= feature.keys() else NO_PICTURE), fitting
    dtype = feature.dtype if isinstance(feature, Value) else ""
    if "binary" in dtype:
        return (2 if fitting < names else 4), fitting
    return (3 if "string" in dtype and fitting < names else NO_PICTURE), fitting


def _text_column(features: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The column with the texts and their kind: one with a fitting name, or else the first with names of classes."""
    from datasets import ClassLabel, Value

    for column in (name for wanted in TEXT_KINDS for name in features if name.lower() == wanted):
        feature = features[column]
        if isinstance(feature, ClassLabel):
            return column, "label"
        if isinstance(feature, Value) and ("string" in feature.dtype or feature.dtype in INTEGERS):
            return column, TEXT_KINDS[column.lower()]
    classes = next((name for name, feature in features.items() if isinstance(feature, ClassLabel)), None)
    return classes, "label" if classes else None
