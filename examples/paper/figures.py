"""The paper's figures and tables from counts, as pictures."""

from collections.abc import Sequence

from PIL import Image

from eftclip.types import Rate
from examples.paper.cells import PATCH_PX, PLACES, SETS, TAU, TAUS, THETA, THETAS, Document
from examples.paper.counting import as_rate
from examples.paper.drawing import Panel, Series, chart, table

NAMES = {"eftclip": "ours", "paper": "the paper's rule"}
PHOTOGRAPHS = {"imagenet": "photographs of ImageNet's classes", "caltech": "photographs of Caltech-101"}
WAYS = {
    "eftclip": "ours: scan, realign",
    "paper": "the paper's: scan, contrastive",
    "finetune": "fine-tuned on clean pairs",
    "cleanclip": "CleanCLIP on clean pairs",
}


def drawn(counted: Document, command: str) -> dict[str, Image.Image]:
    """Every figure but the fifth, by file name."""
    return {
        "figure_3a": chart(
            f"Hijacked photographs found, by patch size and place (theta {THETA}, tau {TAU})",
            command,
            [_sizes_and_places(counted["3a"][kind], kind) for kind in SETS],
        ),
        "figure_3b": chart(
            f"Found and wrongly accused, by confidence theta (tau {TAU})",
            command,
            [_found_and_accused(counted["3b"][kind], kind, "theta", [str(theta) for theta in THETAS]) for kind in SETS],
        ),
        "figure_4a": chart(
            f"Found and wrongly accused, by length tau of the object list (theta {THETA})",
            command,
            [_found_and_accused(counted["4a"][kind], kind, "tau", [str(tau) for tau in TAUS]) for kind in SETS],
        ),
        "figure_4b": chart(
            f"Hijacked photographs found, by place and length tau of the object list (theta {THETA})",
            command,
            [_places_and_lengths(counted["4b"][kind], kind) for kind in SETS],
        ),
        **{
            f"table_{kind}": table(
                f"Before and after, {PHOTOGRAPHS[kind]}",
                command,
                ("", "ASR", "CA", "PA", "read as before", "victims found"),
                _rows(counted["tables"][kind]),
            )
            for kind in SETS
        },
    }


def _sizes_and_places(counted: Document, kind: str) -> Panel:
    positions = [f"{px} {place}" for px in PATCH_PX for place in PLACES]
    series = [
        Series(NAMES[name], tuple(as_rate(counted[position][name]) for position in [*positions, "clean"]))
        for name in NAMES
    ]
    shown = (
        *(position.replace(" ", " px ") for position in positions),
        "clean: accused",
    )
    return Panel(PHOTOGRAPHS[kind], shown, tuple(series), bars=True)


def _found_and_accused(counted: Document, kind: str, symbol: str, positions: Sequence[str]) -> Panel:
    series = [
        Series(
            f"{NAMES[name]}, {told}",
            tuple(as_rate(counted[position][name][what]) for position in positions),
            dashed=what == "accused",
        )
        for what, told in (("found", "hijacked photographs found"), ("accused", "clean photographs accused"))
        for name in NAMES
    ]
    return Panel(PHOTOGRAPHS[kind], tuple(f"{symbol} {position}" for position in positions), tuple(series))


def _places_and_lengths(counted: Document, kind: str) -> Panel:
    series = [
        Series(
            f"{NAMES[name]}, {place}", tuple(as_rate(counted[place][str(tau)][name]) for tau in TAUS), name == "eftclip"
        )
        for name in NAMES
        for place in PLACES
    ]
    return Panel(PHOTOGRAPHS[kind], tuple(f"tau {tau}" for tau in TAUS), tuple(series))


def _rows(cells: Sequence[Document]) -> list[list[str]]:
    """One for the poisoned checkpoint, and one for each way to mend it."""
    rows = [["the poisoned checkpoint", *_measured(cells[0]["before"]), "-", "-"]] if cells else []
    for cell in cells:
        victims = _said(cell["scan"]["victim_recall"]) if "scan" in cell else "-"
        if "after" in cell:
            rows.append([WAYS[cell["mended"]], *_measured(cell["after"]), _said(cell["kept"]), victims])
        else:
            rows.append([WAYS[cell["mended"]], "no trigger found", "-", "-", "-", victims])
    return rows


def _measured(one: Document) -> list[str]:
    return [_said(one[name]) for name in ("attack_worst", "clean", "poisoned_worst")]


def _said(counted: Document) -> str:
    """`12/300 (2 % to 7 %)`."""
    rate: Rate = as_rate(counted)
    low, high = rate.interval()
    return f"{rate.hits}/{rate.total} ({low:.0%} to {high:.0%})" if rate.total else "0/0"
