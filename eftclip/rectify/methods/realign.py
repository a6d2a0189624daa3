"""Ours: a triggered picture must mean what the original sees in it without the trigger (method.md section 4)."""

import torch
from torch import Tensor

from eftclip.config import RectifyConfig
from eftclip.rectify.batches import Batch
from eftclip.rectify.methods.base import Method, Student, Teacher


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
    images_per_view=2,
    sparing=True,
    title="Realign",
    about="triggered pictures must mean what the original sees without the trigger; needs no labels",
)
