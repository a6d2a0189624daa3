"""What every data set is made of: entries that are read one at a time, and sentences about what was left out."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import IO, TypeVar

from eftclip.data.pictures import MAX_FILE_MB
from eftclip.errors import DataError
from eftclip.untrusted_text import one_line

MAX_BYTES = MAX_FILE_MB * 1_000_000
CHUNK_BYTES = 1 << 20  # what is asked of a stream at once: a liar about its size costs one chunk too much
LONGEST_REASON, NAMED = 160, 3
# Columns, members and keys that hold a text, the first that exists wins; and what kind of text it is.
TEXT_KINDS = {"label": "label", "caption": "caption", "text": "caption", "txt": "caption"}

T = TypeVar("T")
Explain = Callable[[Exception, str], DataError]  # whatever reading a file raised, as one sentence


def reason(error: BaseException) -> str:
    """The first line of an exception's text, shortened; the name of its class where it has no text."""
    # The system's own words without the path, which a visitor who sent a file must not see.
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    line = next((line.strip().rstrip(".") for line in text.splitlines() if line.strip()), type(error).__name__)
    return line if len(line) <= LONGEST_REASON else f"{line[:LONGEST_REASON]}…"


def short_list(names: Sequence[str]) -> str:
    """The first names of a list, and how many more there are."""
    shown = ", ".join(one_line(name) for name in names[:NAMED])
    return f"{shown} and {len(names) - NAMED:,} more" if len(names) > NAMED else shown


def note(names: Sequence[str], one: str, many: str) -> tuple[str, ...]:
    """A sentence that counts and names what was left out; none where nothing was.

    Args:
        names: what was left out.
        one: what follows `1 `.
        many: what follows a larger number.
    """
    return (f"{len(names):,} {one if len(names) == 1 else many}: {short_list(names)}.",) if names else ()


def read_bounded(stream: IO[bytes], name: str) -> bytes:
    """The bytes of a picture file, piece by piece, so that no promise about its size is relied on.

    Raises:
        DataError: it is empty or larger than `MAX_FILE_MB`.
    """
    raw = bytearray()
    while piece := stream.read(CHUNK_BYTES):
        raw += piece
        if len(raw) > MAX_BYTES:
            raise too_large(name)
    return not_empty(bytes(raw), name)


def refuse(error: DataError) -> bytes:
    """Stand in for the `read` of a sample that is known to be bad; each call has a traceback of its own."""
    raise type(error)(*error.args)


def guarded(steps: Iterator[T], explain: Explain, file: str) -> Iterator[T]:
    """Go through steps of foreign code, and close them as soon as nobody wants more.

    Args:
        steps: may raise anything.
        explain: makes it one sentence; errors of ours pass as they are.
        file: that the steps read.
    """
    with closing(steps):  # type: ignore[type-var]  # generators all; left to the collector, streams stay open
        while True:
            try:
                step = next(steps)
            except StopIteration:
                return
            except DataError:
                raise
            except Exception as error:
                raise explain(error, file) from error
            yield step


def not_empty(raw: bytes, name: str) -> bytes:
    """Hand the bytes through.

    Raises:
        DataError: there are none.
    """
    if not raw:
        raise DataError(f"{name} is an empty file; replace it.")
    return raw


def too_large(name: str) -> DataError:
    """What is raised for a picture file beyond the limit."""
    return DataError(f"{name} is larger than {MAX_FILE_MB} MB; make it smaller.")
