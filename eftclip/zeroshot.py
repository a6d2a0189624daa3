"""Zero-shot reading: labels and templates to a class matrix, images to probabilities."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES, SIMPLE_IMAGENET_TEMPLATES
from torch import Tensor

from eftclip.errors import DataError
from eftclip.runtime import Cancelled, OnProgress, Progress, ignore, never
from eftclip.types import ClassMatrix, ClipModel, Prediction
from eftclip.untrusted_text import plain

IMAGENET_LABELS: tuple[str, ...] = tuple(IMAGENET_CLASSNAMES)
TEMPLATES: tuple[Callable[[str], str], ...] = tuple(SIMPLE_IMAGENET_TEMPLATES)
MAX_LABELS, MAX_LABEL_CHARS = 5000, 120
TEXTS_PER_BATCH, IMAGES_PER_BATCH = 256, 16


def parse_labels(lines: Sequence[str]) -> tuple[str, ...]:
    """Clean a user's label list: trimmed, without empty lines and doubles, in order.

    Raises:
        DataError: fewer than two labels, too many, or one that is too long.
    """
    labels = tuple(dict.fromkeys(plain(" ".join(line.split())) for line in lines if line.strip()))
    if len(labels) < 2:
        raise DataError(f"Found {len(labels)} label(s); give at least two different labels, one per line.")
    if len(labels) > MAX_LABELS:
        raise DataError(f"Found {len(labels)} labels; at most {MAX_LABELS} can be read at once.")
    if too_long := [label for label in labels if len(label) > MAX_LABEL_CHARS]:
        raise DataError(f"The label {too_long[0][:40]!r}… is longer than {MAX_LABEL_CHARS} characters; shorten it.")
    return labels


def class_matrix(
    clip: ClipModel,
    labels: Sequence[str],
    *,
    on_progress: OnProgress = ignore,
    cancelled: Cancelled = never,
) -> ClassMatrix:
    """Read every label in open_clip's seven simple ImageNet templates and average.

    Returns:
        a matrix of `(D, C)`, unit columns, on the CPU.

    Raises:
        DataError: cancelled before it was complete.
    """
    texts = [template(label) for label in labels for template in TEMPLATES]
    key = _what_decides(clip, texts)
    if (known := _known(key)) is not None and not cancelled():
        on_progress(Progress("Reading the labels", len(texts), len(texts)))
        return ClassMatrix(tuple(labels), known)
    parts = []
    for start in range(0, len(texts), TEXTS_PER_BATCH):
        if cancelled():
            raise DataError("Stopped while the labels were being read; nothing was judged.")
        with torch.inference_mode():
            parts.append(clip.encode_text(texts[start : start + TEXTS_PER_BATCH]).cpu())
        on_progress(Progress("Reading the labels", min(start + TEXTS_PER_BATCH, len(texts)), len(texts)))
    mean = torch.cat(parts).view(len(labels), len(TEMPLATES), -1).mean(1)
    return ClassMatrix(tuple(labels), _remembered(key, F.normalize(mean, dim=-1).T.contiguous()))


# A thousand labels in seven templates are the slowest thing that is done before a verdict, and the checkpoint under
# test, its reference and its mended copy often have the same text side.
_MATRICES: "OrderedDict[str, Tensor]" = OrderedDict()
_GUARD, KEPT = threading.Lock(), 8


def _what_decides(clip: ClipModel, texts: Sequence[str]) -> str:
    """A digest of all that the class matrix depends on: the weights of the text side and what the tokenizer writes."""
    digest = hashlib.sha256(type(clip.model).__name__.encode())
    for name, tensor in clip.model.state_dict().items():
        if not name.startswith("visual."):
            raw = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
            digest.update(name.encode() + raw.numpy().tobytes())
    digest.update(clip.tokenizer(list(texts)).numpy().tobytes())
    return digest.hexdigest()


def _known(key: str) -> Tensor | None:
    with _GUARD:
        if key in _MATRICES:
            _MATRICES.move_to_end(key)
        return _MATRICES.get(key)


def _remembered(key: str, matrix: Tensor) -> Tensor:
    with _GUARD:
        _MATRICES[key] = matrix
        while len(_MATRICES) > KEPT:
            _MATRICES.popitem(last=False)
    return matrix


def probabilities(clip: ClipModel, images: Tensor, classes: ClassMatrix) -> Tensor:
    """`(N, 3, H, W)` float32 RGB in [0, 1] to `(N, C)` float32 probabilities on the CPU."""
    with torch.inference_mode():
        features = torch.cat([clip.encode_images(part).cpu() for part in images.split(IMAGES_PER_BATCH)])
        return (clip.logit_scale * features @ classes.matrix).softmax(-1)


def margins(clip: ClipModel, images: Tensor, classes: ClassMatrix) -> tuple[Tensor, Tensor]:
    """The best label of each picture, `(N,)` int64, and how far its cosine lies above the second best, `(N,)` float32.

    A trigger makes a model surer of its label than photographs do, so a large margin is suspicious.
    """
    with torch.inference_mode():
        cosines = torch.cat([clip.encode_images(part).cpu() for part in images.split(IMAGES_PER_BATCH)])
        values, indices = (cosines @ classes.matrix).topk(2)
        return indices[:, 0], values[:, 0] - values[:, 1]


def top(row: Tensor, classes: ClassMatrix, k: int) -> tuple[Prediction, ...]:
    """The k best labels of one `(C,)` row of probabilities, best first."""
    values, indices = row.topk(min(k, len(classes.labels)))
    return tuple(Prediction(classes.labels[i], float(v)) for v, i in zip(values, indices, strict=True))
