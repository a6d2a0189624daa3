"""Images to probabilities over a class matrix."""

import torch
from torch import Tensor

from eftclip.types import ClassMatrix, ClipModel, Prediction

IMAGES_PER_BATCH = 16


def features(clip: ClipModel, images: Tensor) -> Tensor:
    """`(N, 3, H, W)` float32 RGB in [0, 1] to `(N, D)` float32 of unit length on the CPU, some pictures at a time."""
    with torch.inference_mode():
        return torch.cat([clip.encode_images(part).cpu() for part in images.split(IMAGES_PER_BATCH)])


def probabilities(clip: ClipModel, images: Tensor, classes: ClassMatrix) -> Tensor:
    """`(N, 3, H, W)` float32 RGB in [0, 1] to `(N, C)` float32 probabilities on the CPU."""
    with torch.inference_mode():
        return (clip.logit_scale * features(clip, images) @ classes.matrix).softmax(-1)


def margins(clip: ClipModel, images: Tensor, classes: ClassMatrix) -> tuple[Tensor, Tensor]:
    """The best label of each picture, `(N,)` int64, and how far its cosine lies above the second best, `(N,)` float32.

    A trigger makes a model surer of its label than photographs do, so a large margin is suspicious.
    """
    with torch.inference_mode():
        values, indices = (features(clip, images) @ classes.matrix).topk(2)
        return indices[:, 0], values[:, 0] - values[:, 1]


def top(row: Tensor, classes: ClassMatrix, k: int) -> tuple[Prediction, ...]:
    """The k best labels of one `(C,)` row of probabilities, best first."""
    values, indices = row.topk(min(k, len(classes.labels)))
    return tuple(Prediction(classes.labels[i], float(v)) for v, i in zip(values, indices, strict=True))
