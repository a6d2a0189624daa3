"""Perturb and Recover: away from the poisoned encoders, while CLIP's own loss holds pictures and captions together.

Singh, Croce and Hein 2024 (arXiv 2412.00727, code nmndeep/PerturbAndRecover):

    CLIP loss − w · (‖new(x) − old(x)‖² + ‖new(t) − old(t)‖²),  w = 0.5,

each distance a mean over the step's pairs that counts as 0 once it is larger than τ = 2.15. 250,000 clean pairs, batch
512 on each of four processors, 2 epochs; the learning rate falls from 3e-5 to 3e-6 over the first half, then along a
cosine. Deviations: some dozens of pictures, cut into views, their captions made of what the checkpoint reads in them,
batches of 32; no weight decay (theirs is 1e-4) and AdamW's usual moments; batch statistics stay as they are.
"""

import torch
from torch import Tensor

from eftclip.config import RectifyConfig
from eftclip.rectify.batches import Batch
from eftclip.rectify.methods.base import Method, Own, Student, Teacher, own_of
from eftclip.rectify.methods.clip_loss import clip_loss_of, for_all, from_all
from eftclip.rectify.schedules import falling

STEPS, LEARNING_RATE = 300, 3e-5
WEIGHT, TAU = 0.5, 2.15


def loss(student: Student, batch: Batch, teacher: Teacher, config: RectifyConfig) -> Tensor:
    """Perturb as long as the encoders are near the poisoned ones, recover all the time."""
    told = teacher.told(batch.rows)
    images, texts = student(batch.clean, told)
    moved = [(images, teacher.features(batch.clean)), (texts, teacher.text_features(told))]
    away = torch.stack([_distance(new, old, own_of(config, "tau"), teacher.processes) for new, old in moved]).sum()
    recovered = clip_loss_of(images, texts, batch.rows, teacher)
    return for_all(recovered - own_of(config, "weight") * away, teacher.processes)


def _distance(new: Tensor, old: Tensor, tau: float, processes: int) -> Tensor:
    """The mean squared distance, 0 where it is beyond `tau`; the farthest that two features can be apart is 4."""
    distance = from_all((new - old).square().sum(-1), processes).mean()
    return distance if float(distance.detach()) <= tau else torch.zeros_like(distance)


METHOD = Method(
    loss,
    trains_text=True,
    distils=False,
    frozen=0.0,
    images_per_view=1,
    title="Perturb and Recover",
    about="away from the poisoned encoders up to a distance, and CLIP's own loss on clean pairs",
    sees_triggers=False,
    steps=STEPS,
    learning_rate=LEARNING_RATE,
    schedule=falling,
    own={
        "tau": Own(TAU, 0.0, 4.0, "squared distance from the poisoned encoders that is enough"),
        "weight": Own(WEIGHT, 0.0, 100.0, "of the distance against CLIP's loss"),
    },
)
