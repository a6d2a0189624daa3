"""What happens in step 1: fields appear when they are needed, a checkpoint is looked at or loaded."""

from typing import Any

import gradio as gr

from eftclip.errors import EftclipError
from eftclip.runtime import OnProgress, Progress
from eftclip.ui.backend import Backend
from eftclip.ui.checkpoint.layout import CheckpointStep
from eftclip.ui.checkpoint.request import BUNDLED, FIRST_CHECKPOINT, read_form
from eftclip.ui.components import html
from eftclip.ui.components.events import LIGHT, LOADS, PRIVATE

PROGRESS = gr.Progress()  # Gradio puts the running one in its place, by position: before *values


def add_checkpoint_listeners(backend: Backend, step: CheckpointStep, *, folders: bool) -> None:
    """Step 1: fields appear when they are needed; a bundled checkpoint loads on a click."""

    def fields(kind: str) -> list[Any]:
        shown = [gr.update(visible=kind == "hub"), gr.update(visible=kind == "folder")]
        named = gr.update(visible=kind in ("hub", "folder"))
        return [*shown, gr.update(visible=kind == "hub"), named, named]

    def describe(progress: gr.Progress = PROGRESS, *form: Any) -> str:
        try:
            return backend.checkpoints.provenance(read_form(folders, form), _reporter(progress))
        except EftclipError as error:
            return html.note(str(error), wrong=True)

    def look(*form: Any) -> str:
        try:
            return backend.checkpoints.inspect(read_form(folders, form))
        except EftclipError as error:
            return html.note(str(error), wrong=True)

    def describe_bundled(progress: gr.Progress = PROGRESS, *form: Any) -> str:
        if form[0] not in BUNDLED:
            return html.note("Name it, then press Load; or go straight to the check.")
        return describe(progress, *form)

    step.kind.change(
        fields, step.kind, [step.hub, step.folder, step.known, step.look, step.load], queue=False, **PRIVATE
    )
    step.kind.change(describe_bundled, step.form, step.facts, **LOADS, **PRIVATE)
    gr.on([step.load.click, step.hub.submit, step.folder.submit], describe, step.form, step.facts, **LOADS, **PRIVATE)
    step.known.input(None, step.known, step.hub, js="name => name", **PRIVATE)
    step.look.click(look, step.form, step.facts, **LIGHT, **PRIVATE)
    step.vocabulary.change(lambda value: gr.update(visible=value == "own"), step.vocabulary, step.labels, **PRIVATE)


def show_first_checkpoint(backend: Backend, demo: gr.Blocks, step: CheckpointStep) -> None:
    """When the page is opened, a checkpoint is being loaded already."""
    # Not among the heavy ones: it only waits for the checkpoint that is being loaded anyway.
    waiting = {"concurrency_limit": None, "show_progress": "hidden", **PRIVATE}
    demo.load(lambda: backend.checkpoints.provenance(FIRST_CHECKPOINT), None, step.facts, **waiting)


def _reporter(progress: gr.Progress) -> OnProgress:
    def report(step: Progress) -> None:
        progress((step.done, step.total), desc=step.stage)

    return report
