"""CleanCLIP: each side also learns by itself, so that what only a trigger ties together comes apart.

Bansal et al. 2023 (arXiv 2303.03323, code nishadsinghi/CleanCLIP):

    CLIP loss + w · (mean of the contrast of pictures with augmented pictures, and of captions with edited captions),

w = 1, at CLIP's temperature, pictures by AutoAugment, captions by EDA; both towers, 100,000 clean pairs, batch 64, 10
epochs, AdamW with a learning rate of 1e-5 at its highest, 50 steps of warm-up, then a cosine. Deviations: some dozens
of pictures, cut into views, their captions made of what the checkpoint reads in them; batches of 32; far fewer steps,
of which a tenth is warm-up; edits are drawn anew in each step and know synonyms of few words; no weight decay; batch
statistics and temperature stay as they are; views of one picture, and equal captions, are no negatives of each other.
"""

import torch
from torch import Tensor

from eftclip.config import RectifyConfig
from eftclip.rectify.autoaugment import autoaugmented
from eftclip.rectify.batches import Batch
from eftclip.rectify.caption_edits import edited
from eftclip.rectify.methods.base import Method, Own, Student, Teacher, own_of
from eftclip.rectify.methods.clip_loss import clip_loss_of, contrast, for_all, from_all
from eftclip.runtime import seeded

STEPS, LEARNING_RATE = 300, 1e-5
WEIGHT = 1.0


def loss(student: Student, batch: Batch, teacher: Teacher, config: RectifyConfig) -> Tensor:
    """CLIP's own loss, and each side against itself."""
    told, draws = teacher.told(batch.rows), [seeded(seed) for seed in batch.seeds.tolist()]
    others = torch.stack([autoaugmented(view, draw) for view, draw in zip(batch.clean, draws, strict=True)])
    edits = [edited(caption, draw) for caption, draw in zip(told, draws, strict=True)]
    images, texts = student(torch.cat([batch.clean, others]), [*told, *edits])
    rows = batch.rows.to(images.device)
    sides = (_by_itself(images, rows, teacher) + _by_itself(texts, teacher.groups(batch.rows), teacher)) / 2
    across = clip_loss_of(images.chunk(2)[0], texts.chunk(2)[0], batch.rows, teacher)
    return for_all(across + own_of(config, "weight") * sides, teacher.processes)


def _by_itself(features: Tensor, groups: Tensor, teacher: Teacher) -> Tensor:
    """Features, first as they are and then augmented, `(2 N, D)`: how surely each finds its other half."""
    plain, augmented, numbers = (from_all(part, teacher.processes) for part in (*features.chunk(2), groups))
    return contrast(plain, augmented, numbers, teacher)


METHOD = Method(
    loss,
    trains_text=True,
    distils=False,
    frozen=0.0,
    images_per_view=2,
    title="CleanCLIP",
    about="CLIP's own loss on clean pairs, and each side's pictures or captions against altered ones",
    sees_triggers=False,
    steps=STEPS,
    learning_rate=LEARNING_RATE,
    own={"weight": Own(WEIGHT, 0.0, 100.0, "of what each side learns by itself")},
)
