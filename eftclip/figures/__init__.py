"""Finished verdicts and runs as pictures."""

from eftclip.figures.check import overlay, purified_picture, story, transplant_sheet
from eftclip.figures.drawing import Picture
from eftclip.figures.run import bars, curve, reread_victims_sheet, run_figures, triggers_sheet, victims_sheet

__all__ = [
    "Picture",
    "bars",
    "curve",
    "overlay",
    "purified_picture",
    "reread_victims_sheet",
    "run_figures",
    "story",
    "transplant_sheet",
    "triggers_sheet",
    "victims_sheet",
]
