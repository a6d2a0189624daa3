"""Text on a terminal that may have few letters."""

import codecs
import io
import sys

PLAIN_LETTERS = "eftclip-plain-letters"
PLAIN = {
    **{"…": "...", "·": "-", "–": "-", "−": "-", "—": "-", "→": "->", "×": "x", "\N{REPLACEMENT CHARACTER}": "?"},
    **{"“": '"', "”": '"', "„": '"', "\N{RIGHT SINGLE QUOTATION MARK}": "'", "\N{NO-BREAK SPACE}": " "},
}


def fit_streams() -> None:
    r"""Let both streams write what they have no letter for in plain ones, instead of ending the program.

    A label, a file name or a help text may hold anything, and an ASCII or latin-1 console has little of it. Signs of
    our own sentences become their plain forms, everything else an escape such as `\u72d7`.
    """
    codecs.register_error(PLAIN_LETTERS, _in_plain_letters)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=PLAIN_LETTERS)


def printable(line: str) -> str:
    """One line without control characters: a file name must not be able to steer the terminal."""
    return "".join(c if c.isprintable() or "\udc80" <= c <= "\udcff" else "�" for c in line)


def _in_plain_letters(error: UnicodeError) -> tuple[str, int]:
    """An error handler of `codecs`: what to write instead, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(PLAIN.get(c) or c.encode("ascii", "backslashreplace").decode() for c in missing), error.end
