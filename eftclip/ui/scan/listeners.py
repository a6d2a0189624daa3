"""What happens when, in the steps 3 and 4: every listener is private, and long work goes through `Runs`."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import gradio as gr
from gradio.utils import get_upload_folder

from eftclip.errors import EftclipError
from eftclip.ui.backend import Desk
from eftclip.ui.check.layout import CheckpointStep
from eftclip.ui.check.listeners import BUSY, LIGHT, PRIVATE, ask_of
from eftclip.ui.check.photographs import NO_TRIGGER
from eftclip.ui.components import html as markup
from eftclip.ui.rectify import html as run_markup
from eftclip.ui.rectify import view as rectify_views
from eftclip.ui.rectify.view import RectifyNews, RectifyShown
from eftclip.ui.scan import request as run_asks
from eftclip.ui.scan import texts as run_words
from eftclip.ui.scan import view as scan_views
from eftclip.ui.scan.layout import RectifyResults, RectifyStep, ScanResults, ScanStep
from eftclip.ui.scan.view import ScanShown
from eftclip.ui.serving.jobs import RECTIFY, SCAN

# `Runs` itself lets one piece of long work go on at a time, and tells who waits how long the line is; so the queue of
# Gradio need not hold anybody back, behind which a visitor could neither see his place nor stop waiting.
LONG: dict[str, Any] = {"concurrency_id": "long", "concurrency_limit": 20, "show_progress": "hidden"}
SILENT: dict[str, Any] = {"queue": False, "show_progress": "hidden", **PRIVATE}
# The triggers that `multi` was taught, for `multi` and for no other. In the browser, as the server may be busy loading
# that very checkpoint while the visitor goes on.
OWN_TRIGGERS = (
    f"(kind, trigger) => kind === 'multi' && trigger !== '{NO_TRIGGER}' ? '{run_words.IN_TURNS}'"
    f" : kind !== 'multi' && trigger === '{run_words.IN_TURNS}' ? 'badnets' : trigger"
)
STARTS = {SCAN: "Scan", RECTIFY: "Rectify this checkpoint"}
BUSY_WITH = {SCAN: "Scanning …", RECTIFY: "Rectifying …"}


def scan_on_page(shown: ScanShown) -> list[Any]:
    """A finished scan as updates in the order of `ScanResults.outputs`."""
    return [
        gr.update(value=shown.banner, visible=True),
        gr.update(visible=shown.document is not None),
        _html(shown.families),
        _html(shown.victims),
        gr.update(value=list(shown.pictures), visible=bool(shown.pictures)),
        _html(shown.coverage),
        gr.update(visible=bool(shown.items)),
        shown.curated,
        list(shown.items),
        _file(shown.archive),
        _file(shown.document),
    ]


def rectify_on_page(shown: RectifyShown) -> list[Any]:
    """A finished rectification as updates in the order of `RectifyResults.outputs`."""
    return [
        gr.update(value=shown.banner, visible=True),
        _html(shown.curve),
        gr.update(visible=shown.document is not None),
        _html(shown.families),
        _html(shown.measures),
        gr.update(visible=bool(shown.witnesses)),
        list(shown.witnesses),
        _html(shown.weights),
        _html(shown.details),
        _file(shown.checkpoint),
        _file(shown.document),
    ]


def wire_scan(
    desk: Desk,
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
            wanted = scan_ask(folders, checkpoint, scan, values)
        except EftclipError as error:
            yield scan_on_page(scan_views.scan_refused(str(error)))
            return
        yield from scan_updates(desk, wanted, str(request.session_hash), len(results.outputs))

    scan.kind.change(fields, scan.kind, list(scan.groups.values()), **SILENT)
    trigger = scan.sources["trigger"]
    checkpoint.kind.change(None, [checkpoint.kind, trigger], trigger, js=OWN_TRIGGERS, **PRIVATE)
    return _wire(desk, SCAN, (scan, rectify), run, form, results.outputs, results.results)


def scan_ask(folders: bool, checkpoint: CheckpointStep, scan: ScanStep, values: Sequence[Any]) -> run_asks.ScanAsk:
    """What a scan is asked for: the values of step 1, of the sources and of the settings, one behind the other.

    Raises:
        EftclipError: one of them cannot be used.
    """
    first, second = len(checkpoint.form), len(checkpoint.form) + len(scan.sources)
    given = dict(zip(scan.sources, values[first:second], strict=True))
    return run_asks.ScanAsk(
        ask_of(folders, tuple(values[:first])),
        run_asks.source(given, uploads=Path(get_upload_folder()), folders=folders),
        run_asks.plan(dict(zip(scan.settings, values[second:], strict=True))),
    )


def scan_updates(desk: Desk, wanted: run_asks.ScanAsk, page: str, count: int) -> Iterator[list[Any]]:
    """A scan as it goes and as it ends, as updates in the order of `ScanResults.outputs`."""
    for item in desk.runs.scan(wanted, page):
        if isinstance(item, ScanShown):
            yield scan_on_page(item)
        else:
            yield [gr.update(value=scan_views.scan_running(item), visible=True), *[gr.skip()] * (count - 1)]


def wire_rectify(
    desk: Desk,
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
        page = str(request.session_hash)
        try:
            plan = run_asks.plan(dict(zip(settings, values[first:], strict=True)))
            wanted = run_asks.RectifyAsk(ask_of(folders, values[:first]), plan)
        except EftclipError as error:
            yield rectify_on_page(rectify_views.rectify_refused(str(error)))
            return
        yield from rectify_updates(desk, wanted, page, len(results.outputs))

    _wire(
        desk,
        RECTIFY,
        (rectify, scan),
        run,
        [*checkpoint.form, *settings.values()],
        results.outputs,
        results.results,
        hidden=[results.curve],
    )


def rectify_updates(desk: Desk, wanted: run_asks.RectifyAsk, page: str, count: int) -> Iterator[list[Any]]:
    """A rectification as it goes and as it ends, as updates in the order of `RectifyResults.outputs`."""
    text = desk.runs.basis(wanted.check, page)
    for item in desk.runs.rectify(wanted, page):
        if isinstance(item, RectifyShown):
            yield rectify_on_page(item)
        else:
            yield _running(item, text, wanted.plan.rectify.steps, count)


def wire_basis(
    desk: Desk, checkpoint: CheckpointStep, events: Sequence[Any], rectify: RectifyStep, *, folders: bool
) -> None:
    """The line that says what a rectification would work with follows every change in step 1, and every scan.

    Args:
        desk: behind the page.
        checkpoint: step 1.
        events: after which it may be another one.
        rectify: step 4.
        folders: folders of this machine may be named.
    """

    def basis(request: gr.Request, *form: Any) -> str:
        try:
            return run_markup.basis(desk.runs.basis(ask_of(folders, form), str(request.session_hash)))
        except EftclipError:  # step 1 says what is wrong as soon as it is used
            return run_markup.basis(run_words.BY_ITSELF.format(run_words.NO_SCAN))

    changes = [cast(Any, component).change for component in checkpoint.form]
    told: dict[str, Any] = {"fn": basis, "inputs": checkpoint.form, "outputs": rectify.basis, **LIGHT, **PRIVATE}
    gr.on(changes, trigger_mode="always_last", **told)
    for event in events:
        event.then(**told)


def _wire(
    desk: Desk,
    kind: str,
    steps: tuple[ScanStep | RectifyStep, ScanStep | RectifyStep],
    run: Callable[..., Iterator[list[Any]]],
    inputs: list[Any],
    outputs: list[Any],
    results: gr.Column,
    hidden: Sequence[gr.components.Component] = (),
) -> Any:
    """The button of a step, its progress, and the way to stop it; meanwhile the other step of the page must wait."""
    step, other = steps
    first = scan_views.scan_running(None) if kind == SCAN else rectify_views.rectify_running(None, "", 1)[0]

    def begin(request: gr.Request) -> list[Any]:
        desk.visits.begin(str(request.session_hash), kind)
        return [
            gr.update(value=first, visible=True),
            gr.update(visible=False),
            gr.update(interactive=False, value=BUSY_WITH[kind]),
            gr.update(visible=True, interactive=True, value="Stop"),
            gr.update(interactive=False),
            *[gr.update(visible=False)] * len(hidden),
        ]

    def end() -> list[Any]:
        again = gr.update(interactive=True, value=STARTS[kind])
        return [again, gr.update(visible=False), gr.update(interactive=True)]

    def stop(request: gr.Request) -> Any:
        desk.visits.stop(str(request.session_hash), kind)
        return gr.update(interactive=False, value="Stopping …")

    def failed() -> Any:
        saying = run_words.failed_scan(BUSY) if kind == SCAN else run_words.failed_rectification(BUSY)
        return gr.update(value=markup.banner("error", saying), visible=True)

    buttons = [step.start, step.stop, other.start]
    started = step.start.click(begin, None, [outputs[0], results, *buttons, *hidden], **SILENT)
    done = started.then(run, inputs, outputs, **LONG, **PRIVATE)
    done.failure(failed, None, outputs[0], **SILENT)
    step.stop.click(stop, None, step.stop, **SILENT)
    return done.then(end, None, buttons, **SILENT)


def _running(news: RectifyNews, text: str, last: int, count: int) -> list[Any]:
    """How far a rectification is, as updates in the order of `RectifyResults.outputs`."""
    banner, curve = rectify_views.rectify_running(news, text, last)
    return [banner, gr.update(value=curve, visible=bool(curve)), *[gr.skip()] * (count - 2)]


def _html(value: str) -> Any:
    return gr.update(value=value, visible=bool(value))


def _file(path: str | None) -> Any:
    return gr.update(value=path, visible=path is not None)
