"""Gradio's page, with one fault of it mended: what a listener has yielded must still be there when it is shown."""

from typing import Any

import gradio as gr


class Blocks(gr.Blocks):
    """A page on which no yield of a listener is lost.

    From the second yield on Gradio sends edits, by which its client changes the values of the yield before in place.
    A browser that has not come to show that one yet, as it is busy or in a tab that nobody looks at, then shows the
    next one instead: what one yield brings and the next one skips (`gr.skip()`) is never seen. So each edit here is a
    whole new value.
    """

    def handle_streaming_diffs(
        self,
        block_fn: Any,
        data: list[Any],
        session_hash: str | None,
        run: str | None,
        final: bool,
        simple_format: bool = False,
    ) -> list[Any]:
        """Turn the values of a yield into edits of those of the yield before; the first and the last are sent whole."""
        earlier = self.pending_diff_streams.get(session_hash, {}).get(run)
        before = list(earlier) if earlier is not None else None  # as it was: Gradio writes the new ones over it
        whole = super().handle_streaming_diffs(block_fn, data, session_hash, run, final, simple_format=True)
        if before is None or final or simple_format:
            return whole
        return [[] if old == new else [["replace", [], new]] for old, new in zip(before, whole, strict=True)]
