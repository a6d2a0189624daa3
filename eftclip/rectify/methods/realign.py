"""Ours: a triggered picture must mean what the original sees in it without the trigger (method.md section 4)."""

import torch
from torch import Tensor

from eftclip.config import RectifyConfig
from eftclip.rectify.batches import Batch
from eftclip.rectify.methods.base import Method, Student, Teacher

# A checkpoint that reads badly is so unsure of everything that a change deep in it is another reading elsewhere: on
# `effnet-weak-badnets16-0` 162 of 200 other photographs read as before with a tenth of the weights left as they are and
# 175 with so many, on a small transformer 175 and 184; the trigger was left with 2 and 2, 1 and 3 of 200. With 0.85 of
# them the first keeps 185, but of the transformer's pictures with the trigger 22 were left.
UNSURE = 0.4


def loss(student: Student, batch: Batch, teacher: Teacher, config: RectifyConfig) -> Tensor:
    """Move triggered pictures, keep clean ones.

        mean(1 − cos(new(x ⊕ t), old(x))) + λ · mean(1 − cos(new(x), old(x)))

    No label is needed, and the original is asked about clean pictures only, where it can be trusted.
    """
    wanted = teacher.features(batch.clean)
    features, _ = student(torch.cat([batch.clean, batch.triggered]))
    kept, mended = features.chunk(2)
    return _away(mended, wanted) + config.keep_weight * _away(kept, wanted)


def _away(features: Tensor, wanted: Tensor) -> Tensor:
    """The mean of 1 − cosine."""
    return (1 - (features * wanted).sum(-1)).mean()


METHOD = Method(
    loss,
    trains_text=False,
    distils=True,
    frozen=0.1,
    frozen_if_unsure=UNSURE,
    images_per_view=2,
    sparing=True,
    title="Realign",
    about="triggered pictures must mean what the original sees without the trigger; needs no labels",
)
