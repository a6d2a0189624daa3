"""What a library's exception or a stranger's list says, short enough to stand in a sentence of ours."""

from collections.abc import Iterable

LONGEST = 160
NAME = 60
NAMES = 8


def reason(error: BaseException) -> str:
    """The first line of an exception's text, shortened; the name of its class where it has no text."""
    line = next((line.strip().rstrip(".") for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"


def short_list(names: Iterable[str]) -> str:
    """The first names of a list that a stranger made; `nothing` for an empty one.

    He chose how many there are, how long they are, and whether they hold line breaks.
    """
    found = sorted(names)
    shown = ["".join(c if c.isprintable() else "�" for c in name) for name in found[:NAMES]]
    shown = [name if len(name) <= NAME else f"{name[:NAME]}…" for name in shown]
    more = [f"{len(found) - NAMES:,} more"] if len(found) > NAMES else []
    return ", ".join(shown + more) or "nothing"
