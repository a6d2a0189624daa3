"""What happens when: every listener of the page, and the one end point for clients."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from eftclip.errors import EftclipError
from eftclip.runtime import OnProgress, Progress
from eftclip.triggers import TRIGGERS
from eftclip.ui.backend import CHECK, FIRST, Desk
from eftclip.ui.check import photographs as photos
from eftclip.ui.check import texts as words
from eftclip.ui.check import view as views
from eftclip.ui.check.layout import CheckpointStep, ImageStep, VerdictPart
from eftclip.ui.checkpoint import request as asks
from eftclip.ui.components import html as markup
from eftclip.ui.serving import files

# The desk itself does one check at a time and loads one checkpoint at a time, and tells who waits how long the line
# is; so Gradio's queue need not hold anybody back, behind which nobody could see his place or stop waiting.
CHECKS: dict[str, Any] = {"concurrency_id": "check", "concurrency_limit": 64, "show_progress": "hidden"}
LOADS: dict[str, Any] = {"concurrency_id": "load", "concurrency_limit": 20}
LIGHT: dict[str, Any] = {"concurrency_limit": 4, "show_progress": "hidden"}
PRIVATE: dict[str, Any] = {"api_visibility": "private"}
PROGRESS = gr.Progress()  # Gradio puts the running one in its place, by position: before *values
FIRST_PHOTOGRAPH = 0
NOTHING = photos.Planting(photos.NO_TRIGGER, "centre", 16, 0)
NO_PHOTOGRAPH = "No photograph is chosen: click one of the photographs, or bring your own."
BUSY = "The server has too much to do just now, or the connection was lost; press the button again."
SCROLL = "() => document.querySelector('#verdict').scrollIntoView({behavior: 'smooth', block: 'nearest'})"


def ask_of(folders: bool, form: tuple[Any, ...]) -> asks.Ask:
    """The values of `CheckpointStep.form` as what the pipeline is asked.

    Raises:
        EftclipError: one of them cannot be used.
    """
    kind, hub, folder, vocabulary, labels, oracle, reference, seed, *settings = form
    sources = {"hub": _hub_source(hub), "folder": folder}
    return asks.ask(
        sources.get(kind, kind),
        labels=_own_labels(labels) if vocabulary == "own" else "",
        oracle=oracle,
        reference=reference,
        settings=dict(zip(words.SETTINGS, settings, strict=True)),
        seed=seed,
        folders=folders,
    )


def on_page(desk: Desk, page: str, shown: views.Shown) -> list[Any]:
    """A finished check as updates in the order of `VerdictPart.outputs`."""
    path = None
    if shown.document and desk.visits.here(page):  # a page that was closed meanwhile does not come back to life
        path = files.write_document(desk.visits.folder(page, CHECK), CHECK, shown.document)
    return [
        shown.banner,
        gr.update(visible=shown.picture is not None),
        gr.update(value=shown.picture, label="The trigger, outlined" if shown.pair else "The photograph"),
        gr.update(value=shown.pair, visible=shown.pair is not None),
        gr.update(value=shown.readings, visible=shown.pair is None),
        gr.update(value=shown.readings, visible=shown.pair is not None),
        gr.update(visible=bool(shown.strangers)),
        list(shown.strangers),
        shown.numbers,
        gr.update(value=shown.difference, visible=bool(shown.difference)),
        gr.update(value=path, visible=path is not None),
    ]


def wire_checkpoint(desk: Desk, step: CheckpointStep, *, folders: bool) -> None:
    """Step 1: fields appear when they are needed; a bundled checkpoint loads on a click."""

    def fields(kind: str) -> list[Any]:
        shown = [gr.update(visible=kind == "hub"), gr.update(visible=kind == "folder")]
        named = gr.update(visible=kind in ("hub", "folder"))
        return [*shown, gr.update(visible=kind == "hub"), named, named]

    def describe(progress: gr.Progress = PROGRESS, *form: Any) -> str:
        try:
            return desk.provenance(ask_of(folders, form), _reporter(progress))
        except EftclipError as error:
            return markup.note(str(error), wrong=True)

    def look(*form: Any) -> str:
        try:
            return desk.look(ask_of(folders, form))
        except EftclipError as error:
            return markup.note(str(error), wrong=True)

    def describe_bundled(progress: gr.Progress = PROGRESS, *form: Any) -> str:
        if form[0] not in asks.BUNDLED:
            return markup.note("Name it, then press Load; or go straight to the check.")
        return describe(progress, *form)

    step.kind.change(
        fields, step.kind, [step.hub, step.folder, step.known, step.look, step.load], queue=False, **PRIVATE
    )
    step.kind.change(describe_bundled, step.form, step.facts, **LOADS, **PRIVATE)
    gr.on([step.load.click, step.hub.submit, step.folder.submit], describe, step.form, step.facts, **LOADS, **PRIVATE)
    step.known.input(None, step.known, step.hub, js="name => name", **PRIVATE)
    step.look.click(look, step.form, step.facts, **LIGHT, **PRIVATE)
    step.vocabulary.change(lambda value: gr.update(visible=value == "own"), step.vocabulary, step.labels, **PRIVATE)


def wire_image(step: ImageStep, choice: gr.State) -> None:
    """Step 2: choosing and planting; the picture on the page is exactly what will be checked."""

    def choose(event: gr.SelectData, *planting: Any) -> list[Any]:
        chosen = photos.bundled_choice(event.index)
        return [chosen, *_planted(chosen, planting)]

    def bring(path: str | None, old: photos.Choice | None, *planting: Any) -> list[Any]:
        try:
            new = photos.own_choice(path or "")
        except EftclipError as error:
            picture, _ = _planted(old, planting)
            return [old, picture, markup.note(f"{error} {_still(old)}", wrong=True), gr.skip()]
        shown = photos.picture_of(new, NOTHING) if photos.needs_conversion(new) else gr.skip()
        return [new, shown, markup.note(_says(new, photos.NO_TRIGGER)), photos.NO_TRIGGER]

    def clear() -> list[Any]:
        return [None, markup.note(NO_PHOTOGRAPH)]

    def sizes(trigger: str) -> int:
        return TRIGGERS[trigger].patch_px if trigger in TRIGGERS else 16

    def plant(chosen: photos.Choice | None, *planting: Any) -> list[Any]:
        return _planted(chosen, planting)

    shown = [step.picture, step.note]
    step.gallery.select(choose, step.planting, [choice, *shown], **LIGHT, **PRIVATE)
    # Not `input`: it also fires, with the old picture, when a visitor turns to the camera and the picture goes away.
    step.picture.upload(
        bring, [step.picture, choice, *step.planting], [choice, *shown, step.trigger], **LIGHT, **PRIVATE
    )
    step.picture.clear(clear, None, [choice, step.note], **LIGHT, **PRIVATE)
    step.trigger.input(sizes, step.trigger, step.patch_px, **LIGHT, **PRIVATE).then(
        plant, [choice, *step.planting], shown, **LIGHT, **PRIVATE
    )
    changes = [step.position.input, step.patch_px.change, step.seed.input]
    gr.on(changes, plant, [choice, *step.planting], shown, trigger_mode="always_last", **LIGHT, **PRIVATE)


def wire_check(
    desk: Desk, checkpoint: CheckpointStep, image: ImageStep, verdict: VerdictPart, choice: gr.State, *, folders: bool
) -> None:
    """The button, its progress, and the way to stop it."""

    def begin(request: gr.Request) -> list[Any]:
        desk.visits.begin(str(request.session_hash), CHECK)
        busy = gr.update(interactive=False, value="Checking …")
        return [markup.banner("running", words.RUNNING), gr.update(visible=False), busy, gr.update(visible=True)]

    def judge(request: gr.Request, *values: Any) -> Iterator[list[Any]]:
        page, (path, chosen, *form) = str(request.session_hash), values
        try:
            ask = ask_of(folders, tuple(form))
        except EftclipError as error:
            yield on_page(desk, page, views.refused(str(error)))
            return
        for item in desk.check(ask, path, chosen.name if chosen else "photograph", page):
            if isinstance(item, views.Shown):
                yield on_page(desk, page, item)
            else:
                yield [markup.banner("running", words.RUNNING, item), *[gr.skip()] * (len(verdict.outputs) - 1)]

    def end(*form: Any) -> list[Any]:
        return [
            _loaded(desk, folders, form),
            gr.update(interactive=True, value="Check this photograph"),
            gr.update(visible=False),
        ]

    def stop(request: gr.Request) -> None:
        desk.visits.stop(str(request.session_hash), CHECK)

    buttons = [image.check, image.stop]
    started = image.check.click(
        begin, None, [verdict.banner, verdict.results, *buttons], queue=False, show_progress="hidden", **PRIVATE
    )
    checked = started.then(
        judge,
        [image.picture, choice, *checkpoint.form],
        verdict.outputs,
        **CHECKS,
        **PRIVATE,
    )
    checked.failure(lambda: markup.banner("error", words.failure(BUSY)), None, verdict.banner, queue=False, **PRIVATE)
    ended = checked.then(
        end, checkpoint.form, [checkpoint.facts, *buttons], queue=False, show_progress="hidden", **PRIVATE
    )
    ended.then(None, js=SCROLL, **PRIVATE)
    image.stop.click(stop, queue=False, show_progress="hidden", **PRIVATE)


def wire_page(desk: Desk, demo: gr.Blocks, checkpoint: CheckpointStep, image: ImageStep, choice: gr.State) -> None:
    """What happens when the page is opened and when it is closed."""

    def first(*planting: Any) -> list[Any]:
        chosen = photos.bundled_choice(FIRST_PHOTOGRAPH)
        return [chosen, *_planted(chosen, planting)]

    def leave(request: gr.Request) -> None:
        desk.visits.leave(str(request.session_hash))

    demo.load(first, image.planting, [choice, image.picture, image.note], **LIGHT, **PRIVATE)
    # Not among the heavy ones: it only waits for the checkpoint that is being loaded anyway.
    waiting = {"concurrency_limit": None, "show_progress": "hidden", **PRIVATE}
    demo.load(lambda: desk.provenance(FIRST), None, checkpoint.facts, **waiting)
    demo.unload(leave)


def _loaded(desk: Desk, folders: bool, form: tuple[Any, ...]) -> Any:
    """What is under test after a check: a checkpoint that was named and never loaded by hand is known now."""
    try:
        return desk.provenance_if_loaded(ask_of(folders, form)) or gr.skip()
    except EftclipError:
        return gr.skip()


def _planted(chosen: photos.Choice | None, planting: tuple[Any, ...]) -> list[Any]:
    """The picture to show and the line under it."""
    if chosen is None:
        return [None, markup.note(NO_PHOTOGRAPH)]
    try:
        wanted = photos.planting(*planting)
        return [photos.picture_of(chosen, wanted), markup.note(_says(chosen, wanted.trigger))]
    except EftclipError as error:
        return [gr.skip(), markup.note(str(error), wrong=True)]


def _reporter(progress: gr.Progress) -> OnProgress:
    def report(step: Progress) -> None:
        progress((step.done, step.total), desc=step.stage)

    return report


def _says(chosen: photos.Choice, trigger: str) -> str:
    """What exactly will be checked."""
    what = f"Your file “{chosen.name}”" if chosen.own else f"Photograph “{chosen.name}”"
    if trigger == photos.NO_TRIGGER:
        return f"{what}, nothing planted."
    return f"{what}, with a {words.TRIGGER_NAMES.get(trigger, trigger)} planted, as the model sees it (224 × 224)."


def _still(old: photos.Choice | None) -> str:
    return f"Still chosen: “{old.name}”." if old else NO_PHOTOGRAPH


def _hub_source(text: Any) -> Any:
    return text if not isinstance(text, str) or not text.strip() or text.startswith("hf:") else f"hf:{text.strip()}"


def _own_labels(text: Any) -> Any:
    """An own list that is empty must not silently become ImageNet's."""
    return text if not isinstance(text, str) or text.strip() else "\n"
