"""Finished verdicts and runs as pictures."""

from eftclip.figures.check import overlay, purified_picture, story, strangers_sheet
from eftclip.figures.drawing import Picture
from eftclip.figures.run import bars, curve, run_figures, triggers_sheet, victims_sheet, witnesses_sheet

__all__ = [
    "Picture",
    "bars",
    "curve",
    "overlay",
    "purified_picture",
    "run_figures",
    "story",
    "strangers_sheet",
    "triggers_sheet",
    "victims_sheet",
    "witnesses_sheet",
]
