"""Values as updates of components; what is empty is hidden."""

from typing import Any

import gradio as gr


def html_update(value: str) -> Any:
    """HTML, shown if there is any."""
    return gr.update(value=value, visible=bool(value))


def file_update(path: str | None) -> Any:
    """A file for download, shown if there is one."""
    return gr.update(value=path, visible=path is not None)
