"""Ours: a triggered picture must mean what the original sees in it without the trigger (method.md section 4)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from eftclip.config import RectifyConfig
from eftclip.rectify.activations import last_map
from eftclip.rectify.batches import Batch
from eftclip.rectify.methods.base import Method, Preparation, Prepared, Student, Teacher

# A checkpoint that reads badly is so unsure of everything that a change deep in it is another reading elsewhere: with
# the cosine alone, `effnet-weak-badnets16-0` reads 175 of 200 photographs as before with so many of its first weights
# left as they are, and 162 with a tenth. With 0.85, a small transformer's trigger was left with 22 of 200.
UNSURE = 0.4


def prepare(before: Preparation) -> Prepared:
    """Look for the map whose places are held on to, too."""
    found = last_map(before.clip, before.pictures[:1])
    return Prepared(found_out=(found,) if found else ())


def loss(student: Student, batch: Batch, teacher: Teacher, config: RectifyConfig) -> Tensor:
    """Move triggered pictures, keep clean ones.

        mean d(new(x ⊕ t), old(x)) + λ · mean d(new(x), old(x)),    d = 1 − cos + |Δmap|² / |map|²

    The map is the last one before a convolutional tower makes one vector of it: what every place of a picture gives is
    much more to learn from than their mean (Romero et al. 2015, "FitNets", hints). Towers without one have the cosine
    alone. No label is needed, and the original is asked about clean pictures only, where it can be trusted.
    """
    layers: Sequence[str] = teacher.found_out or ()
    wanted = teacher.answers(batch.clean, layers)
    features, _, *maps = student(torch.cat([batch.clean, batch.triggered]), layers=layers)
    kept, mended = zip(*(answer.chunk(2) for answer in (features, *maps)), strict=True)
    return _away(mended, wanted) + config.keep_weight * _away(kept, wanted)


def _away(read: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """How far what is read lies from what is wanted, features and then maps: d, the mean over the pictures."""
    away = 1 - (read[0] * wanted[0]).sum(-1)
    for one, other in zip(read[1:], wanted[1:], strict=True):
        moved, whole = one.flatten(1).float() - other.flatten(1).float(), other.flatten(1).float()
        away = away + moved.square().sum(1) / whole.square().sum(1).clamp(min=1e-6)
    return away.mean()


METHOD = Method(
    loss,
    prepare=prepare,
    trains_text=False,
    distils=True,
    frozen=0.1,
    frozen_if_unsure=UNSURE,
    images_per_view=2,
    sparing=True,
    title="Realign",
    about="triggered pictures must mean what the original sees without the trigger; needs no labels",
)
