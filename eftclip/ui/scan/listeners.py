"""What happens in step 3: a data set is chosen and scanned."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import gradio as gr
from gradio.utils import get_upload_folder

from eftclip.errors import EftclipError
from eftclip.ui.backend import Backend
from eftclip.ui.checkpoint import request as checkpoint_request
from eftclip.ui.checkpoint.layout import CheckpointStep
from eftclip.ui.components import html
from eftclip.ui.components.events import LIGHT, PRIVATE, SILENT
from eftclip.ui.components.long_work import LongWork, add_long_work_listeners
from eftclip.ui.components.triggers import NO_TRIGGER
from eftclip.ui.components.updates import file_update, html_update
from eftclip.ui.rectify.layout import RectifyStep
from eftclip.ui.scan import data_set, texts, view
from eftclip.ui.scan.layout import START, ScanResults, ScanStep
from eftclip.ui.scan.request import ScanRequest, data_source, scan_plan
from eftclip.ui.scan.view import ScanView
from eftclip.ui.serving.error_messages import error_message
from eftclip.ui.serving.sessions import SCAN

# The triggers that `multi` was taught, for `multi` and for no other. In the browser, as the server may be busy loading
# that very checkpoint while the visitor goes on.
OWN_TRIGGERS = (
    f"(kind, trigger) => kind === 'multi' && trigger !== '{NO_TRIGGER}' ? '{texts.IN_TURNS}'"
    f" : kind !== 'multi' && trigger === '{texts.IN_TURNS}' ? 'badnets' : trigger"
)


def updates(shown: ScanView) -> list[Any]:
    """A finished scan as updates in the order of `ScanResults.outputs`."""
    return [
        gr.update(value=shown.banner, visible=True),
        gr.update(visible=shown.document is not None),
        html_update(shown.families),
        html_update(shown.victims),
        gr.update(value=list(shown.pictures), visible=bool(shown.pictures)),
        html_update(shown.coverage),
        gr.update(visible=bool(shown.items)),
        shown.curated,
        list(shown.items),
        file_update(shown.archive),
        file_update(shown.document),
    ]


def add_scan_listeners(
    backend: Backend,
    checkpoint: CheckpointStep,
    scan: ScanStep,
    results: ScanResults,
    rectify: RectifyStep,
    *,
    folders: bool,
) -> Any:
    """Step 3: fields appear when they are needed; the button, its progress, and the way to stop it.

    Returns:
        the event of a scan that has ended, for what should follow.
    """
    form = [*checkpoint.form, *scan.sources.values(), *scan.settings.values()]

    def fields(kind: str) -> list[Any]:
        return [gr.update(visible=kind == name) for name in scan.groups]

    def run(request: gr.Request, *values: Any) -> Iterator[list[Any]]:
        try:
            wanted = read_form(folders, checkpoint, scan, values)
        except EftclipError as error:
            yield updates(view.refused(str(error)))
            return
        yield from live_updates(backend, wanted, str(request.session_hash), len(results.outputs))

    scan.kind.change(fields, scan.kind, list(scan.groups.values()), **SILENT)
    _add_recognition(backend, scan, folders=folders)
    trigger = scan.sources["trigger"]
    checkpoint.kind.change(None, [checkpoint.kind, trigger], trigger, js=OWN_TRIGGERS, **PRIVATE)
    work = LongWork(
        kinds=(SCAN,),
        start=scan.start,
        stop=scan.stop,
        waiting=(rectify.start,),
        banner=results.banner,
        first_banner=view.running(None),
        label=START,
        busy_label="Scanning …",
        failed=texts.failed,
        hidden=(results.results,),
    )
    return add_long_work_listeners(backend.sessions, work, run, form, results.outputs)


def _add_recognition(backend: Backend, scan: ScanStep, *, folders: bool) -> None:
    """Before a scan starts: what files, a folder or a data set were recognised as, or why they cannot be read."""

    def recognise(*values: Any) -> Any:
        given = dict(zip(scan.sources, values, strict=True))
        named = {"upload": "files", "hub": "hub", "folder": "folder"}.get(str(given["kind"]), "")
        if not named or not given[named]:
            return html_update("")
        try:
            source = data_source(given, uploads=Path(get_upload_folder()), folders=folders)
            return html_update(html.sentences(data_set.recognised(source, backend.scans.token)))
        except Exception as error:
            return html_update(html.note(error_message(error), wrong=True))

    files, hub, folder = (cast(Any, scan.sources[name]) for name in ("files", "hub", "folder"))
    gr.on(
        [scan.kind.change, files.change, hub.submit, hub.blur, folder.submit, folder.blur],
        recognise,
        list(scan.sources.values()),
        scan.recognised,
        **LIGHT,
        **PRIVATE,
    )


def read_form(folders: bool, checkpoint: CheckpointStep, scan: ScanStep, values: Sequence[Any]) -> ScanRequest:
    """What a scan is asked for: the values of step 1, of the sources and of the settings, one behind the other.

    Raises:
        EftclipError: one of them cannot be used.
    """
    first, second = len(checkpoint.form), len(checkpoint.form) + len(scan.sources)
    given = dict(zip(scan.sources, values[first:second], strict=True))
    return ScanRequest(
        checkpoint_request.read_form(folders, tuple(values[:first])),
        data_source(given, uploads=Path(get_upload_folder()), folders=folders),
        scan_plan(dict(zip(scan.settings, values[second:], strict=True))),
    )


def live_updates(backend: Backend, wanted: ScanRequest, session_id: str, count: int) -> Iterator[list[Any]]:
    """A scan as it goes and as it ends, as updates in the order of `ScanResults.outputs`."""
    for item in backend.scans.run(wanted, session_id):
        if isinstance(item, ScanView):
            yield updates(item)
        else:
            yield [gr.update(value=view.running(item), visible=True), *[gr.skip()] * (count - 1)]
