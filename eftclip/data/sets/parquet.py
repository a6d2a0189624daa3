"""Parquet files with pictures inside, streamed by `datasets` a row group at a time, never decoded by it."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eftclip.data.file_kinds import HEAD_BYTES, FileKind, kind_of_head
from eftclip.data.sets.base import MAX_BYTES, Explain, guarded, not_empty, too_large
from eftclip.data.sets.folder import read_inside
from eftclip.data.sets.layouts.class_names import label_of
from eftclip.data.sets.parquet_columns import Columns, cells, find_columns
from eftclip.errors import DataError, MissingError
from eftclip.types import Entry, ImageSet
from eftclip.untrusted_text import one_line

if TYPE_CHECKING:
    from datasets import IterableDataset

ROWS = 16  # handed over at once; a row group is read whole whatever this says
CHAIN = "::"  # fsspec reads a file inside of another one, of any kind and anywhere: `part::https://…`
SPLIT = "train"  # how a stream of our own is called


def open_parquet(
    source: str,
    files: Sequence[str],
    explain: Explain,
    *,
    root: Path | None,
    token: str | None = None,
    names: Sequence[str] = (),
) -> ImageSet:
    """Make parquet files a set.

    Args:
        source: what the user typed.
        files: paths, or addresses that begin with hf://, in their order; one or more.
        explain: makes one sentence of what reading them may raise.
        root: folder that rows may name files of; None where no row may, as those of a stranger must not.
        token: for the Hub.
        names: of the classes, in the order of their numbers; numbers that nobody names are no labels.

    Raises:
        DataError: the first file cannot be read, has no column with pictures, or the files on this machine no row.
    """
    columns = next(guarded(_columns(source, files[0], token, names), explain, files[0]))

    def walk(start: int) -> Iterator[Entry]:
        rows = (row for file in files for row in guarded(_rows(file, columns, token), explain, file))
        count, number = 0, -1
        for number, (pictures, text) in enumerate(rows):
            for value, column in pictures:
                if count >= start:
                    name = _name(number, value, column)
                    yield Entry(count, name, text, partial(_picture, value, root, name))
                count += 1
        if number < 0:
            raise DataError(f"{source} has no rows; give a file with pictures.")

    if root is not None:  # on the Hub, one row costs a whole row group; there the pass finds out
        next(walk(0))
    files_told = "1 parquet file" if len(files) == 1 else f"{len(files):,} parquet files"
    notes, layout = (columns.note,) if columns.note else (), f"{files_told}, {columns.recognised}"
    return ImageSet(source, "parquet", None, columns.text_kind, None, notes, walk, layout)


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


def _rows(file: str, columns: Columns, token: str | None) -> Iterator[tuple[list[tuple[Any, str]], str | None]]:
    """The pictures of each row, each with its column where that is not the usual one, and the text of the row."""
    stream = _stream(file, columns.names, token)
    feature = stream.features[columns.text] if columns.text else None
    names = getattr(getattr(feature, "feature", feature), "names", None)
    for row in stream:
        pictures = list(_named(row[columns.picture], "", columns.picture)) or [(None, "")]
        for name in columns.others:
            pictures += [pair for pair in _named(row[name], name, name) if _may_be_picture(pair[0])]
        text = _text(row[columns.text], names, columns.text_kind, columns.classes) if columns.text else None
        yield pictures, text


def _named(value: Any, first: str, column: str) -> Iterator[tuple[Any, str]]:
    """The pictures of a cell, each with a name of its own."""
    for k, cell in enumerate(cells(value)):
        yield cell, f"{column} {k + 1}" if k else first


def _may_be_picture(value: Any) -> bool:
    """Whether a cell of a column that need not hold pictures holds one all the same."""
    raw = value.get("bytes") if isinstance(value, Mapping) else value
    return isinstance(raw, bytes) and kind_of_head(raw[:HEAD_BYTES]) is not FileKind.OTHER


def _text(value: object, names: Sequence[str] | None, kind: str | None, classes: Sequence[str]) -> str | None:
    """A cell as text, of a list the first; a class by its name, and −1, which stands for no class, as none."""
    if isinstance(value, list):
        value = value[0] if value else None
    if names is not None:
        return names[value] if isinstance(value, int) and 0 <= value < len(names) else None
    text = str(value).strip() if isinstance(value, str | int) else ""
    return label_of(text, classes) if kind == "label" else text or None


def _name(index: int, value: object, column: str) -> str:
    """Rows are found by their number; the path that a picture was packed under helps people."""
    row = f"row {index}, {column}" if column else f"row {index}"
    path = value.get("path") if isinstance(value, Mapping) else value
    return one_line(f"{row} ({path})" if isinstance(path, str) and path else row)


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


def _columns(source: str, file: str, token: str | None, names: Sequence[str]) -> Iterator[Columns]:
    """Find the columns of a file; a single step, as whatever reads a file is gone through in steps."""
    yield find_columns(source, _stream(file, None, token).features, names)
