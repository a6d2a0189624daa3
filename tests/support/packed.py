"""Tiny pictures, packed in every way that a data set may come in."""

import io
import tarfile
import tracemalloc
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import datasets
from PIL import Image

from eftclip.data import Entry, read_picture
from eftclip.errors import DataError, MissingError

datasets.disable_progress_bars()
Packed = Mapping[str, bytes] | Sequence[tuple[str, bytes]]


def png(number: int) -> bytes:
    """A picture that no other number gives."""
    out = io.BytesIO()
    Image.new("RGB", (32, 24), (number % 256, number // 256, 90)).save(out, "PNG")
    return out.getvalue()


def number(entry: Entry) -> int:
    """The number of the picture of an entry."""
    red, green, _ = read_picture(entry.read()).getpixel((3, 3))  # type: ignore[misc]
    return int(red + 256 * green)


def what(entry: Entry) -> str | int:
    """The number of the picture, or what became of it."""
    try:
        return number(entry)
    except MissingError:
        return "missing"
    except DataError:
        return "bad"


def seen(entries: Iterable[Entry]) -> list[tuple[str | int, str | None]]:
    """Pictures and texts, each entry read before the next one is asked for."""
    return [(what(entry), entry.text) for entry in entries]


def complaint(entry: Entry) -> str:
    """What an entry says when it is read: one sentence."""
    try:
        entry.read()
    except DataError as error:
        text = str(error)
        assert text.endswith(".") and "\n" not in text and len(text) < 500, text
        return text
    raise AssertionError(f"{entry.name} could be read")


@contextmanager
def at_most(megabytes: int) -> Iterator[None]:
    """Hold what Python keeps in memory meanwhile to a limit."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < megabytes * 1_000_000, f"{peak:,} bytes"


def _pairs(files: Packed) -> Iterable[tuple[str, bytes]]:
    return files.items() if isinstance(files, Mapping) else files


def folder(path: Path, files: Packed) -> Path:
    """Files below a folder."""
    path.mkdir(parents=True, exist_ok=True)
    for name, raw in _pairs(files):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(raw)
    return path


def zipped(path: Path, files: Packed, method: int = zipfile.ZIP_DEFLATED) -> Path:
    """A zip archive."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, raw in _pairs(files):
            archive.writestr(name, raw)
    return path


def tarred(path: Path, files: Packed, form: int = tarfile.PAX_FORMAT) -> Path:
    """A tar archive."""
    with tarfile.open(path, "w", format=form) as archive:
        for name, raw in _pairs(files):
            info = tarfile.TarInfo(name)
            info.size = len(raw)
            archive.addfile(info, io.BytesIO(raw))
    return path


def parquet(path: Path, columns: dict[str, list[Any]], features: dict[str, Any], rows: int = 1000) -> Path:
    """A parquet file with so many rows in a group."""
    table = datasets.Dataset.from_dict(columns, features=datasets.Features(features))
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_parquet(str(path), batch_size=rows)
    return path


def samples(numbers: Iterable[int], text: str = "txt") -> list[tuple[str, bytes]]:
    """Members of a shard: a picture and a text file for each number."""
    return [
        member for i in numbers for member in ((f"{i:04}.png", png(i)), (f"{i:04}.{text}", f"picture {i}".encode()))
    ]
