"""What a source holds besides its samples and that may be a picture: entries that say so when they are read."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any, cast

from eftclip.data.sets.base import refuse
from eftclip.errors import LeftOutError
from eftclip.types import Entry, ImageSet
from eftclip.untrusted_text import one_line

More = tuple[str, Callable[[], bytes]]  # what the user finds it by, and its bytes


def unreadable(name: str, why: str) -> Callable[[], bytes]:
    """The `read` of something that was left out."""
    return partial(refuse, LeftOutError(f"{one_line(name)} {why}"))


def followed_by(images: ImageSet, more: Sequence[More]) -> ImageSet:
    """A set, and behind its last entry what else its source holds.

    Args:
        images: of any length, known or not.
        more: names and the way to the bytes; those that are `unreadable` are only counted and named.
    """
    if not more:
        return images

    def walk(start: int) -> Iterator[Entry]:
        count = images.length
        if count is None or start < count:
            count = 0
            with closing(cast(Any, images.walk(0 if images.length is None else start))) as entries:
                for entry in entries:
                    count = entry.index + 1
                    if entry.index >= start:
                        yield entry
        for k, (name, read) in enumerate(more):
            if count + k >= start:
                yield Entry(count + k, one_line(name), None, read)

    length = None if images.length is None else images.length + len(more)
    return replace(images, length=length, walk=walk)
