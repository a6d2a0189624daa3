"""What a visitor reads when something went wrong."""

import logging

from eftclip.checkpoint import ASK
from eftclip.errors import EftclipError

log = logging.getLogger(__name__)
BROKEN = "Something broke inside EftCLIP; the log of the server says what."


# What the command line calls an option is a field of the page.
WORDS = {
    ASK: "the field “Architecture” of step 1",
    "leave --architecture out": "leave the field “Architecture” empty",
    "insist with --allow-pickle (allow_pickle=True)": "allow it on a page of your own (“Read a pickle” in step 1)",
}


def error_message(error: Exception) -> str:
    """What the visitor reads: our own sentences; of anything else the log has the rest."""
    if isinstance(error, EftclipError):
        return in_words_of_the_page(str(error))
    log.error("long work failed", exc_info=error)
    return BROKEN


def in_words_of_the_page(text: str) -> str:
    """A sentence for whoever has fields in front of him rather than options."""
    for option, field in WORDS.items():
        text = text.replace(option, field)
    return text
