"""Only as many tokens as decide: a label has some twelve, and a text tower reads 77.

With a causal mask and a reading at the end mark, nothing behind that mark reaches the result; with a padding mask,
nothing of the padding does. Then the rest is cut off, and the features are the same but for rounding. Where neither
holds (SigLIP reads the last of all places, without a causal mask) the whole context is read.
"""

from copy import copy
from typing import Any, cast

from open_clip.hf_model import HFTextEncoder
from open_clip.model import CLIP, CustomTextCLIP
from open_clip.transformer import TextTransformer
from torch import Tensor, nn


def lengths(model: nn.Module, tokens: Tensor) -> Tensor:
    """How many of its tokens decide about each text.

    Args:
        model: a CLIP.
        tokens: `(N, context)` ids.

    Returns:
        `(N,)` int64, from 1 to context.
    """
    told = _ends(model, tokens)
    return tokens.new_full((len(tokens),), tokens.shape[1]) if told is None else told.clamp(0, tokens.shape[1] - 1) + 1


def encode_tokens(model: nn.Module, tokens: Tensor) -> Tensor:
    """`(N, context)` ids to `(N, D)` of unit length, from the tokens that decide alone."""
    count = int(lengths(model, tokens).max())
    reader = model if count == tokens.shape[1] else _cut(model, count)
    return cast(Tensor, reader.encode_text(tokens[:, :count], normalize=True))  # type: ignore[operator]


def _ends(model: nn.Module, tokens: Tensor) -> Tensor | None:
    """The last place that decides about each text, `(N,)`; None where all do."""
    if isinstance(model, CLIP):
        return _pooled(tokens, model.attn_mask, model.text_pool_type, model.text_eos_id)
    text = model.text if isinstance(model, CustomTextCLIP) else None
    if isinstance(text, TextTransformer) and text.cls_emb is None:
        return _pooled(tokens, text.attn_mask, text.pool_type, text.eos_id)
    if isinstance(text, HFTextEncoder):
        padding = text.config.pad_token_id
        return ((tokens != padding).long() * _places(tokens)).amax(-1)
    told = getattr(model, "last_token_read", None)  # of models that are not open_clip's
    return None if told is None else cast(Tensor, told(tokens))


def _pooled(tokens: Tensor, mask: Tensor | None, pool: str, end: int | None) -> Tensor | None:
    """Where open_clip's `text_global_pool` reads."""
    if mask is None or pool not in ("argmax", "eos"):
        return None
    return tokens.argmax(-1) if pool == "argmax" else tokens.eq(end or 0).int().argmax(-1)


def _places(tokens: Tensor) -> Tensor:
    return tokens.new_ones(tokens.shape).cumsum(-1) - 1


def _cut(model: nn.Module, count: int) -> nn.Module:
    """The same model, sharing all weights, for texts of `count` tokens; the model itself is not touched."""
    text = model.text if isinstance(model, CustomTextCLIP) else model
    if not isinstance(text, CLIP | TextTransformer):
        return model  # its positions and masks are made for what comes in
    short: Any = copy(text)
    positions, mask = text.positional_embedding, cast(Tensor, text.attn_mask)
    short._parameters = {**text._parameters, "positional_embedding": nn.Parameter(positions[:count], False)}
    short._buffers = {**text._buffers, "attn_mask": mask[:count, :count]}
    if text is model:
        return cast(nn.Module, short)
    whole: Any = copy(model)
    whole._modules = {**model._modules, "text": short}
    return cast(nn.Module, whole)
