"""Recognising a trigger that was proven before: one look per exemplar instead of a search."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from eftclip.trigger_kinds import Trigger
from eftclip.types import Box

TRIED = 4  # exemplars of a family that are looked for


class Recognised(NamedTuple):
    """A known trigger in a picture.

    Attributes:
        family: its number.
        mask: `(H, W)` bool, where it is.
        trigger: the exemplar that it looks like.
    """

    family: int
    mask: Tensor
    trigger: Trigger


def recognise(image: Tensor, known: Iterable[tuple[int, Sequence[Trigger]]]) -> Recognised | None:
    """Find what in a picture looks most like a known trigger.

    Args:
        image: `(3, H, W)` float32 RGB in [0, 1].
        known: (number, exemplars) of the families that come into question.

    Returns:
        None when nothing looks like one. Whether it acts as one has still to be tried: remove it and read again.
    """
    best: tuple[float, Recognised] | None = None
    for number, exemplars in known:
        for trigger in exemplars[:TRIED]:
            seen = trigger.locate(image)
            if seen is not None and (best is None or seen.error < best[0]):
                best = seen.error, Recognised(number, seen.mask, trigger)
    return best[1] if best else None


def without_trigger(image: Tensor, exemplars: Sequence[Trigger], box: Box) -> Tensor:
    """A picture without its trigger: along its outline where an exemplar is recognised, else all of its box.

    Args:
        image: `(3, H, W)` float32 RGB in [0, 1].
        exemplars: of the family whose trigger it carries.
        box: XYXY pixels around it.
    """
    seen = recognise(image, [(0, exemplars)])
    if seen is not None:
        return seen.trigger.remove(image, seen.mask)
    mask = torch.zeros(image.shape[-2:], dtype=torch.bool)
    x0, y0, x1, y1 = box
    mask[y0:y1, x0:x1] = True
    return exemplars[0].remove(image, mask)
