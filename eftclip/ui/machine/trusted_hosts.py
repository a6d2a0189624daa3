"""Names under which a forwarder shows a page at home to its owner, as he lists them himself."""

import os
import re

from eftclip.errors import PageError
from eftclip.untrusted_text import one_line

VARIABLE = "EFTCLIP_TRUSTED_HOSTS"
HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*", re.ASCII)


def trusted_hosts() -> frozenset[str]:
    """The host names of `EFTCLIP_TRUSTED_HOSTS`, in lower case; none unless they are listed.

    Whoever opens the page under one of these names is taken for whoever sits at this machine. So each name is written
    out: there are no patterns.

    Raises:
        PageError: an entry is no host name.
    """
    entries = [entry.strip().lower() for entry in os.environ.get(VARIABLE, "").split(",")]
    for entry in filter(None, entries):
        if not HOST.fullmatch(entry):
            raise PageError(
                f"{VARIABLE} holds {one_line(entry)!r}, which is no host name: list whole names, separated by commas, "
                "without https://, port, path or *, such as notebook.example.org."
            )
    return frozenset(filter(None, entries))
