"""What one photograph gives: how it is read, what ours says, and what the paper's rule names for every τ and θ.

The picture and the regions in it are read once; the sets of the paper's algorithm for any τ and θ follow exactly, as a
shorter list is the beginning of a longer one. Ours finds the same whatever τ and θ are: they only explain there.
"""

from functools import cache

import torch
from torch import Tensor

from eftclip.detect.prompted import Difference, PromptedReadings, difference, read_prompted
from eftclip.detect.reader import Reader
from eftclip.pipeline import CheckSetup, judge_square, prepare_check
from eftclip.runtime import Stopwatch, ignore, never, seeded, settle_memory
from eftclip.triggers import draw_trigger
from eftclip.types import Oracle
from eftclip.zeroshot import probabilities
from examples.measure.photo_sets import read_square
from examples.paper.cells import TAUS, THETAS, Cell, Document, Ground

CHECKPOINT, TRIGGER, TARGET = "badnets", "badnets", "banana"
NOTHING, THE_TARGET, ANOTHER = "012"  # what the rule names


@cache
def setup_of(ground: Ground) -> CheckSetup:
    """Prepared once in every process."""
    torch.set_num_threads(1)
    settle_memory()
    source, reference = ground.checkpoints / CHECKPOINT, ground.checkpoints / "clean"
    return prepare_check(str(source), labels=ground.labels, oracle="superpixel", reference=str(reference), device="cpu")


def shown(cell: Cell, setup: CheckSetup) -> tuple[Tensor, Tensor]:
    """The photograph untouched and as the cell has it, `(3, image_px, image_px)` each, in 8-bit steps."""
    if cell.photo is None:
        raise ValueError(f"{cell.key} is no photograph")
    square = read_square(cell.photo, setup.clip.preprocess)
    changed = square
    if cell.patch_px:
        trigger = draw_trigger(TRIGGER, generator=seeded(0), patch_px=cell.patch_px)  # the same pattern at any size
        changed = trigger.plant(square[None], generator=seeded(cell.seed), position=cell.position).images[0]
    return square, (changed * 255).round() / 255


def looked_at(cell: Cell) -> Document:
    """Everything about one photograph; one that the trigger does not hijack is only read."""
    setup = setup_of(cell.ground)
    square, changed = shown(cell, setup)
    rows = probabilities(setup.clip, torch.stack([square, changed]), setup.classes)
    before, after = (setup.classes.labels[row] for row in rows.argmax(-1).tolist())
    read = {"set": cell.kind, "patch_px": cell.patch_px, "position": cell.position if cell.patch_px else ""}
    read |= {"before": before, "after": after, "hijacked": after == TARGET != before}
    if cell.patch_px and not read["hijacked"]:
        return read
    watch = Stopwatch()
    ours = judge_square(setup, changed)
    label = ours.trigger.target_label if ours.trigger else ""
    seconds, watch = watch.seconds, Stopwatch()
    readings = readings_of(setup, setup.oracle, changed, rows[1])
    named = ["".join(_code(setup, readings, difference(readings, tau, theta)) for theta in THETAS) for tau in TAUS]
    took = {"seconds": {"eftclip": round(seconds, 2), "paper": round(watch.seconds, 2)}}
    return {**read, "eftclip": {"status": ours.status.value, "label": label}, "paper": named, **took}


def readings_of(setup: CheckSetup, oracle: Oracle, image: Tensor, row: Tensor) -> PromptedReadings:
    """All that the paper's algorithm needs of a picture, for the longest list; `row` is `(C,)`.

    Raises:
        ValueError: there is no reference.
    """
    if setup.reference is None:
        raise ValueError("the paper's algorithm needs a reference checkpoint")
    read = Reader(setup.clip, setup.classes, ignore, never)
    return read_prompted(read, setup.reference, image, row, oracle.regions(image), max(TAUS))


def _code(setup: CheckSetup, readings: PromptedReadings, sets: Difference) -> str:
    if not sets.left:
        return NOTHING
    named = setup.classes.labels[int(readings.labels[sets.left[0]])]
    return THE_TARGET if named == TARGET else ANOTHER
