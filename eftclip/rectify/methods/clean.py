"""No way to rectify: what an unsuspecting user's fine-tuning on clean pictures does; it measures the rebound."""

from torch import Tensor

from eftclip.config import RectifyConfig
from eftclip.rectify.batches import Batch
from eftclip.rectify.methods.base import Method, Student, Teacher
from eftclip.rectify.methods.clip_loss import clip_loss


def loss(student: Student, batch: Batch, teacher: Teacher, config: RectifyConfig) -> Tensor:
    """CLIP's own loss on clean pictures."""
    del config
    return clip_loss(student, batch.clean, batch.rows, teacher)


METHOD = Method(
    loss, trains_text=True, distils=False, frozen=0.0, images_per_view=1, about="CLIP's own loss on clean pictures"
)
