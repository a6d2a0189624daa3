"""The way into the page: first what stands in its way is found, then Gradio is loaded, which would stumble over it."""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from eftclip.console import fit_streams
from eftclip.errors import EftclipError, PageError
from eftclip.ui.machine import check_machine
from eftclip.untrusted_text import plain

if TYPE_CHECKING:
    import gradio as gr


def build_demo(*, folders: bool = False) -> "gr.Blocks":
    """The page with all its listeners; nothing is loaded until it is opened or `launch` loads the first checkpoint.

    Args:
        folders: visitors may name folders of this machine; only for a page that nobody else can reach.
    """
    from eftclip.ui.server import build_demo

    return build_demo(folders=folders)


def launch(host: str | None = None, port: int | None = None, **options: Any) -> None:
    """Serve the page until it is stopped.

    Args:
        host: address to listen on; Gradio's default (`GRADIO_SERVER_NAME` or 127.0.0.1) when left out.
        port: TCP port; Gradio's default when left out.
        options: more of `gr.Blocks.launch`, e.g. `prevent_thread_lock`.

    Raises:
        PageError: it cannot be served on this machine as it is.
    """
    check_machine(host, port)
    try:
        import_module("gradio")
    except ModuleNotFoundError as error:
        raise PageError(f"{error.name} is not installed: pip install -r requirements.txt.") from error
    except (ImportError, OSError, ValueError) as error:  # it makes a client of the network when it is imported
        raise PageError(f"Gradio does not start on this machine ({error}): mend that, then try again.") from error
    from eftclip.ui.server import launch

    launch(host, port, **options)


def main() -> int:
    """Serve the page until it is stopped, and return the exit code; what stands in its way is said in one sentence."""
    fit_streams()
    try:
        launch()
    except EftclipError as error:
        sys.stderr.write(f"eftclip: {plain(str(error))}\n")
    except KeyboardInterrupt:
        sys.stderr.write("eftclip: stopped.\n")
    else:
        return 0
    return 2
