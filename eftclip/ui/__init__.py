"""The page in the browser; Gradio is known here and nowhere else."""

import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # has to be said before Gradio is imported

from eftclip.ui.page import build_demo, launch

__all__ = ["build_demo", "launch"]
