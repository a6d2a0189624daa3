"""How listeners are queued: what waits in which of Gradio's queues, and what clients may not call."""

from typing import Any

# `CheckRunner` and `Loader` do one thing at a time, and tell who waits how long the queue is; so Gradio's queue need
# not hold anybody back, behind which nobody could see his place or stop waiting.
CHECKS: dict[str, Any] = {"concurrency_id": "check", "concurrency_limit": 64, "show_progress": "hidden"}
LOADS: dict[str, Any] = {"concurrency_id": "load", "concurrency_limit": 20}
LIGHT: dict[str, Any] = {"concurrency_limit": 4, "show_progress": "hidden"}
# One at a time, in the order asked: an answer that comes late would put an earlier picture over a later one.
PLANTS: dict[str, Any] = {"concurrency_id": "plant", "concurrency_limit": 1, "show_progress": "hidden"}
PRIVATE: dict[str, Any] = {"api_visibility": "private"}
BUSY = "The server has too much to do just now, or the connection was lost; press the button again."

# `ScanRunner` and `RectifyRunner` share a queue, and tell who waits how long it is; so the queue of Gradio need not
# hold anybody back, behind which a visitor could neither see his place nor stop waiting.
LONG: dict[str, Any] = {"concurrency_id": "long", "concurrency_limit": 20, "show_progress": "hidden"}
SILENT: dict[str, Any] = {"queue": False, "show_progress": "hidden", **PRIVATE}
