"""Labels and templates to a class matrix; what was read once for a text side is kept."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from open_clip.zero_shot_metadata import SIMPLE_IMAGENET_TEMPLATES
from torch import Tensor

from eftclip.errors import DataError
from eftclip.runtime import Cancelled, OnProgress, Progress, ignore, never
from eftclip.types import ClassMatrix, ClipModel
from eftclip.zeroshot import kept_matrices
from eftclip.zeroshot.short_texts import encode_tokens, lengths

TEMPLATES: tuple[Callable[[str], str], ...] = tuple(SIMPLE_IMAGENET_TEMPLATES)
TEXTS_PER_BATCH = 256
STAGE = "Reading the labels"


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
    on_progress(Progress(STAGE, 0, len(texts)))
    key = kept_matrices.key_of(clip, texts)
    known = kept_matrices.find(key, len(labels))
    if known is not None and not cancelled():
        on_progress(Progress(STAGE, len(texts), len(texts)))
        return ClassMatrix(tuple(labels), known)
    mean = _read(clip, clip.tokenizer(texts), on_progress, cancelled).view(len(labels), len(TEMPLATES), -1).mean(1)
    matrix = F.normalize(mean, dim=-1).T.contiguous()
    kept_matrices.keep(key, matrix)
    return ClassMatrix(tuple(labels), matrix)


@torch.inference_mode()
def _read(clip: ClipModel, tokens: Tensor, on_progress: OnProgress, cancelled: Cancelled) -> Tensor:
    """`(N, context)` ids to `(N, D)`, short texts first: a batch costs what its longest text costs."""
    order = lengths(clip.model, tokens).argsort(stable=True)
    parts = []
    for start in range(0, len(tokens), TEXTS_PER_BATCH):
        if cancelled():
            raise DataError("Stopped while the labels were being read; nothing was judged.")
        batch = tokens[order[start : start + TEXTS_PER_BATCH]].to(clip.device)
        parts.append(encode_tokens(clip.model, batch).float().cpu())
        on_progress(Progress(STAGE, min(start + TEXTS_PER_BATCH, len(tokens)), len(tokens)))
    return torch.cat(parts)[order.argsort()]
