"""Records to documents: an explicit allow-list of plain values, then text that renders those documents only."""

from eftclip.report.card import model_card
from eftclip.report.check import CAVEAT, HEADLINES, check_document, counts_sentence, markdown, picture_box
from eftclip.report.run import run_document
from eftclip.report.text import coverage_sentence, run_markdown
from eftclip.report.values import Document, escape, kinds_line, pinned_source, share, size

__all__ = [
    "CAVEAT",
    "HEADLINES",
    "Document",
    "check_document",
    "counts_sentence",
    "coverage_sentence",
    "escape",
    "kinds_line",
    "markdown",
    "model_card",
    "picture_box",
    "pinned_source",
    "run_document",
    "run_markdown",
    "share",
    "size",
]
