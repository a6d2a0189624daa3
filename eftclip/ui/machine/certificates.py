"""Files of trusted certificates named in the environment, which Gradio reads when it is imported."""

import os
from pathlib import Path

from eftclip.errors import PageError
from eftclip.untrusted_text import one_line


def check_certificates() -> None:
    """See that they are there.

    Raises:
        PageError: one is not.
    """
    if (name := os.environ.get("SSL_CERT_FILE")) and not Path(name).is_file():
        raise PageError(f"SSL_CERT_FILE names {one_line(name)}, and there is no such file: correct it, or unset it.")
