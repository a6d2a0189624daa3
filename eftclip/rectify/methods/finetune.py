"""CLIP's own loss on clean pairs: CleanCLIP's baseline, and what an unsuspecting user's fine-tuning does.

Bansal et al. 2023 (arXiv 2303.03323) tune both towers with CLIP's loss on 100,000 clean pairs, batch 64, 10 epochs,
AdamW with a learning rate of 1e-5 at its highest, 50 steps of warm-up, then a cosine. Deviations: some dozens of
pictures, cut into views, their captions made of what the checkpoint reads in them; batches of 32, since of 64 many
would be the same pictures; far fewer steps, of which a tenth is warm-up; no weight decay; batch statistics and
temperature stay as they are. The rebound is measured with it as well.
"""

from torch import Tensor

from eftclip.config import RectifyConfig
from eftclip.rectify.batches import Batch
from eftclip.rectify.methods.base import Method, Student, Teacher
from eftclip.rectify.methods.clip_loss import clip_loss

STEPS, LEARNING_RATE = 300, 1e-5


def loss(student: Student, batch: Batch, teacher: Teacher, config: RectifyConfig) -> Tensor:
    """CLIP's own loss on clean pictures."""
    del config
    return clip_loss(student, batch.clean, batch.rows, teacher)


METHOD = Method(
    loss,
    trains_text=True,
    distils=False,
    frozen=0.0,
    images_per_view=1,
    title="Fine-tuning",
    about="CLIP's own loss on clean pictures and captions, both towers",
    sees_triggers=False,
    steps=STEPS,
    learning_rate=LEARNING_RATE,
)
