"""The page put together and served."""

import ipaddress
import os
from typing import Any

import gradio as gr

from eftclip.ui import layout, markup, wiring
from eftclip.ui.api import add_check_endpoint
from eftclip.ui.handlers import Desk
from eftclip.ui.theme import CSS, theme

TITLE = "EftCLIP: can you trust this CLIP checkpoint?"
KEPT_S = 3600  # uploads and what was made of them
QUEUE = 20
MAX_UPLOAD = "20mb"


def build_demo(*, folders: bool = False) -> gr.Blocks:
    """The page with all its listeners; nothing is loaded until somebody opens it or `launch` warms it up.

    Args:
        folders: visitors may name folders of this machine; only for a page that nobody else can reach.
    """
    return _build(Desk(), folders)


def launch(host: str | None = None, port: int | None = None, **options: Any) -> None:
    """Serve the page until it is stopped.

    Args:
        host: address to listen on; Gradio's default (`GRADIO_SERVER_NAME` or 127.0.0.1) when left out.
        port: TCP port; Gradio's default when left out.
        options: more of `gr.Blocks.launch`, e.g. `prevent_thread_lock`.
    """
    desk = Desk()
    demo = _build(desk, folders=is_private(host))
    desk.warm()
    demo.launch(server_name=host, server_port=port, **launch_options(), **options)


def launch_options() -> dict[str, Any]:
    """How the page is served: nothing leaves the machine, nothing of a visitor is kept in the browser."""
    return {
        "theme": theme(),
        "css_paths": CSS,
        "max_file_size": MAX_UPLOAD,
        "footer_links": ["api"],
        "run_history": False,
        "enable_monitoring": False,
        "ssr_mode": False,
        "show_error": False,
    }


def _build(desk: Desk, folders: bool) -> gr.Blocks:
    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=(KEPT_S // 4, KEPT_S)) as demo:
        choice = gr.State(None, time_to_live=KEPT_S)
        gr.HTML(markup.HEADLINE)
        with gr.Row(elem_classes="eft-steps"):
            with gr.Column(scale=4, min_width=300, elem_classes="eft-card"):
                checkpoint = layout.checkpoint_step(folders=folders)
            with gr.Column(scale=8, min_width=300, elem_classes="eft-card"):
                image = layout.image_step()
        verdict = layout.verdict_part()
        gr.HTML(markup.FOOT)
        wiring.wire_checkpoint(desk, checkpoint, folders=folders)
        wiring.wire_image(image, choice)
        wiring.wire_check(desk, checkpoint, image, verdict, choice, folders=folders)
        wiring.wire_page(desk, demo, checkpoint, image, choice)
        add_check_endpoint(desk, folders=folders)
    return demo.queue(max_size=QUEUE, default_concurrency_limit=2)


def is_private(host: str | None) -> bool:
    """Whether only whoever sits at this machine can open the page; a Space and an open port are public."""
    if os.environ.get("SYSTEM") == "spaces" or os.environ.get("SPACE_ID"):
        return False
    name = host or os.environ.get("GRADIO_SERVER_NAME") or "127.0.0.1"
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
