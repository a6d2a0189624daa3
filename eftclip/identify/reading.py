"""Samples of a data set, each read once: its label, how sure the reading is, and a digest of its bytes."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

import torch
from torch import Tensor

from eftclip.errors import DataError
from eftclip.identify.samples import SampleReading
from eftclip.types import ClassMatrix, ClipModel, Decode, Entry, fault_kind
from eftclip.zeroshot import IMAGES_PER_BATCH, margins


def _read(entry: Entry, decode: Decode) -> tuple[SampleReading, Tensor | None]:
    """A sample's square, and a glance at it that still lacks the reading."""
    try:
        raw = entry.read()
        square = decode(raw)
    except DataError as error:
        return SampleReading(entry.index, entry.name, fault=fault_kind(error), reason=str(error)), None
    digest = int.from_bytes(hashlib.sha256(raw).digest()[:8], "big")
    return SampleReading(entry.index, entry.name, digest=digest), square


def read_samples(
    clip: ClipModel, classes: ClassMatrix, entries: Sequence[Entry], decode: Decode
) -> list[tuple[SampleReading, Tensor | None]]:
    """Read some samples once, many pictures at a time; the square of each is None where there is no picture."""
    read = [_read(entry, decode) for entry in entries]
    squares = [square for _, square in read if square is not None]
    readings: list[tuple[str, float]] = []
    for start in range(0, len(squares), IMAGES_PER_BATCH):
        best, margin = margins(clip, torch.stack(squares[start : start + IMAGES_PER_BATCH]), classes)
        readings += zip([classes.labels[i] for i in best.tolist()], margin.tolist(), strict=True)
    ahead = iter(readings)
    return [(seen if square is None else _with_reading(seen, *next(ahead)), square) for seen, square in read]


def squares_of(entries: Iterable[Entry], decode: Decode) -> Iterator[tuple[Entry, Tensor]]:
    """The samples that are pictures, unread by any model, and the square of each."""
    for entry in entries:
        with suppress(DataError):
            yield entry, decode(entry.read())


def _with_reading(seen: SampleReading, label: str, margin: float) -> SampleReading:
    return replace(seen, label=label, margin=margin)
