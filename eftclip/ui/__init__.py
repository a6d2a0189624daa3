"""The page in the browser; Gradio is known here and nowhere else.

`start` sees that the page can be served on this machine, `page` puts it together, `server` serves it, `theme` is its
look. Behind it stands one `backend.Backend`.

A room for each step: `checkpoint` (1), `check` (2), `scan` (3), `rectify` (4), `publish` (5), and `restore` for whoever
comes back. In a room, as far as the step needs it:
    layout: components and where they stand.
    listeners: what happens when; they read and write components and leave the work to the backend.
    request: what a visitor wants, checked as it came over the network.
    job, runner: the work itself, and how it is queued, watched and stopped.
    view, html: what a result looks like.
    texts: every sentence and every setting's label.

Rooms for all steps:
    serving: sessions, the result store, the queue, background threads, files for download, the request guard, loaded
        checkpoints, ZeroGPU, clean-up. It knows no step.
    components: HTML, banners, galleries, settings, validation of single values, start and stop buttons.
    api: the end points for programs.
    benchmark: a second page, on which nothing is computed.
    machine: what the page needs of the machine: an address, a folder, a way to itself, trusted host names.

`components` and `serving` never import a step, but for what is loaded: `checkpoint.request`. Runners never import
listeners.
"""

import os
from contextlib import suppress
from importlib import import_module

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # has to be said before Gradio is imported
if os.environ.get("SPACE_ID"):
    os.environ.setdefault("SYSTEM", "spaces")  # Docker Spaces do not say so, and Gradio signs nobody in without
with suppress(ImportError):
    import_module("spaces")  # on a ZeroGPU Space it must be there before anything touches CUDA

from eftclip.ui.start import build_demo, launch, main

__all__ = ["build_demo", "launch", "main"]
