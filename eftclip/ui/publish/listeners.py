"""Step 5: who is signed in, and one button that rectifies if need be and publishes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from eftclip.errors import EftclipError
from eftclip.ui.backend import Backend
from eftclip.ui.checkpoint.layout import CheckpointStep
from eftclip.ui.components.events import LIGHT, PRIVATE
from eftclip.ui.components.long_work import LongWork, add_long_work_listeners
from eftclip.ui.publish import texts, view
from eftclip.ui.publish.layout import START, PublishStep
from eftclip.ui.publish.request import PublishRequest, publish_request
from eftclip.ui.publish.sign_in import can_sign_in, token_of_our_page
from eftclip.ui.publish.view import PublishView
from eftclip.ui.rectify import listeners as rectify_listeners
from eftclip.ui.rectify.layout import RectifyResults, RectifyStep
from eftclip.ui.rectify.request import RectifyRequest, plan
from eftclip.ui.scan import listeners as scan_listeners
from eftclip.ui.scan.layout import ScanResults, ScanStep
from eftclip.ui.scan.request import ScanRequest
from eftclip.ui.serving.sessions import PUBLISH, RECTIFY, SCAN


@dataclass(frozen=True, eq=False)
class PublishForm:
    """The components that step 5 reads and writes."""

    checkpoint: CheckpointStep
    scan: ScanStep
    scanned: ScanResults
    rectify: RectifyStep
    rectified: RectifyResults
    publish: PublishStep

    @property
    def inputs(self) -> list[Any]:
        """What the button reads, in the order of `requests`."""
        step, scan = self.publish, self.scan
        settings = [*scan.sources.values(), *scan.settings.values(), *self.rectify.settings.values()]
        return [step.repo, step.private, step.anyway, *self.checkpoint.form, *settings]

    @property
    def outputs(self) -> list[Any]:
        """What the button writes, in the order of `updates`."""
        return [*self.scanned.outputs, *self.rectified.outputs, self.publish.banner, self.publish.anyway]

    def requests(self, folders: bool, values: Sequence[Any]) -> tuple[PublishRequest, ScanRequest, RectifyRequest]:
        """The values of `inputs` as what is asked of the three steps.

        Raises:
            EftclipError: one of them cannot be used.
        """
        wanted, last = publish_request(*values[:3]), len(self.rectify.settings)
        scan = scan_listeners.read_form(folders, self.checkpoint, self.scan, values[3:-last])
        names = [*self.scan.settings, *self.rectify.settings]
        stages = plan(dict(zip(names, values[-len(names) :], strict=True)))
        return wanted, scan, RectifyRequest(scan.checkpoint, stages)

    def updates(
        self, shown: PublishView, scanned: Sequence[Any] | None = None, rectified: Sequence[Any] | None = None
    ) -> list[Any]:
        """Updates in the order of `outputs`; what is left out stays as it is."""
        scan = scanned or [gr.skip()] * len(self.scanned.outputs)
        return [*scan, *(rectified or [gr.skip()] * len(self.rectified.outputs)), *_updates(shown)]


def add_publish_listeners(backend: Backend, demo: gr.Blocks, form: PublishForm, *, folders: bool) -> None:
    """The line that says who is signed in, the button, and the way to stop it."""
    step, signs_in = form.publish, can_sign_in()

    def go(session_id: str, token: str, values: tuple[Any, ...]) -> Iterator[list[Any]]:
        try:
            wanted, scan, rectify = form.requests(folders, values)
            backend.publisher.check_token(token, can_sign_in=signs_in)
        except EftclipError as error:
            yield form.updates(view.refused(str(error)))
            return
        if backend.publisher.last_rectification(rectify.checkpoint, session_id) is None:
            yield from _rectify_first(backend, form, scan, rectify, session_id)
        result = backend.publisher.last_rectification(rectify.checkpoint, session_id)
        if result is None:
            stopped = backend.sessions.stop_signal(session_id, PUBLISH).is_set()
            yield form.updates(view.refused("" if stopped else texts.NOTHING))
            return
        for shown in backend.publisher.publish(wanted, result, token, session_id):
            yield form.updates(shown)

    def run(request: gr.Request, *values: Any) -> Iterator[list[Any]]:
        yield from go(str(request.session_hash), backend.publisher.token(None), values)

    def run_signed_in(request: gr.Request, token: gr.OAuthToken | None, *values: Any) -> Iterator[list[Any]]:
        yield from go(str(request.session_hash), backend.publisher.token(token_of_our_page(request, token)), values)

    def who() -> str:
        return backend.publisher.who(backend.publisher.token(None), can_sign_in=False)

    def who_signed_in(request: gr.Request, token: gr.OAuthToken | None) -> str:
        return backend.publisher.who(backend.publisher.token(token_of_our_page(request, token)), can_sign_in=True)

    # Only where it works: elsewhere an argument of this kind keeps the page from being built at all.
    told: dict[str, Any] = {"fn": who_signed_in if signs_in else who, "outputs": step.who, **LIGHT, **PRIVATE}
    demo.load(**told)
    work = LongWork(
        kinds=(PUBLISH, SCAN, RECTIFY),
        start=step.start,
        stop=step.stop,
        waiting=(form.scan.start, form.rectify.start),
        banner=step.banner,
        first_banner=view.running(None),
        label=START,
        busy_label="Publishing …",
        failed=texts.failed,
    )
    handler = run_signed_in if signs_in else run
    ended = add_long_work_listeners(backend.sessions, work, handler, form.inputs, form.outputs)
    # Again at each end: a sign-in expires, and can be withdrawn, while the page stays open.
    ended.then(**told)


def _rectify_first(
    backend: Backend,
    form: PublishForm,
    scan: ScanRequest,
    rectify: RectifyRequest,
    session_id: str,
) -> Iterator[list[Any]]:
    """The steps 3 and 4, as far as they are still to be done, as updates."""
    busy = PublishView(view.running(None))
    if not backend.scans.has_scanned(rectify.checkpoint, session_id):
        backend.sessions.begin(session_id, SCAN)
        for update in scan_listeners.live_updates(backend, scan, session_id, len(form.scanned.outputs)):
            yield form.updates(busy, scanned=update)
        if not backend.scans.has_scanned(rectify.checkpoint, session_id):
            return
    backend.sessions.begin(session_id, RECTIFY)
    for update in rectify_listeners.live_updates(backend, rectify, session_id, len(form.rectified.outputs)):
        yield form.updates(busy, rectified=update)


def _updates(shown: PublishView) -> list[Any]:
    """Banner and the box that asks a second time."""
    box = gr.update(visible=True) if shown.doubted else gr.update(visible=False, value=False)
    return [gr.update(value=shown.banner, visible=True), box]
