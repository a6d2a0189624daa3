"""The start button of long work, its progress, and the way to stop it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from eftclip.ui.components.banner import banner
from eftclip.ui.components.events import BUSY, LONG, PRIVATE, SILENT
from eftclip.ui.components.texts import Message
from eftclip.ui.serving.sessions import Sessions


@dataclass(frozen=True, eq=False)
class LongWork:
    """The long work of a step, as its buttons see it.

    Attributes:
        kinds: what the start button begins, and whatever else the stop button ends.
        start, stop: the buttons.
        waiting: the start buttons of other steps, which must wait meanwhile.
        banner: how far it is, and how it ended.
        first_banner: HTML when it begins.
        label, busy_label: on the start button.
        failed: the words when the server could not even begin, by the reason.
        hidden: what an earlier attempt has shown.
    """

    kinds: tuple[str, ...]
    start: gr.Button
    stop: gr.Button
    waiting: tuple[gr.Button, ...]
    banner: gr.HTML
    first_banner: str
    label: str
    busy_label: str
    failed: Callable[[str], Message]
    hidden: tuple[gr.blocks.Block, ...] = ()


def add_long_work_listeners(
    sessions: Sessions[Any],
    work: LongWork,
    run: Callable[..., Iterator[list[Any]]],
    inputs: list[Any],
    outputs: list[Any],
) -> Any:
    """The button of a step, its progress, and the way to stop it; meanwhile other steps of the page must wait.

    Returns:
        the event of work that has ended, for what should follow.
    """

    def begin(request: gr.Request) -> list[Any]:
        sessions.begin(str(request.session_hash), work.kinds[0])
        return [
            gr.update(value=work.first_banner, visible=True),
            gr.update(interactive=False, value=work.busy_label),
            gr.update(visible=True, interactive=True, value="Stop"),
            *[gr.update(interactive=False)] * len(work.waiting),
            *[gr.update(visible=False)] * len(work.hidden),
        ]

    def end() -> list[Any]:
        again = gr.update(interactive=True, value=work.label)
        return [again, gr.update(visible=False), *[gr.update(interactive=True)] * len(work.waiting)]

    def stop(request: gr.Request) -> Any:
        for kind in work.kinds:
            sessions.stop(str(request.session_hash), kind)
        return gr.update(interactive=False, value="Stopping …")

    def failed() -> Any:
        return gr.update(value=banner("error", work.failed(BUSY)), visible=True)

    buttons = [work.start, work.stop, *work.waiting]
    started = work.start.click(begin, None, [work.banner, *buttons, *work.hidden], **SILENT)
    done = started.then(run, inputs, outputs, **LONG, **PRIVATE)
    done.failure(failed, None, work.banner, **SILENT)
    work.stop.click(stop, None, work.stop, **SILENT)
    return done.then(end, None, buttons, **SILENT)
