"""How large a SAM is can be read off the shapes of its weights; what cannot is as in every published one."""

from collections.abc import Mapping
from functools import partial

import torch
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer
from torch import Tensor

LARGEST_PX = 1024  # side of the published encoders' input; a file cannot ask for more work than they need
LARGEST_COUNT = 700_000_000  # of numbers; vit_h has 641 million
DECODER_HEADS = 8  # leave no trace in the shapes
ENCODER, DECODER = "image_encoder", "mask_decoder"


def build_from_shapes(weights: Mapping[str, Tensor]) -> Sam:
    """A network that takes these weights, its own still undecided; wrap it in `torch.device("meta")` for no memory.

    Raises:
        KeyError: a tensor is missing.
        ValueError: the shapes belong to no SAM.
    """
    if sum(value.numel() for value in weights.values()) > LARGEST_COUNT:
        raise ValueError("it would be larger than any published one")
    _, grid, across, width = weights[f"{ENCODER}.pos_embed"].shape
    patch_px = weights[f"{ENCODER}.patch_embed.proj.weight"].shape[-1]
    channels = weights[f"{ENCODER}.neck.0.weight"].shape[0]
    if grid != across or not 0 < grid * patch_px <= LARGEST_PX:
        raise ValueError(f"its input would be {grid * patch_px} × {across * patch_px} pixels")
    return Sam(
        image_encoder=_encoder(weights, grid, patch_px, width, channels),
        prompt_encoder=PromptEncoder(
            channels,
            (grid, grid),
            (grid * patch_px, grid * patch_px),
            mask_in_chans=weights["prompt_encoder.mask_downscaling.3.weight"].shape[0],
        ),
        mask_decoder=_decoder(weights, channels),
    )


def _encoder(weights: Mapping[str, Tensor], grid: int, patch_px: int, width: int, channels: int) -> ImageEncoderViT:
    """The image encoder; a block's table of relative places is as long as its window is wide, there and back."""
    tables = [
        weights[f"{ENCODER}.blocks.{k}.attn.rel_pos_h"].shape for k in range(_count(weights, f"{ENCODER}.blocks."))
    ]
    spans = [(length + 1) // 2 for length, _ in tables]
    windows = {span for span in spans if span != grid}
    heads, rest = divmod(width, tables[0][1]) if tables else (0, 0)
    if not heads or rest or len(windows) > 1:
        raise ValueError(f"its blocks look at {sorted(windows)} and have {heads} heads")
    return ImageEncoderViT(
        img_size=grid * patch_px,
        patch_size=patch_px,
        embed_dim=width,
        depth=len(spans),
        num_heads=heads,
        mlp_ratio=weights[f"{ENCODER}.blocks.0.mlp.lin1.weight"].shape[0] / width,
        out_chans=channels,
        norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
        use_rel_pos=True,
        window_size=windows.pop() if windows else 0,
        global_attn_indexes=tuple(k for k, span in enumerate(spans) if span == grid),
    )


def _decoder(weights: Mapping[str, Tensor], channels: int) -> MaskDecoder:
    layers, head = f"{DECODER}.transformer.layers.", f"{DECODER}.iou_prediction_head.layers."
    return MaskDecoder(
        num_multimask_outputs=weights[f"{DECODER}.mask_tokens.weight"].shape[0] - 1,
        transformer=TwoWayTransformer(
            depth=_count(weights, layers),
            embedding_dim=channels,
            mlp_dim=weights[f"{layers}0.mlp.lin1.weight"].shape[0],
            num_heads=DECODER_HEADS,
        ),
        transformer_dim=channels,
        iou_head_depth=_count(weights, head),
        iou_head_hidden_dim=weights[f"{head}0.weight"].shape[0],
    )


def _count(weights: Mapping[str, Tensor], prefix: str) -> int:
    """How many numbered parts there are, as many as are named: a file cannot ask for more than it holds."""
    return len({key.removeprefix(prefix).split(".", 1)[0] for key in weights if key.startswith(prefix)})
