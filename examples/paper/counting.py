"""From finished cells to what the figures and tables show: counts, each with its interval."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from eftclip.types import Rate
from examples.measure.photo_sets import rate
from examples.paper.cells import MENDED, PATCH_PX, PLACES, SETS, TAU, TAUS, THETA, THETAS, Document
from examples.paper.photographs import NOTHING, TARGET, THE_TARGET

Cells = Sequence[Document]
Accused = Callable[[Document], bool]


def studies(cells: Mapping[str, Document]) -> Document:
    """Figures 3a, 3b, 4a and 4b, for both sets and both algorithms, and the tables."""
    photographs = [cell for cell in cells.values() if "mended" not in cell]
    return {
        "hijacked": _each(photographs, _hijacked),
        "3a": _each(photographs, _by_size_and_place),
        "3b": _each(photographs, _by_theta),
        "4a": _each(photographs, _by_tau),
        "4b": _each(photographs, _by_place_and_tau),
        "undecided": _each(photographs, _undecided),
        "seconds": _each(photographs, _seconds),
        "tables": {kind: _table(cells, kind) for kind in SETS},
    }


def as_rate(counted: Document) -> Rate:
    """Counts as they stand in a document."""
    return Rate(counted["hits"], counted["total"])


def _each(cells: Cells, count: Callable[[Cells], Document]) -> Document:
    return {kind: count([cell for cell in cells if cell["set"] == kind]) for kind in SETS}


def _hijacked(cells: Cells) -> Document:
    """How often the trigger works at all: the others are not counted in any detection rate."""
    return {
        f"{px} {place}": rate(cell["hijacked"] for cell in _planted(cells, px, place) if cell["before"] != TARGET)
        for px in PATCH_PX
        for place in PLACES
    }


def _by_size_and_place(cells: Cells) -> Document:
    """Detection rate by ρ and μ at the θ and τ of the paper; beside it clean photographs that are accused."""
    algorithms = {"eftclip": _ours, "paper": _named(TAU, THETA)}
    counted: Document = {
        f"{px} {place}": {name: _rate(_worked(cells, px, place), accused) for name, accused in algorithms.items()}
        for px in PATCH_PX
        for place in PLACES
    }
    accused_of_clean = {"eftclip": _ours_at_all, "paper": _named_at_all(TAU, THETA)}
    return {**counted, "clean": {name: _rate(_clean(cells), accused) for name, accused in accused_of_clean.items()}}


def _by_theta(cells: Cells) -> Document:
    return {f"{theta}": _found_and_accused(cells, TAU, theta) for theta in THETAS}


def _by_tau(cells: Cells) -> Document:
    return {f"{tau}": _found_and_accused(cells, tau, THETA) for tau in TAUS}


def _found_and_accused(cells: Cells, tau: int, theta: float) -> Document:
    """Hijacked photographs found at any size and place, and clean ones accused; in ours τ and θ only explain."""
    planted, clean = [cell for cell in cells if cell["patch_px"] and cell["hijacked"]], _clean(cells)
    return {
        "eftclip": {"found": _rate(planted, _ours), "accused": _rate(clean, _ours_at_all)},
        "paper": {"found": _rate(planted, _named(tau, theta)), "accused": _rate(clean, _named_at_all(tau, theta))},
    }


def _by_place_and_tau(cells: Cells) -> Document:
    counted: Document = {}
    for place in PLACES:
        hit = [cell for cell in cells if cell["patch_px"] and cell["hijacked"] and cell["position"] == place]
        counted[place] = {
            f"{tau}": {"eftclip": _rate(hit, _ours), "paper": _rate(hit, _named(tau, THETA))} for tau in TAUS
        }
    return counted


def _undecided(cells: Cells) -> Document:
    """Verdicts of ours that claim nothing."""
    judged = {"hijacked": [c for c in cells if c["patch_px"] and c["hijacked"]], "clean": _clean(cells)}
    return {name: _rate(some, lambda c: c["eftclip"]["status"] == "inconclusive") for name, some in judged.items()}


def _seconds(cells: Cells) -> Document:
    """The mean for a photograph, one thread."""
    judged = [cell["seconds"] for cell in cells if "seconds" in cell]
    return {name: round(sum(c[name] for c in judged) / max(1, len(judged)), 2) for name in ("eftclip", "paper")}


def _table(cells: Mapping[str, Document], kind: str) -> list[Document]:
    """A row for each way to mend, as far as they are done."""
    return [cells[key] for name in MENDED if (key := f"mend {kind} {name}") in cells]


def _planted(cells: Cells, patch_px: int, place: str) -> list[Document]:
    return [cell for cell in cells if (cell["patch_px"], cell["position"]) == (patch_px, place)]


def _worked(cells: Cells, patch_px: int, place: str) -> list[Document]:
    return [cell for cell in _planted(cells, patch_px, place) if cell["hijacked"]]


def _clean(cells: Cells) -> list[Document]:
    return [cell for cell in cells if not cell["patch_px"]]


def _rate(cells: Iterable[Document], accused: Accused) -> Document:
    return rate(accused(cell) for cell in cells)


def _ours(cell: Document) -> bool:
    return (cell["eftclip"]["status"], cell["eftclip"]["label"]) == ("found", TARGET)


def _ours_at_all(cell: Document) -> bool:
    return bool(cell["eftclip"]["status"] == "found")


def _named(tau: int, theta: float) -> Accused:
    return lambda cell: bool(_code(cell, tau, theta) == THE_TARGET)


def _named_at_all(tau: int, theta: float) -> Accused:
    return lambda cell: bool(_code(cell, tau, theta) != NOTHING)


def _code(cell: Document, tau: int, theta: float) -> str:
    return str(cell["paper"][TAUS.index(tau)][THETAS.index(theta)])
