"""The page put together and served."""

import ipaddress
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder
from starlette.middleware import Middleware

from eftclip.checkpoint import prune_cache
from eftclip.publish import bound_requests
from eftclip.runtime import keep_buffers
from eftclip.ui.api.end_points import add_end_points
from eftclip.ui.backend import Desk
from eftclip.ui.check import layout
from eftclip.ui.check import listeners as wiring
from eftclip.ui.components import html as markup
from eftclip.ui.publish import layout as publish_layout
from eftclip.ui.publish import listeners as publish_wiring
from eftclip.ui.restore import listeners as return_wiring
from eftclip.ui.scan import layout as run_layout
from eftclip.ui.scan import listeners as run_wiring
from eftclip.ui.serving.cleanup import Sweeper
from eftclip.ui.serving.request_guard import Guard
from eftclip.ui.serving.sessions import KEPT_S
from eftclip.ui.theme import CSS, theme

TITLE = "EftCLIP: can you trust this CLIP checkpoint?"
SPACE_DISK = Path("/data")
QUEUE = 20  # who waits before it is even his turn to wait in one of our own lines
CACHE_GB = 20.0  # of checkpoints that visitors had downloaded; a Space has 50 GB of disk
SESSIONS = 300  # of which Gradio keeps some 0.3 MB each, for ever if it may; whoever comes later loses little
THREADS = 160  # everybody who waits in a line of ours holds one
MAX_UPLOAD = "20mb"


def build_demo(*, folders: bool = False) -> gr.Blocks:
    """The page with all its listeners; nothing is loaded until somebody opens it or `launch` warms it up.

    Args:
        folders: visitors may name folders of this machine; only for a page that nobody else can reach.
    """
    return _build(_desk(folders), folders)


def launch(host: str | None = None, port: int | None = None, **options: Any) -> None:
    """Serve the page until it is stopped.

    Args:
        host: address to listen on; Gradio's default (`GRADIO_SERVER_NAME` or 127.0.0.1) when left out.
        port: TCP port; Gradio's default when left out.
        options: more of `gr.Blocks.launch`, e.g. `prevent_thread_lock`.
    """
    keep_buffers()
    bound_requests()
    private = is_private(host)
    desk = _desk(private)
    demo = _build(desk, folders=private)
    desk.warm()
    _sweeper(desk, demo).start(KEPT_S / 4)
    demo.launch(server_name=host, server_port=port, **launch_options(private=private), **options)


def launch_options(*, private: bool = False) -> dict[str, Any]:
    """How the page is served: nothing leaves the machine, and of a visitor the browser keeps only a random key.

    Args:
        private: only whoever sits at this machine can open the page.
    """
    guard = Middleware(Guard, uploads=Path(get_upload_folder()), private=private)
    return {
        "app_kwargs": {"middleware": [guard]},
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


def _desk(private: bool) -> Desk:
    """Files for download go into Gradio's own folder: it serves them there, without a copy that outlives the page."""
    return Desk(Path(get_upload_folder()), results_home(), private=private)


def results_home() -> Path:
    """Where finished results outlive the process: on a Space its disk, if it has one."""
    if named := os.environ.get("EFTCLIP_RESULTS"):
        return Path(named)
    if on_a_space() and SPACE_DISK.is_dir() and os.access(SPACE_DISK, os.W_OK):
        return SPACE_DISK / "eftclip-results"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "eftclip" / "results"


def _sweeper(desk: Desk, demo: gr.Blocks) -> Sweeper:
    """Takes away what is older than an hour, except what the page itself shows, and the files of open pages."""

    def spared() -> Iterator[Path]:
        yield desk.visits.home
        for block in list(demo.blocks.values()):
            yield from map(Path, block.keep_in_cache)

    more: list[Callable[[], object]] = [desk.returns.sweep]
    if desk.loader.terms.max_gb is not None:  # at home the Hub's cache is its owner's
        more.append(lambda: prune_cache(CACHE_GB))
    return Sweeper(Path(get_upload_folder()), kept_s=KEPT_S, spared=spared, more=more)


def _build(desk: Desk, folders: bool) -> gr.Blocks:
    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=(KEPT_S // 4, KEPT_S)) as demo:
        choice = gr.State(None, time_to_live=KEPT_S)
        gr.HTML(markup.HEADLINE)
        back = return_wiring.back_row()
        with gr.Row(elem_classes="eft-steps"):
            with gr.Column(scale=4, min_width=300, elem_classes="eft-card"):
                checkpoint = layout.checkpoint_step(folders=folders)
            with gr.Column(scale=8, min_width=300, elem_classes="eft-card"):
                image = layout.image_step()
        verdict = layout.verdict_part()
        with gr.Column(elem_classes="eft-card", elem_id="scan-step"):
            scan, scanned = run_layout.scan_step(folders=folders), run_layout.scan_results()
        with gr.Column(elem_classes="eft-card", elem_id="rectify-step"):
            rectify, rectified = run_layout.rectify_step(), run_layout.rectify_results()
        with gr.Column(elem_classes="eft-card", elem_id="publish-step"):
            publish = publish_layout.publish_step()
        gr.HTML(markup.FOOT)
        # First what is quick: a browser handles the listeners of one event in their order, each one to its end, and one
        # of step 1 loads a checkpoint.
        ended = run_wiring.wire_scan(desk, checkpoint, scan, scanned, rectify, folders=folders)
        run_wiring.wire_rectify(desk, checkpoint, scan, rectify, rectified, folders=folders)
        parts = publish_wiring.Parts(checkpoint, scan, scanned, rectify, rectified, publish)
        publish_wiring.wire_publish(desk, demo, parts, folders=folders)
        opened = return_wiring.wire_return(desk, demo, back, scanned, rectified)
        run_wiring.wire_basis(desk, checkpoint, (opened, ended), rectify, folders=folders)
        wiring.wire_checkpoint(desk, checkpoint, folders=folders)
        wiring.wire_image(image, choice)
        wiring.wire_check(desk, checkpoint, image, verdict, choice, folders=folders)
        wiring.wire_page(desk, demo, checkpoint, image, choice)
        add_end_points(desk, folders=folders)
    return demo.queue(max_size=QUEUE, default_concurrency_limit=2, api_open=False)  # nobody goes round a line


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
