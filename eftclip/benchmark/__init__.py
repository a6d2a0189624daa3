"""Result files to leaderboards: what the benchmark page and the page of results both show.

`leaderboard` is the contract; `detect`, `rectify`, `zoo` and `scans` make them from measured documents, `names` says
what follows from a checkpoint's name, `files` finds and reads the documents. Nothing is measured here.
"""

from eftclip.benchmark.files import BOARDS, Section, read_document, read_sections, results_folder
from eftclip.benchmark.leaderboard import Cell, Column, Document, Leaderboard, Row, Source

__all__ = [
    "BOARDS",
    "Cell",
    "Column",
    "Document",
    "Leaderboard",
    "Row",
    "Section",
    "Source",
    "read_document",
    "read_sections",
    "results_folder",
]
