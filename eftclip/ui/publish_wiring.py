"""Step 5: who is signed in, and one button that rectifies if need be and publishes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from eftclip.errors import EftclipError
from eftclip.ui import markup, publish_words, publishing, run_asks
from eftclip.ui.handlers import Desk
from eftclip.ui.jobs import RECTIFY
from eftclip.ui.layout import CheckpointStep
from eftclip.ui.publish_layout import START, PublishStep, can_sign_in
from eftclip.ui.publishing import PUBLISH, PublishShown
from eftclip.ui.run_layout import RectifyResults, RectifyStep, ScanStep
from eftclip.ui.run_wiring import LONG, SILENT, rectify_updates
from eftclip.ui.wiring import BUSY, LIGHT, PRIVATE, ask_of


@dataclass(frozen=True, eq=False)
class Parts:
    """The components that step 5 reads and writes."""

    checkpoint: CheckpointStep
    scan: ScanStep
    rectify: RectifyStep
    rectified: RectifyResults
    publish: PublishStep


def wire_publish(desk: Desk, demo: gr.Blocks, parts: Parts, *, folders: bool) -> None:
    """The line that says who is signed in, the button, and the way to stop it."""
    step, skipped = parts.publish, [gr.skip()] * len(parts.rectified.outputs)
    settings = parts.scan.settings | parts.rectify.settings
    form = [step.repo, step.private, step.anyway, *parts.checkpoint.form, *settings.values()]
    first = 3 + len(parts.checkpoint.form)

    def go(page: str, token: str, values: tuple[Any, ...]) -> Iterator[list[Any]]:
        try:
            wanted, check = publishing.publish_ask(*values[:3]), ask_of(folders, values[3:first])
            plan = run_asks.plan(dict(zip(settings, values[first:], strict=True)))
            desk.publishing.ready(token)
        except EftclipError as error:
            yield [*skipped, *_on_page(publishing.refused(str(error)))]
            return
        if desk.publishing.mended(check, page) is None:
            desk.visits.begin(page, RECTIFY)
            for update in rectify_updates(desk, run_asks.RectifyAsk(check, plan), page, len(skipped)):
                yield [*update, *_on_page(PublishShown(publishing.running(None)))]
        mended = desk.publishing.mended(check, page)
        if mended is None:
            yield [*skipped, *_on_page(publishing.refused(publish_words.NOTHING))]
            return
        for shown in desk.publishing.publish(wanted, mended, token, page):
            yield [*skipped, *_on_page(shown)]

    def run(request: gr.Request, *values: Any) -> Iterator[list[Any]]:
        yield from go(str(request.session_hash), desk.publishing.token(None), values)

    def run_signed_in(request: gr.Request, token: gr.OAuthToken | None, *values: Any) -> Iterator[list[Any]]:
        yield from go(str(request.session_hash), desk.publishing.token(token.token if token else None), values)

    def who() -> str:
        return desk.publishing.who(desk.publishing.token(None), can_sign_in=False)

    def who_signed_in(token: gr.OAuthToken | None) -> str:
        return desk.publishing.who(desk.publishing.token(token.token if token else None), can_sign_in=True)

    # Only where it works: elsewhere an argument of this kind keeps the page from being built at all.
    signs_in = can_sign_in()
    demo.load(who_signed_in if signs_in else who, None, step.who, **LIGHT, **PRIVATE)
    _wire(desk, parts, run_signed_in if signs_in else run, form)


def _wire(desk: Desk, parts: Parts, run: Any, form: list[Any]) -> None:
    step = parts.publish
    buttons = [step.start, step.stop, parts.scan.start, parts.rectify.start]

    def begin(request: gr.Request) -> list[Any]:
        page = str(request.session_hash)
        desk.visits.begin(page, PUBLISH)
        return [
            gr.update(value=publishing.running(None), visible=True),
            gr.update(interactive=False, value="Publishing …"),
            gr.update(visible=True, interactive=True, value="Stop"),
            gr.update(interactive=False),
            gr.update(interactive=False),
        ]

    def end() -> list[Any]:
        again = gr.update(interactive=True, value=START)
        return [again, gr.update(visible=False), gr.update(interactive=True), gr.update(interactive=True)]

    def stop(request: gr.Request) -> Any:
        for kind in (RECTIFY, PUBLISH):
            desk.visits.stop(str(request.session_hash), kind)
        return gr.update(interactive=False, value="Stopping …")

    def failed() -> Any:
        return gr.update(value=markup.banner("error", publish_words.failed(BUSY)), visible=True)

    outputs = [*parts.rectified.outputs, step.banner, step.anyway]
    started = step.start.click(begin, None, [step.banner, *buttons], **SILENT)
    done = started.then(run, form, outputs, **LONG, **PRIVATE)
    done.failure(failed, None, step.banner, **SILENT)
    step.stop.click(stop, None, step.stop, **SILENT)
    done.then(end, None, buttons, **SILENT)


def _on_page(shown: PublishShown) -> list[Any]:
    """Banner and the box that asks a second time."""
    box = gr.update(visible=True) if shown.doubted else gr.update(visible=False, value=False)
    return [gr.update(value=shown.banner, visible=True), box]
