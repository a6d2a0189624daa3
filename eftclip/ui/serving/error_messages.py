"""What a visitor reads when something went wrong."""

import logging

from eftclip.errors import EftclipError

log = logging.getLogger(__name__)
BROKEN = "Something broke inside EftCLIP; the log of the server says what."


def error_message(error: Exception) -> str:
    """What the visitor reads: our own sentences; of anything else the log has the rest."""
    if isinstance(error, EftclipError):
        return str(error)
    log.error("long work failed", exc_info=error)
    return BROKEN
