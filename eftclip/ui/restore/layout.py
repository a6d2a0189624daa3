"""The line that greets whoever comes back."""

from dataclasses import dataclass

import gradio as gr

# The browser remembers only a key that nobody can guess. Name and secret must outlive the server; the secret hides
# nothing, Gradio sends it to every browser.
STORAGE_KEY = "eftclip-ticket"


@dataclass(frozen=True, eq=False)
class RestoreRow:
    """The line that greets whoever comes back."""

    access_key: gr.BrowserState
    row: gr.Row
    told: gr.HTML
    forget: gr.Button


def restore_row() -> RestoreRow:
    """Unseen until somebody comes back."""
    access_key = gr.BrowserState(None, storage_key=STORAGE_KEY, secret=STORAGE_KEY)
    with gr.Row(visible=False, elem_id="back", elem_classes="eft-back") as row:
        told = gr.HTML()
        forget = gr.Button("Forget it", size="sm", scale=0, min_width=110, elem_id="forget")
    return RestoreRow(access_key, row, told, forget)
