"""A method of your own to begin with: copy the folder, rename what is called `my_method`, and change `loss`.

This one is knowledge distillation (Hinton, Vinyals and Dean 2015, arXiv 1503.02531): the copy must read a picture, with
a trigger or without, as the original reads it without. What is given: examples/guide/your_method.md.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from eftclip.config import RectifyConfig
from eftclip.rectify import Batch, Method, Own, Student, Teacher, own_of


def loss(student: Student, batch: Batch, teacher: Teacher, config: RectifyConfig) -> Tensor:
    """The mean Kullback-Leibler divergence of what the copy reads from what the original reads; a scalar."""
    sharpness = own_of(config, "sharpness")
    labels = teacher.text_features(tuple(dict.fromkeys(teacher.captions)))  # (L, D), each caption once
    wanted = (sharpness * teacher.features(batch.clean) @ labels.T).softmax(-1)  # ask it about untouched pictures only
    features, _ = student(torch.cat([batch.clean, batch.triggered]))  # (2 N, D); gradients flow from here
    return F.kl_div((sharpness * features @ labels.T).log_softmax(-1), wanted.repeat(2, 1), reduction="batchmean")


METHOD = Method(
    loss,
    trains_text=False,  # the image side alone learns: the trigger sits there
    distils=True,  # a mean over views of which the original says what they mean, so a step can be taken in pieces
    frozen=0.1,  # share of the weights, from the picture on, that stay as they are
    images_per_view=2,  # pictures that went through the copy for each view; the cost that is reported
    sees_triggers=True,  # False: neither triggers nor poisoned pictures are shown to it
    title="Distilled readings",
    about="pictures must read as the original reads them without the trigger, among the captions of the set",
    steps=50,  # these and the numbers below are what is left out on the command line
    batch=32,
    learning_rate=3e-4,
    own={"sharpness": Own(20.0, 1.0, 100.0, "of the readings that are compared; CLIP's own is about 100")},
)
