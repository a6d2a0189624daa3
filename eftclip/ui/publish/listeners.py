"""Step 5: who is signed in, and one button that rectifies if need be and publishes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from eftclip.errors import EftclipError
from eftclip.ui.backend import Desk
from eftclip.ui.check.layout import CheckpointStep
from eftclip.ui.check.listeners import BUSY, LIGHT, PRIVATE
from eftclip.ui.components import html as markup
from eftclip.ui.publish import publisher as publishing
from eftclip.ui.publish import texts as publish_words
from eftclip.ui.publish.layout import START, PublishStep
from eftclip.ui.publish.publisher import PUBLISH, PublishAsk, PublishShown
from eftclip.ui.publish.sign_in import can_sign_in, token_of_our_page
from eftclip.ui.scan import request as run_asks
from eftclip.ui.scan.layout import RectifyResults, RectifyStep, ScanResults, ScanStep
from eftclip.ui.scan.listeners import LONG, SILENT, rectify_updates, scan_ask, scan_updates
from eftclip.ui.serving.jobs import RECTIFY, SCAN


@dataclass(frozen=True, eq=False)
class Parts:
    """The components that step 5 reads and writes."""

    checkpoint: CheckpointStep
    scan: ScanStep
    scanned: ScanResults
    rectify: RectifyStep
    rectified: RectifyResults
    publish: PublishStep

    @property
    def form(self) -> list[Any]:
        """What the button reads, in the order of `asked`."""
        step, scan = self.publish, self.scan
        settings = [*scan.sources.values(), *scan.settings.values(), *self.rectify.settings.values()]
        return [step.repo, step.private, step.anyway, *self.checkpoint.form, *settings]

    @property
    def outputs(self) -> list[Any]:
        """What the button writes, in the order of `update`."""
        return [*self.scanned.outputs, *self.rectified.outputs, self.publish.banner, self.publish.anyway]

    def asked(self, folders: bool, values: Sequence[Any]) -> tuple[PublishAsk, run_asks.ScanAsk, run_asks.RectifyAsk]:
        """The values of `form` as what is asked of the three steps.

        Raises:
            EftclipError: one of them cannot be used.
        """
        wanted, last = publishing.publish_ask(*values[:3]), len(self.rectify.settings)
        scan = scan_ask(folders, self.checkpoint, self.scan, values[3:-last])
        names = [*self.scan.settings, *self.rectify.settings]
        plan = run_asks.plan(dict(zip(names, values[-len(names) :], strict=True)))
        return wanted, scan, run_asks.RectifyAsk(scan.check, plan)

    def update(
        self, shown: PublishShown, scanned: Sequence[Any] | None = None, rectified: Sequence[Any] | None = None
    ) -> list[Any]:
        """Updates in the order of `outputs`; what is left out stays as it is."""
        scan = scanned or [gr.skip()] * len(self.scanned.outputs)
        return [*scan, *(rectified or [gr.skip()] * len(self.rectified.outputs)), *_on_page(shown)]


def wire_publish(desk: Desk, demo: gr.Blocks, parts: Parts, *, folders: bool) -> None:
    """The line that says who is signed in, the button, and the way to stop it."""
    step, signs_in = parts.publish, can_sign_in()

    def go(page: str, token: str, values: tuple[Any, ...]) -> Iterator[list[Any]]:
        try:
            wanted, scan, rectify = parts.asked(folders, values)
            desk.publishing.ready(token, can_sign_in=signs_in)
        except EftclipError as error:
            yield parts.update(publishing.refused(str(error)))
            return
        if desk.publishing.mended(rectify.check, page) is None:
            yield from _mend(desk, parts, scan, rectify, page)
        mended = desk.publishing.mended(rectify.check, page)
        if mended is None:
            stopped = desk.visits.signal(page, PUBLISH).is_set()
            yield parts.update(publishing.refused("" if stopped else publish_words.NOTHING))
            return
        for shown in desk.publishing.publish(wanted, mended, token, page):
            yield parts.update(shown)

    def run(request: gr.Request, *values: Any) -> Iterator[list[Any]]:
        yield from go(str(request.session_hash), desk.publishing.token(None), values)

    def run_signed_in(request: gr.Request, token: gr.OAuthToken | None, *values: Any) -> Iterator[list[Any]]:
        yield from go(str(request.session_hash), desk.publishing.token(token_of_our_page(request, token)), values)

    def who() -> str:
        return desk.publishing.who(desk.publishing.token(None), can_sign_in=False)

    def who_signed_in(request: gr.Request, token: gr.OAuthToken | None) -> str:
        return desk.publishing.who(desk.publishing.token(token_of_our_page(request, token)), can_sign_in=True)

    # Only where it works: elsewhere an argument of this kind keeps the page from being built at all.
    told: dict[str, Any] = {"fn": who_signed_in if signs_in else who, "outputs": step.who, **LIGHT, **PRIVATE}
    demo.load(**told)
    # Again at each end: a sign-in expires, and can be withdrawn, while the page stays open.
    _wire(desk, parts, run_signed_in if signs_in else run).then(**told)


def _mend(
    desk: Desk, parts: Parts, scan: run_asks.ScanAsk, rectify: run_asks.RectifyAsk, page: str
) -> Iterator[list[Any]]:
    """The steps 3 and 4, as far as they are still to be done, as updates."""
    busy = PublishShown(publishing.running(None))
    if not desk.runs.has_scanned(rectify.check, page):
        desk.visits.begin(page, SCAN)
        for update in scan_updates(desk, scan, page, len(parts.scanned.outputs)):
            yield parts.update(busy, scanned=update)
        if not desk.runs.has_scanned(rectify.check, page):
            return
    desk.visits.begin(page, RECTIFY)
    for update in rectify_updates(desk, rectify, page, len(parts.rectified.outputs)):
        yield parts.update(busy, rectified=update)


def _wire(desk: Desk, parts: Parts, run: Any) -> Any:
    """The button, its progress, and the way to stop it; the event of an attempt that has ended."""
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
        for kind in (SCAN, RECTIFY, PUBLISH):
            desk.visits.stop(str(request.session_hash), kind)
        return gr.update(interactive=False, value="Stopping …")

    def failed() -> Any:
        return gr.update(value=markup.banner("error", publish_words.failed(BUSY)), visible=True)

    started = step.start.click(begin, None, [step.banner, *buttons], **SILENT)
    done = started.then(run, parts.form, parts.outputs, **LONG, **PRIVATE)
    done.failure(failed, None, step.banner, **SILENT)
    step.stop.click(stop, None, step.stop, **SILENT)
    return done.then(end, None, buttons, **SILENT)


def _on_page(shown: PublishShown) -> list[Any]:
    """Banner and the box that asks a second time."""
    box = gr.update(visible=True) if shown.doubted else gr.update(visible=False, value=False)
    return [gr.update(value=shown.banner, visible=True), box]
