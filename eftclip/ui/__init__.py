"""The page in the browser; Gradio is known here and nowhere else."""

import os
from contextlib import suppress
from importlib import import_module

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # has to be said before Gradio is imported
if os.environ.get("SPACE_ID"):
    os.environ.setdefault("SYSTEM", "spaces")  # Docker Spaces do not say so, and Gradio signs nobody in without
with suppress(ImportError):
    import_module("spaces")  # on a ZeroGPU Space it must be there before anything touches CUDA

from eftclip.ui.server import build_demo, launch

__all__ = ["build_demo", "launch"]
