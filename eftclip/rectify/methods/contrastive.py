"""The paper's: CLIP's own loss on the curated pictures with their restored captions."""

import torch
from torch import Tensor

from eftclip.config import RectifyConfig
from eftclip.rectify.batches import Batch
from eftclip.rectify.methods.base import Method, Student, Teacher
from eftclip.rectify.methods.clip_loss import clip_loss


def loss(student: Student, batch: Batch, teacher: Teacher, config: RectifyConfig) -> Tensor:
    """Victims come as they were found and with their trigger removed, each time with the label that was restored."""
    del config
    return clip_loss(student, torch.cat([batch.clean, batch.found]), batch.rows.repeat(2), teacher)


METHOD = Method(
    loss,
    trains_text=False,
    distils=False,
    frozen=0.0,
    images_per_view=2,
    title="Contrastive",
    about="CLIP's own loss on the curated pictures with their restored labels",
)
