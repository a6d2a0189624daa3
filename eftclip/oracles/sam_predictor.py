"""Segment Anything's predictor, without the work on masks that nobody keeps."""

import torch
from segment_anything import SamPredictor
from segment_anything.modeling import Sam
from torch import Tensor


class KeptMasksPredictor(SamPredictor):
    """Enlarges only masks whose predicted IoU is high enough; the others come out empty.

    For whoever drops those anyway. The published sizes enlarge every mask to 1024 × 1024 first: 0.8 GB for 64 points.
    """

    def __init__(self, sam: Sam, *, min_iou: float) -> None:
        """Wrap a network; kept are masks of a higher predicted IoU than `min_iou`, or all where that is not above 0."""
        super().__init__(sam)
        self._min_iou = min_iou

    @torch.no_grad()
    def predict_torch(
        self,
        point_coords: Tensor | None,
        point_labels: Tensor | None,
        boxes: Tensor | None = None,
        mask_input: Tensor | None = None,
        multimask_output: bool = True,
        return_logits: bool = False,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Masks `(B, C, H, W)`, predicted IoU `(B, C)` and small masks, see `SamPredictor.predict_torch`.

        Raises:
            RuntimeError: no picture is set.
        """
        if not self.is_image_set:
            raise RuntimeError("No picture is set; call set_image first.")
        points = None if point_coords is None else (point_coords, point_labels)
        sparse, dense = self.model.prompt_encoder(points=points, boxes=boxes, masks=mask_input)
        small, quality = self.model.mask_decoder(
            image_embeddings=self.features,
            image_pe=self.model.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=multimask_output,
        )
        kept = quality > self._min_iou if self._min_iou > 0 else torch.ones_like(quality, dtype=torch.bool)
        nothing = self.model.mask_threshold - 1
        masks = small.new_full((*quality.shape, *self.original_size), nothing)
        if kept.any():
            large = self.model.postprocess_masks(small[kept][:, None], self.input_size, self.original_size)
            masks[kept] = large[:, 0]
        return masks if return_logits else masks > self.model.mask_threshold, quality, small
