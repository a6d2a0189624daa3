"""What happens in step 2: a photograph is chosen, a trigger planted, and the picture checked."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from eftclip.errors import EftclipError
from eftclip.preprocess import Preprocess
from eftclip.triggers import TRIGGERS, PatchSpec, WholePictureSpec
from eftclip.ui.backend import Backend
from eftclip.ui.check import photographs, texts, view
from eftclip.ui.check.layout import CheckResults, CheckStep
from eftclip.ui.checkpoint.layout import CheckpointStep
from eftclip.ui.checkpoint.request import read_form
from eftclip.ui.components import html
from eftclip.ui.components.banner import banner
from eftclip.ui.components.events import BUSY, CHECKS, PLANTS, PRIVATE
from eftclip.ui.components.triggers import NO_TRIGGER, TRIGGER_NAMES
from eftclip.ui.serving import files
from eftclip.ui.serving.sessions import CHECK

FIRST_PHOTOGRAPH = 0
NOTHING = photographs.Planting(NO_TRIGGER, "centre", 16, 0)
NO_PHOTOGRAPH = "No photograph is chosen: click one of the photographs, or bring your own."
SCROLL = "() => document.querySelector('#verdict').scrollIntoView({behavior: 'smooth', block: 'nearest'})"


def updates(backend: Backend, session_id: str, shown: view.CheckView) -> list[Any]:
    """A finished check as updates in the order of `CheckResults.outputs`."""
    path = None
    if shown.document and backend.sessions.is_open(
        session_id
    ):  # a page that was closed meanwhile does not come back to life
        path = files.write_document(backend.sessions.folder(session_id, CHECK), CHECK, shown.document)
    return [
        shown.banner,
        gr.update(visible=shown.picture is not None),
        gr.update(value=shown.picture, label="The trigger" if shown.pair else "The photograph"),
        gr.update(value=shown.pair, visible=shown.pair is not None),
        gr.update(value=shown.readings, visible=shown.pair is None),
        gr.update(value=shown.readings, visible=shown.pair is not None),
        gr.update(visible=bool(shown.strangers)),
        list(shown.strangers),
        shown.numbers,
        gr.update(value=shown.difference, visible=bool(shown.difference)),
        gr.update(value=path, visible=path is not None),
    ]


def add_photograph_listeners(
    backend: Backend,
    checkpoint: CheckpointStep,
    step: CheckStep,
    choice: gr.State,
    loaded: gr.events.Dependency,
    *,
    folders: bool,
) -> None:
    """Step 2: choosing and planting; the picture on the page is exactly what will be checked.

    It is planted in the pixels of the checkpoint, as far as one is loaded, and again once one was `loaded` by hand.
    """

    def planted(chosen: photographs.Choice | None, values: tuple[Any, ...]) -> list[Any]:
        planting, form = values[: len(step.planting)], values[len(step.planting) :]
        return _planted(chosen, planting, _square(backend, folders, form))

    def choose(event: gr.SelectData, *values: Any) -> list[Any]:
        chosen = photographs.bundled_choice(event.index)
        return [chosen, *planted(chosen, values)]

    def bring(path: str | None, old: photographs.Choice | None, *values: Any) -> list[Any]:
        try:
            new = photographs.own_choice(path or "")
        except EftclipError as error:
            picture, _ = planted(old, values)
            return [old, picture, html.note(f"{error} {_still(old)}", wrong=True), gr.skip()]
        shown = photographs.picture_of(new, NOTHING) if photographs.needs_conversion(new) else gr.skip()
        return [new, shown, html.note(_says(new, NO_TRIGGER)), NO_TRIGGER]

    def clear() -> list[Any]:
        return [None, html.note(NO_PHOTOGRAPH)]

    def plant(chosen: photographs.Choice | None, *values: Any) -> list[Any]:
        return planted(chosen, values)

    def plant_another(chosen: photographs.Choice | None, trigger: str, place: str, _: Any, *values: Any) -> list[Any]:
        """A patch in its published size; what covers the whole picture has neither a size nor a place."""
        spec = TRIGGERS.get(str(trigger))
        px = spec.patch_px if isinstance(spec, PatchSpec) else 16
        movable = not isinstance(spec, WholePictureSpec)
        picture, note = planted(chosen, (trigger, place, px, *values))
        return [picture, note, gr.update(value=px, interactive=movable), gr.update(interactive=movable)]

    def plant_again(chosen: photographs.Choice | None, trigger: str, *values: Any) -> list[Any]:
        return [gr.skip(), gr.skip()] if trigger == NO_TRIGGER else planted(chosen, (trigger, *values))

    shown, wanted = [step.picture, step.note], [*step.planting, *checkpoint.form]
    step.gallery.select(choose, wanted, [choice, *shown], trigger_mode="always_last", **PLANTS, **PRIVATE)
    # Not `input`: it also fires, with the old picture, when a visitor turns to the camera and the picture goes away.
    step.picture.upload(bring, [step.picture, choice, *wanted], [choice, *shown, step.trigger], **PLANTS, **PRIVATE)
    step.picture.clear(clear, None, [choice, step.note], **PLANTS, **PRIVATE)
    another = [*shown, step.patch_px, step.position]
    step.trigger.input(plant_another, [choice, *wanted], another, trigger_mode="always_last", **PLANTS, **PRIVATE)
    changes = [step.position.input, step.patch_px.change, step.seed.input]
    gr.on(changes, plant, [choice, *wanted], shown, trigger_mode="always_last", **PLANTS, **PRIVATE)
    loaded.then(plant_again, [choice, *wanted], shown, **PLANTS, **PRIVATE)


def add_check_listeners(
    backend: Backend,
    checkpoint: CheckpointStep,
    step: CheckStep,
    results: CheckResults,
    choice: gr.State,
    *,
    folders: bool,
) -> None:
    """The button, its progress, and the way to stop it."""

    def begin(request: gr.Request) -> list[Any]:
        backend.sessions.begin(str(request.session_hash), CHECK)
        busy = gr.update(interactive=False, value="Checking …")
        return [banner("running", texts.RUNNING), gr.update(visible=False), busy, gr.update(visible=True)]

    def wait() -> None:
        """What was asked for before the button is planted by then: it is in the same queue."""

    def judge(request: gr.Request, *values: Any) -> Iterator[list[Any]]:
        session_id, (path, chosen, *form) = str(request.session_hash), values
        try:
            wanted = read_form(folders, tuple(form))
        except EftclipError as error:
            yield updates(backend, session_id, view.refused(str(error)))
            return
        for item in backend.checks.run(wanted, path, chosen.name if chosen else "photograph", session_id):
            if isinstance(item, view.CheckView):
                yield updates(backend, session_id, item)
            else:
                yield [banner("running", texts.RUNNING, item), *[gr.skip()] * (len(results.outputs) - 1)]

    def end(*form: Any) -> list[Any]:
        return [
            _loaded(backend, folders, form),
            gr.update(interactive=True, value="Check this photograph"),
            gr.update(visible=False),
        ]

    def stop(request: gr.Request) -> None:
        backend.sessions.stop(str(request.session_hash), CHECK)

    buttons = [step.check, step.stop]
    started = step.check.click(
        begin, None, [results.banner, results.results, *buttons], queue=False, show_progress="hidden", **PRIVATE
    )
    planted = started.then(wait, **PLANTS, **PRIVATE)
    checked = planted.then(
        judge,
        [step.picture, choice, *checkpoint.form],
        results.outputs,
        **CHECKS,
        **PRIVATE,
    )
    checked.failure(lambda: banner("error", texts.failed(BUSY)), None, results.banner, queue=False, **PRIVATE)
    ended = checked.then(
        end, checkpoint.form, [checkpoint.facts, *buttons], queue=False, show_progress="hidden", **PRIVATE
    )
    ended.then(None, js=SCROLL, **PRIVATE)
    step.stop.click(stop, queue=False, show_progress="hidden", **PRIVATE)


def show_first_photograph(demo: gr.Blocks, step: CheckStep, choice: gr.State) -> None:
    """When the page is opened, a photograph is chosen already."""

    def first(*planting: Any) -> list[Any]:
        chosen = photographs.bundled_choice(FIRST_PHOTOGRAPH)
        return [chosen, *_planted(chosen, planting, None)]

    demo.load(first, step.planting, [choice, step.picture, step.note], **PLANTS, **PRIVATE)


def _loaded(backend: Backend, folders: bool, form: tuple[Any, ...]) -> Any:
    """What is under test after a check: a checkpoint that was named and never loaded by hand is known now."""
    try:
        return backend.checkpoints.provenance_if_loaded(read_form(folders, form)) or gr.skip()
    except EftclipError:
        return gr.skip()


def _square(backend: Backend, folders: bool, form: tuple[Any, ...]) -> Preprocess | None:
    """What the checkpoint under test makes of a picture, where it is loaded."""
    try:
        return backend.checkpoints.preprocess_if_loaded(read_form(folders, form))
    except EftclipError:
        return None


def _planted(chosen: photographs.Choice | None, planting: tuple[Any, ...], preprocess: Preprocess | None) -> list[Any]:
    """The picture to show and the line under it; a trigger is in the model's own pixels where they are known."""
    if chosen is None:
        return [None, html.note(NO_PHOTOGRAPH)]
    try:
        wanted = photographs.planting(*planting)
        square = preprocess or photographs.SQUARE
        return [photographs.picture_of(chosen, wanted, square), html.note(_says(chosen, wanted.trigger, preprocess))]
    except EftclipError as error:
        return [gr.skip(), html.note(str(error), wrong=True)]


def _says(chosen: photographs.Choice, trigger: str, preprocess: Preprocess | None = None) -> str:
    """What exactly will be checked."""
    what = f"Your file “{chosen.name}”" if chosen.own else f"Photograph “{chosen.name}”"
    if trigger == NO_TRIGGER:
        return f"{what}, nothing planted."
    px = (preprocess or photographs.SQUARE).image_px
    return f"{what}, with a {TRIGGER_NAMES.get(trigger, trigger)} planted at {px} × {px} pixels."


def _still(old: photographs.Choice | None) -> str:
    return f"Still chosen: “{old.name}”." if old else NO_PHOTOGRAPH
