"""What there is to do, cell by cell, and the file of those that are done, so that a run that was stopped goes on."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eftclip.triggers import Position
from examples.measure.photo_sets import Photo, spread, unseen

Document = dict[str, Any]
SETS = ("imagenet", "caltech")
PATCH_PX = (8, 16)  # ρ
PLACES: tuple[Position, ...] = ("random", "top-left", "bottom-right")  # μ
THETAS = (0.3, 0.4, 0.5, 0.6, 0.66, 0.7, 0.8, 0.9)
TAUS = (1, 2, 3, 5, 10, 15, 20, 30)
THETA, TAU = 0.66, 10
MENDED = ("eftclip", "paper", "finetune", "cleanclip")


@dataclass(frozen=True)
class Ground:
    """What stays the same for the whole run."""

    images: Path
    checkpoints: Path
    labels: str
    scanned: int
    measured: int
    steps: int


@dataclass(frozen=True)
class Cell:
    """One thing to do: a photograph with a trigger of one size at one place, or without; or a way to mend.

    Attributes:
        ground: of the run.
        kind: of the photographs, one of `SETS`.
        photo: None where a checkpoint is mended.
        seed: draws the place.
        patch_px: ρ; 0 without a trigger.
        position: μ.
        mended: one of `MENDED`; empty for a photograph.
    """

    ground: Ground
    kind: str
    photo: Photo | None = None
    seed: int = 0
    patch_px: int = 0
    position: Position = "random"
    mended: str = ""

    @property
    def key(self) -> str:
        """Its name in the file."""
        if self.photo is None:
            return f"mend {self.kind} {self.mended}"
        where = f" {self.patch_px} {self.position}" if self.patch_px else ""
        return f"{self.photo.name}{where}"


def all_cells(ground: Ground, per_set: int) -> list[Cell]:
    """Everything there is to do; the longest first, so that no process is left with one at the end."""
    photos = unseen(ground.images)
    cells = [Cell(ground, kind, mended=name) for name in MENDED for kind in SETS]
    for kind in SETS:
        for k, photo in enumerate(spread([photo for photo in photos if photo.kind == kind], per_set)):
            cells.append(Cell(ground, kind, photo, k))
            cells += [Cell(ground, kind, photo, k, px, place) for px in PATCH_PX for place in PLACES]
    return cells


class Finished:
    """The cells that are done, in a file that is whole after every one of them."""

    def __init__(self, path: Path, about: Document) -> None:
        """Take up what is there.

        Raises:
            SystemExit: the file is of another run.
        """
        self._path, self._about, self.cells = path, about, dict[str, Document]()
        if path.exists():
            kept = json.loads(path.read_text(encoding="utf-8"))
            if kept["about"] != about:
                raise SystemExit(f"{path} is of another run ({kept['about']}); delete it, or name another --out.")
            self.cells = kept["cells"]

    def open(self, cells: Sequence[Cell]) -> list[Cell]:
        """Those that are not done yet."""
        return [cell for cell in cells if cell.key not in self.cells]

    def add(self, key: str, done: Document) -> None:
        """One more; written beside and moved into place, so that a kill leaves the file whole."""
        self.cells[key] = done
        beside = self._path.with_suffix(".part")
        text = json.dumps({"about": self._about, "cells": self.cells}, ensure_ascii=False, allow_nan=False, indent=0)
        beside.write_text(text + "\n", encoding="utf-8")
        beside.replace(self._path)
