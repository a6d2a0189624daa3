"""How the page is served: where, with which limits, and for whom."""

import ipaddress
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder
from starlette.middleware import Middleware

from eftclip.checkpoint import prune_cache
from eftclip.errors import PageError
from eftclip.publish import bound_requests
from eftclip.runtime import settle_memory
from eftclip.ui.backend import Backend
from eftclip.ui.benchmark.route import benchmark_route
from eftclip.ui.machine import trusted_hosts
from eftclip.ui.page import build_page
from eftclip.ui.serving.cleanup import Cleanup
from eftclip.ui.serving.request_guard import RequestGuard
from eftclip.ui.serving.sessions import KEPT_S
from eftclip.ui.serving.uploaded_checkpoints import MOST_GB
from eftclip.ui.theme import CSS, theme

REFUSAL = Path(__file__).with_name("refusal.html")  # a script that says why nothing loads behind a forwarder
SPACE_DISK = Path("/data")
CACHE_GB = 20.0  # of checkpoints that visitors had downloaded; a Space has 50 GB of disk
SESSIONS = 300  # of which Gradio keeps some 0.3 MB each, for ever if it may; whoever comes later loses little
THREADS = 160  # everybody who waits in a queue of ours holds one
MAX_UPLOAD = int(MOST_GB * 1e9)  # bytes of a checkpoint; pictures are held to less where they are read


def build_demo(*, folders: bool = False) -> gr.Blocks:
    """The page with all its listeners; nothing is loaded until it is opened or `launch` loads the first checkpoint.

    Args:
        folders: visitors may name folders of this machine; only for a page that nobody else can reach.
    """
    return build_page(_backend(folders), folders=folders, kept_s=KEPT_S)


def launch(host: str | None = None, port: int | None = None, **options: Any) -> None:
    """Serve the page until it is stopped.

    Args:
        host: address to listen on; Gradio's default (`GRADIO_SERVER_NAME` or 127.0.0.1) when left out.
        port: TCP port; Gradio's default when left out.
        options: more of `gr.Blocks.launch`, e.g. `prevent_thread_lock`.

    Raises:
        PageError: it could not be served.
    """
    settle_memory()
    bound_requests()
    private = is_private(host)
    backend = _backend(private)
    demo = build_page(backend, folders=private, kept_s=KEPT_S)
    own = {**launch_options(private=private), **options, "prevent_thread_lock": True}
    try:
        demo.launch(server_name=host, server_port=port, **own)
    except Exception as error:  # Gradio raises a bare one of these, too
        raise PageError(f"The page could not be served ({' '.join(str(error).split())}).") from error
    # Only now: a process that ends while a thread of torch works is aborted, and what it said is lost.
    backend.checkpoints.load_first()
    _cleanup(backend, demo).start(KEPT_S / 4)
    interactive = hasattr(sys, "ps1") or bool(sys.flags.interactive)  # where Gradio would not wait either
    if not options.get("prevent_thread_lock") and not interactive:
        demo.block_thread()


def launch_options(*, private: bool = False) -> dict[str, Any]:
    """How the page is served: nothing leaves the machine, and of a visitor the browser keeps only a random key.

    Args:
        private: only whoever sits at this machine can open the page.
    """
    uploads = Path(get_upload_folder())
    guard = Middleware(RequestGuard, uploads=uploads, private=private, trusted=trusted_hosts())
    return {
        "app_kwargs": {"middleware": [guard], "routes": [benchmark_route()]},
        "head_paths": [REFUSAL],
        "mcp_server": True,
        "state_session_capacity": SESSIONS,
        "theme": theme(),
        "css_paths": CSS,
        "max_file_size": MAX_UPLOAD,
        "footer_links": ["api"],
        "max_threads": THREADS,
        "run_history": False,
        "enable_monitoring": False,
        "ssr_mode": False,
        "show_error": False,
    }


def _backend(private: bool) -> Backend:
    """Files for download go into Gradio's own folder: it serves them there, without a copy that outlives the page."""
    return Backend(Path(get_upload_folder()), results_folder(), private=private)


def results_folder() -> Path:
    """Where finished results outlive the process: on a Space its disk, if it has one."""
    if named := os.environ.get("EFTCLIP_RESULTS"):
        return Path(named)
    if on_a_space() and SPACE_DISK.is_dir() and os.access(SPACE_DISK, os.W_OK):
        return SPACE_DISK / "eftclip-results"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "eftclip" / "results"


def _cleanup(backend: Backend, demo: gr.Blocks) -> Cleanup:
    """Takes away what is older than an hour, except what the page itself shows, and the files of open pages."""

    def spared() -> Iterator[Path]:
        yield backend.sessions.root
        for block in list(demo.blocks.values()):
            yield from map(Path, block.keep_in_cache)

    more: list[Callable[[], object]] = [
        backend.saved_results.remove_old,
        lambda: backend.uploaded.remove_old(backend.sessions.is_working),
    ]
    if backend.loader.policy.max_gb is not None:  # at home the Hub's cache is its owner's
        more.append(lambda: prune_cache(CACHE_GB))
    return Cleanup(Path(get_upload_folder()), kept_s=KEPT_S, spared=spared, more=more)


def on_a_space() -> bool:
    """Whether this is a Space."""
    return os.environ.get("SYSTEM") == "spaces" or bool(os.environ.get("SPACE_ID"))


def is_private(host: str | None) -> bool:
    """Whether only whoever sits at this machine can open the page; a Space and an open port are public."""
    if on_a_space():
        return False
    name = host or os.environ.get("GRADIO_SERVER_NAME") or "127.0.0.1"
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
