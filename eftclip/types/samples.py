"""A data set before anything of it is read: what stands in it, one entry a sample."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from torch import Tensor

Decode = Callable[[bytes], Tensor]  # the bytes of a picture file to the square that the model sees; raises DataError


@dataclass(frozen=True)
class Entry:
    """One sample of a data set as it stands there; nothing of it is read or decoded yet.

    Attributes:
        index: position in the set, from 0, the same in every pass.
        name: what a person finds it by, one printable line.
        text: its label or caption; None where the set states none.
        read: the bytes of the picture file; raises MissingError where it is not there, and DataError where it cannot
            be had or is too large.
    """

    index: int
    name: str
    text: str | None
    read: Callable[[], bytes] = field(repr=False)


@dataclass(frozen=True)
class ImageSet:
    """Pictures with their texts, in an order that never changes.

    Attributes:
        source: what the user typed.
        kind: folder, zip, tar, parquet, webdataset, hub or list.
        length: number of entries, where it is known without reading the set.
        text_kind: label or caption; None where the set states neither.
        revision: the commit of a Hub data set, 40 hex digits.
        notes: sentences for people about what was left out.
        walk: the entries from a position on; callers use `entries`.
        layout: what it was recognised as, one line for people.
    """

    source: str
    kind: str
    length: int | None
    text_kind: str | None
    revision: str | None
    notes: tuple[str, ...]
    walk: Callable[[int], Iterator[Entry]] = field(repr=False, compare=False)
    layout: str = ""

    def entries(self, start: int = 0) -> Iterator[Entry]:
        """Go through the set once more; one bad sample never ends the pass, its `read` raises.

        Args:
            start: index of the first entry wanted; a stream is read, but not decoded, up to there.

        Raises:
            DataError: from the iterator, when a stream ends before its time: a part is never taken for the whole.
        """
        return self.walk(start)
