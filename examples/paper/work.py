"""Cells, done one by one or by several processes; not in `__main__`, which a process that is started does not see."""

import multiprocessing
from collections.abc import Iterator, Sequence

from examples.paper.cells import Cell, Document
from examples.paper.mending import mended
from examples.paper.photographs import looked_at


def done(cell: Cell) -> tuple[str, Document]:
    """One cell, in a process of its own."""
    return cell.key, looked_at(cell) if cell.photo is not None else mended(cell)


def each_done(cells: Sequence[Cell], jobs: int) -> Iterator[tuple[str, Document]]:
    """All cells, as they come, from some processes, or from here when there is one job."""
    if jobs == 1:
        yield from map(done, cells)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap_unordered(done, cells)
