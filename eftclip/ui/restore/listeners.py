"""When somebody comes back: the last results are shown again, and can be forgotten."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from eftclip.ui.backend import Desk
from eftclip.ui.check.listeners import LIGHT, PRIVATE
from eftclip.ui.rectify import html as run_markup
from eftclip.ui.restore.saved_results import Back
from eftclip.ui.scan.layout import RectifyResults, ScanResults
from eftclip.ui.scan.listeners import rectify_on_page, scan_on_page
from eftclip.ui.scan.texts import came_back

# The browser remembers only a key that nobody can guess. Name and secret must outlive the server; the secret hides
# nothing, Gradio sends it to every browser.
REMEMBERED = "eftclip-ticket"


@dataclass(frozen=True, eq=False)
class BackRow:
    """The line that greets whoever comes back."""

    ticket: gr.BrowserState
    row: gr.Row
    told: gr.HTML
    forget: gr.Button


def back_row() -> BackRow:
    """Unseen until somebody comes back."""
    ticket = gr.BrowserState(None, storage_key=REMEMBERED, secret=REMEMBERED)
    with gr.Row(visible=False, elem_id="back", elem_classes="eft-back") as row:
        told = gr.HTML()
        forget = gr.Button("Forget it", size="sm", scale=0, min_width=110, elem_id="forget")
    return BackRow(ticket, row, told, forget)


def wire_return(desk: Desk, demo: gr.Blocks, back: BackRow, scanned: ScanResults, rectified: RectifyResults) -> Any:
    """What is shown again when the page is opened, and the button that forgets it.

    Returns:
        the event of a page that was opened, for what should follow.
    """

    def come_back(request: gr.Request, known: Any) -> list[Any]:
        found = desk.returns.arrive(str(request.session_hash), known)
        here = found.scan is not None or found.rectify is not None
        greeting = run_markup.basis(came_back(found.age_s)) if here else ""
        return [found.ticket, gr.update(visible=here), greeting, *_on_page(found, scanned, rectified)]

    def forgotten(request: gr.Request) -> list[Any]:
        desk.returns.forget(str(request.session_hash))
        return [gr.update(visible=False)] * (1 + len(cleared))

    cleared = [scanned.banner, scanned.results, rectified.banner, rectified.curve, rectified.results]
    back.forget.click(forgotten, None, [back.row, *cleared], **LIGHT, **PRIVATE)
    outputs = [back.ticket, back.row, back.told, *scanned.outputs, *rectified.outputs]
    return demo.load(come_back, back.ticket, outputs, **LIGHT, **PRIVATE)


def _on_page(found: Back, scanned: ScanResults, rectified: RectifyResults) -> list[Any]:
    """What is shown again, as updates; what is not there stays as it is."""
    scan = scan_on_page(found.scan) if found.scan else [gr.skip()] * len(scanned.outputs)
    return [*scan, *(rectify_on_page(found.rectify) if found.rectify else [gr.skip()] * len(rectified.outputs))]
