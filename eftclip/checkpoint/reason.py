"""What a library's exception says, short enough to stand in a sentence of ours."""

LONGEST = 160


def reason(error: BaseException) -> str:
    """The first line of an exception's text, shortened; the name of its class where it has no text."""
    line = next((line.strip().rstrip(".") for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"
