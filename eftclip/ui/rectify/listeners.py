"""What happens in step 4: what it would work with is said, and the checkpoint is rectified."""

from collections.abc import Iterator, Sequence
from typing import Any, cast

import gradio as gr

from eftclip.errors import EftclipError
from eftclip.ui.backend import Backend
from eftclip.ui.checkpoint.layout import CheckpointStep
from eftclip.ui.checkpoint.request import read_form
from eftclip.ui.components import html
from eftclip.ui.components.events import LIGHT, PRIVATE
from eftclip.ui.components.long_work import LongWork, add_long_work_listeners
from eftclip.ui.components.updates import file_update, html_update
from eftclip.ui.rectify import texts, view
from eftclip.ui.rectify.layout import START, RectifyResults, RectifyStep
from eftclip.ui.rectify.request import RectifyRequest, plan
from eftclip.ui.rectify.view import RectifyProgress, RectifyView
from eftclip.ui.scan.layout import ScanStep
from eftclip.ui.serving.sessions import RECTIFY


def updates(shown: RectifyView) -> list[Any]:
    """A finished rectification as updates in the order of `RectifyResults.outputs`."""
    return [
        gr.update(value=shown.banner, visible=True),
        html_update(shown.curve),
        gr.update(visible=shown.document is not None),
        html_update(shown.families),
        html_update(shown.measures),
        gr.update(visible=bool(shown.reread_victims)),
        list(shown.reread_victims),
        html_update(shown.weights),
        html_update(shown.details),
        file_update(shown.checkpoint),
        file_update(shown.document),
    ]


def add_rectify_listeners(
    backend: Backend,
    checkpoint: CheckpointStep,
    scan: ScanStep,
    rectify: RectifyStep,
    results: RectifyResults,
    *,
    folders: bool,
) -> None:
    """Step 4: what it works with is said before the button is pressed."""
    settings = scan.settings | rectify.settings
    first = len(checkpoint.form)

    def run(request: gr.Request, *values: Any) -> Iterator[list[Any]]:
        session_id = str(request.session_hash)
        try:
            stages = plan(dict(zip(settings, values[first:], strict=True)))
            wanted = RectifyRequest(read_form(folders, values[:first]), stages)
        except EftclipError as error:
            yield updates(view.refused(str(error)))
            return
        yield from live_updates(backend, wanted, session_id, len(results.outputs))

    work = LongWork(
        kinds=(RECTIFY,),
        start=rectify.start,
        stop=rectify.stop,
        waiting=(scan.start,),
        banner=results.banner,
        first_banner=view.running(None, "", 1)[0],
        label=START,
        busy_label="Rectifying …",
        failed=texts.failed,
        hidden=(results.results, results.curve),
    )
    add_method_listener(rectify)
    form = [*checkpoint.form, *settings.values()]
    add_long_work_listeners(backend.sessions, work, run, form, results.outputs)


def add_method_listener(rectify: RectifyStep) -> None:
    """Another method brings its own steps, batch, learning rate and numbers along."""
    rectify.settings["method"].input(  # type: ignore[attr-defined]
        texts.brought_along,
        rectify.settings["method"],
        [rectify.settings[name] for name in texts.BROUGHT_ALONG],
        **LIGHT,
        **PRIVATE,
    )


def live_updates(backend: Backend, wanted: RectifyRequest, session_id: str, count: int) -> Iterator[list[Any]]:
    """A rectification as it goes and as it ends, as updates in the order of `RectifyResults.outputs`."""
    text = backend.rectifications.basis(wanted.checkpoint, session_id)
    for item in backend.rectifications.run(wanted, session_id):
        if isinstance(item, RectifyView):
            yield updates(item)
        else:
            yield _running(item, text, wanted.plan.rectify.steps, count)


def add_basis_listeners(
    backend: Backend, checkpoint: CheckpointStep, events: Sequence[Any], rectify: RectifyStep, *, folders: bool
) -> None:
    """The line that says what a rectification would work with follows every change in step 1, and every scan.

    Args:
        backend: behind the page.
        checkpoint: step 1.
        events: after which it may be another one.
        rectify: step 4.
        folders: folders of this machine may be named.
    """

    def basis(request: gr.Request, *form: Any) -> str:
        try:
            return html.basis_note(backend.rectifications.basis(read_form(folders, form), str(request.session_hash)))
        except EftclipError:  # step 1 says what is wrong as soon as it is used
            return html.basis_note(texts.BY_ITSELF.format(texts.NO_SCAN))

    changes = [cast(Any, component).change for component in checkpoint.form]
    told: dict[str, Any] = {"fn": basis, "inputs": checkpoint.form, "outputs": rectify.basis, **LIGHT, **PRIVATE}
    gr.on(changes, trigger_mode="always_last", **told)
    for event in events:
        event.then(**told)


def _running(progress: RectifyProgress, text: str, last: int, count: int) -> list[Any]:
    """How far a rectification is, as updates in the order of `RectifyResults.outputs`."""
    banner, curve = view.running(progress, text, last)
    return [banner, gr.update(value=curve, visible=bool(curve)), *[gr.skip()] * (count - 2)]
