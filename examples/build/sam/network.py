"""The network: Segment Anything's own classes, smaller than any published size."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer
from torch import Tensor

ALIKE_TIMES = 2.5  # then the pixels under a point get some twenty times the attention of the others
Points = tuple[Tensor, Tensor]  # (n, k, 2) XY pixels of the encoder's input, and (n, k) labels: 1 inside, 0 outside


@dataclass(frozen=True)
class Size:
    """What the published sizes have 1024, 768, 12, 12, 14, (2, 5, 8, 11), 256, 2048 and 256 for.

    A trigger of 16 pixels in a picture of 224 is 23 pixels wide for this encoder, and 6 in the masks before they are
    enlarged: too fine for tokens of 16 pixels on the picture as it is, which is why it is enlarged at all.
    """

    side_px: int = 320
    width: int = 192
    depth: int = 8
    heads: int = 6
    window: int = 10
    global_blocks: Sequence[int] = (1, 3, 5, 7)
    channels: int = 128
    decoder_mlp: int = 512
    quality_hidden: int = 128


def build(size: Size) -> Sam:
    """The network with random weights, but for `_places_attend_to_themselves`."""
    grid = size.side_px // 16
    sam = Sam(
        image_encoder=ImageEncoderViT(
            img_size=size.side_px,
            embed_dim=size.width,
            depth=size.depth,
            num_heads=size.heads,
            out_chans=size.channels,
            norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
            use_rel_pos=True,
            window_size=size.window,
            global_attn_indexes=tuple(size.global_blocks),
        ),
        prompt_encoder=PromptEncoder(size.channels, (grid, grid), (size.side_px, size.side_px), mask_in_chans=16),
        mask_decoder=MaskDecoder(
            num_multimask_outputs=3,
            transformer=TwoWayTransformer(depth=2, embedding_dim=size.channels, mlp_dim=size.decoder_mlp, num_heads=8),
            transformer_dim=size.channels,
            iou_head_depth=3,
            iou_head_hidden_dim=size.quality_hidden,
        ),
    )
    _places_attend_to_themselves(sam.mask_decoder.transformer)
    return sam


@torch.no_grad()
def _places_attend_to_themselves(transformer: TwoWayTransformer) -> None:
    """Start with queries and keys alike between prompts and pixels, so that a point finds the pixels where it is.

    Places are told by random waves, and two random projections of them have nothing in common: a network that starts
    so has to find out first that a point is about what lies under it, which takes it longer than all the rest.
    """
    crossing = [transformer.final_attn_token_to_image]
    for layer in transformer.layers:
        crossing += [layer.cross_attn_token_to_image, layer.cross_attn_image_to_token]
    for attention in crossing:
        attention.q_proj.weight.mul_(ALIKE_TIMES)
        attention.k_proj.weight.copy_(attention.q_proj.weight)


def encode(sam: Sam, pictures: Tensor) -> Tensor:
    """`(b, 3, h, h)` float32 RGB in [0, 1] to embeddings `(b, channels, side / 16, side / 16)`."""
    side = sam.image_encoder.img_size
    enlarged = torch.nn.functional.interpolate(pictures, side, mode="bilinear", align_corners=False)
    return sam.image_encoder(sam.preprocess(enlarged * 255))


def decode(
    sam: Sam,
    embeddings: Tensor,
    *,
    points: Points | None = None,
    boxes: Tensor | None = None,
    masks: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """All four masks for one prompt each: what `Sam.forward` does picture by picture, for all pictures at once.

    Prompts are embedded in full precision: half precision would move the points by whole pixels.

    Args:
        sam: the network.
        embeddings: `(n, channels, g, g)`, that of each prompt's picture, so repeated where a picture has several.
        points: see `Points`.
        boxes: `(n, 4)` XYXY pixels of the encoder's input.
        masks: `(n, 1, 4g, 4g)` logits of an earlier round.

    Returns:
        logits `(n, 4, 4g, 4g)`, the first for prompts that say it all and the others for those that do not, and the
        IoU predicted for each `(n, 4)`.
    """
    with torch.autocast(embeddings.device.type, enabled=False):
        sparse, dense = sam.prompt_encoder(points=points, boxes=boxes, masks=masks)
        places = sam.prompt_encoder.get_dense_pe().expand(len(embeddings), -1, -1, -1)
    decoder = sam.mask_decoder
    known = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
    tokens = torch.cat([known.expand(len(sparse), -1, -1), sparse], 1)
    seen, pixels = decoder.transformer(embeddings + dense, places, tokens)
    enlarged = decoder.output_upscaling(pixels.transpose(1, 2).reshape(embeddings.shape))
    filters = [mlp(seen[:, 1 + k]) for k, mlp in enumerate(decoder.output_hypernetworks_mlps)]
    logits = torch.einsum("nkc,nchw->nkhw", torch.stack(filters, 1), enlarged)
    return logits.float(), decoder.iou_prediction_head(seen[:, 0]).float()
