"""When somebody comes back: the last results are shown again, and can be forgotten."""

from typing import Any

import gradio as gr

from eftclip.ui.backend import Backend
from eftclip.ui.components import html
from eftclip.ui.components.events import LIGHT, PRIVATE
from eftclip.ui.rectify import listeners as rectify_listeners
from eftclip.ui.rectify.layout import RectifyResults
from eftclip.ui.restore.layout import RestoreRow
from eftclip.ui.restore.saved_results import RestoredResults
from eftclip.ui.restore.texts import welcome_back
from eftclip.ui.scan import listeners as scan_listeners
from eftclip.ui.scan.layout import ScanResults


def add_restore_listeners(
    backend: Backend, demo: gr.Blocks, row: RestoreRow, scanned: ScanResults, rectified: RectifyResults
) -> Any:
    """What is shown again when the page is opened, and the button that forgets it.

    Returns:
        the event of a page that was opened, for what should follow.
    """

    def restore(request: gr.Request, known: Any) -> list[Any]:
        found = backend.saved_results.restore(str(request.session_hash), known)
        here = found.scan is not None or found.rectify is not None
        greeting = html.basis_note(welcome_back(found.age_s)) if here else ""
        return [found.access_key, gr.update(visible=here), greeting, *_updates(found, scanned, rectified)]

    def forget(request: gr.Request) -> list[Any]:
        backend.saved_results.forget(str(request.session_hash))
        return [gr.update(visible=False)] * (1 + len(cleared))

    cleared = [scanned.banner, scanned.results, rectified.banner, rectified.curve, rectified.results]
    row.forget.click(forget, None, [row.row, *cleared], **LIGHT, **PRIVATE)
    outputs = [row.access_key, row.row, row.told, *scanned.outputs, *rectified.outputs]
    return demo.load(restore, row.access_key, outputs, **LIGHT, **PRIVATE)


def _updates(found: RestoredResults, scanned: ScanResults, rectified: RectifyResults) -> list[Any]:
    """What is shown again, as updates; what is not there stays as it is."""
    scan = scan_listeners.updates(found.scan) if found.scan else [gr.skip()] * len(scanned.outputs)
    return [
        *scan,
        *(rectify_listeners.updates(found.rectify) if found.rectify else [gr.skip()] * len(rectified.outputs)),
    ]
