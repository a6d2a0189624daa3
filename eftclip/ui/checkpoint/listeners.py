"""What happens in step 1: fields appear when they are needed, a checkpoint is looked at or loaded."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from eftclip.errors import EftclipError
from eftclip.runtime import OnProgress, Progress
from eftclip.ui.backend import Backend
from eftclip.ui.checkpoint.hub_search import PAUSE_S
from eftclip.ui.checkpoint.layout import CheckpointStep, ShownKind
from eftclip.ui.checkpoint.request import BUNDLED, FIRST_CHECKPOINT, read_form
from eftclip.ui.components import html
from eftclip.ui.components.events import LIGHT, LOADS, PRIVATE, SILENT

PROGRESS = gr.Progress()  # Gradio puts the running one in its place, by position: before *values
NAMED = ("hub", "upload", "folder")
CHOOSE = {
    "hub": "Name it, then press Load; or go straight to the check.",
    "folder": "Name it, then press Load; or go straight to the check.",
    "upload": "Choose its files; what they are recognised as is told here.",
}


def add_checkpoint_listeners(backend: Backend, step: CheckpointStep, *, folders: bool) -> gr.events.Dependency:
    """Step 1: fields appear when they are needed; a bundled checkpoint loads on a click.

    Returns:
        what happens when one was loaded by hand.
    """

    def fields(kind: str, shown_kind: ShownKind) -> list[Any]:
        shown_kind.kind = kind
        named, hub, upload = kind in NAMED, kind == "hub", kind == "upload"
        shown = [hub, hub, kind == "folder", upload, named, hub, named, named]
        # At once, not behind a checkpoint that is being loaded: it would replace what a quick visitor was told by then.
        told = gr.skip() if kind in BUNDLED or upload else html.note(CHOOSE.get(kind, CHOOSE["hub"]))
        return [*(gr.update(visible=one) for one in shown), told]

    def describe(progress: gr.Progress = PROGRESS, *values: Any) -> Any:
        form, shown_kind = values[:-1], values[-1]
        told = _or_why(lambda: backend.checkpoints.provenance(read_form(folders, form), _reporter(progress)))
        return _unless_late(told, form, shown_kind)

    def look(*form: Any) -> str:
        return _or_why(lambda: backend.checkpoints.inspect(read_form(folders, form)))

    def look_at_named(*values: Any) -> Any:
        form, shown_kind = values[:-1], values[-1]
        return _unless_late(look(*form), form, shown_kind)

    def describe_bundled(progress: gr.Progress = PROGRESS, *values: Any) -> Any:
        kind, upload = values[0], values[3]
        if kind == "upload":
            return html.note(CHOOSE["upload"]) if upload is None else look_at_named(*values)
        return describe(progress, *values) if kind in BUNDLED else gr.skip()

    source: list[gr.blocks.Block] = [step.hub, step.found_group, step.folder, step.bring, step.alone]
    shown = [*source, step.known, step.look, step.load, step.facts]
    asked = [*step.form, step.shown_kind]
    step.kind.change(fields, [step.kind, step.shown_kind], shown, queue=False, **PRIVATE)
    step.kind.change(describe_bundled, asked, step.facts, **LOADS, **PRIVATE)
    by_hand = [step.load.click, step.hub.submit, step.folder.submit]
    loaded = gr.on(by_hand, describe, asked, step.facts, **LOADS, **PRIVATE, trigger_mode="always_last")
    step.kind.change(None, cancels=[loaded], **PRIVATE)  # or its progress would lie over what is told of the next one
    step.known.input(None, step.known, step.hub, js="name => name", **PRIVATE)
    step.look.click(look_at_named, asked, step.facts, **LIGHT, **PRIVATE)
    step.vocabulary.change(lambda value: gr.update(visible=value == "own"), step.vocabulary, step.labels, **PRIVATE)
    _add_upload_listeners(backend, step, look)
    _add_search_listeners(backend, step)
    return loaded


def _add_upload_listeners(backend: Backend, step: CheckpointStep, look: Callable[..., str]) -> None:
    """Files come, and are looked at; files go."""

    def receive(request: gr.Request, files: Any, *values: Any) -> list[Any]:
        form, shown_kind = values[:-1], values[-1]
        try:
            upload = backend.uploaded.receive(str(request.session_hash), files)
        except EftclipError as error:
            return [None, html.note(str(error), wrong=True)]
        return [upload, _unless_late(look(*form[:3], upload, *form[4:]), form, shown_kind)]

    def forget(request: gr.Request) -> list[Any]:
        backend.uploaded.drop(str(request.session_hash))
        return [None, html.note(CHOOSE["upload"])]

    shown = [step.upload, step.facts]
    gr.on(
        [step.files.upload, step.files.delete],
        receive,
        [step.files, *step.form, step.shown_kind],
        shown,
        concurrency_limit=2,
        show_progress_on=step.facts,
        **PRIVATE,
    )
    step.files.clear(forget, None, shown, **SILENT)
    # What is looked at depends on these two, and nobody would press a button for them.
    gr.on(
        [step.architecture.input, step.pickle.input],
        lambda *form: look(*form) if form[0] == "upload" and form[3] is not None else gr.skip(),
        step.form,
        step.facts,
        **LIGHT,
        **PRIVATE,
    )


def _add_search_listeners(backend: Backend, step: CheckpointStep) -> None:
    """Suggestions under the Hub's field; the field itself is only written to when one of them is picked."""

    def suggest(typed: str, picked: str | None) -> Any:
        if typed == picked:
            return gr.skip()
        time.sleep(PAUSE_S)  # meanwhile further letters are held back by the browser, and only the last text is sent
        found = backend.hub.suggestions(typed)
        return gr.update(choices=list(found), value=None, visible=bool(found) and found != (typed,))

    # By way of `always_last` a browser has one question under way, and then asks for what stands in the field by then.
    # Not `input`: Gradio keeps back the first one after a suggestion was put into the field.
    step.hub.change(suggest, [step.hub, step.found], step.found, trigger_mode="always_last", **SILENT)
    step.found.input(None, step.found, step.hub, js="name => name", **PRIVATE)


def show_first_checkpoint(backend: Backend, demo: gr.Blocks, step: CheckpointStep) -> None:
    """When the page is opened, a checkpoint is being loaded already."""
    # Not among the heavy ones: it only waits for the checkpoint that is being loaded anyway.
    waiting = {"concurrency_limit": None, "show_progress": "hidden", **PRIVATE}

    def describe_first(shown_kind: ShownKind) -> Any:
        return _unless_late(backend.checkpoints.provenance(FIRST_CHECKPOINT), (FIRST_CHECKPOINT.source,), shown_kind)

    first = demo.load(describe_first, step.shown_kind, step.facts, **waiting)
    gr.on([step.kind.change, step.look.click, step.load.click], None, cancels=[first], **PRIVATE)  # no longer asked


def _unless_late(told: str, form: Sequence[Any], shown_kind: ShownKind) -> Any:
    """What is told of the kind that was asked about, unless another one is shown by now.

    Gradio gives up what was asked before (`cancels`), but only once the browser was told its number.
    """
    return told if form[0] == shown_kind.kind else gr.skip()


def _or_why(work: Callable[[], str]) -> str:
    """HTML, or why there is none."""
    try:
        return work()
    except EftclipError as error:
        return html.note(str(error), wrong=True)


def _reporter(progress: gr.Progress) -> OnProgress:
    def report(step: Progress) -> None:
        progress((step.done, step.total), desc=step.stage)

    return report
