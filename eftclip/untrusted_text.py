"""Text that anybody may have chosen, made fit to be shown: on a page, in a report, in a terminal."""

LONGEST_NAME = 120
JOINERS = "\u200c\u200d"  # some scripts, and some emoji, cannot be written without


def plain(text: str) -> str:
    """A text without what cannot be printed: control characters, line ends, marks that turn the writing, halves.

    Each becomes a replacement character, so that nothing is hidden.
    """
    return "".join(char if char.isprintable() or char in JOINERS else "\N{REPLACEMENT CHARACTER}" for char in text)


def one_line(name: str) -> str:
    """A name, made fit for a sentence: printable, on one line, not absurdly long."""
    visible = plain(name)
    if len(visible) <= LONGEST_NAME:
        return visible
    return f"{visible[: LONGEST_NAME // 2]}…{visible[-(LONGEST_NAME // 2 - 1) :]}"
