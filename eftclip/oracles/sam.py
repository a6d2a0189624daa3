"""The oracle with weights: Segment Anything, prompted densely enough that no small patch slips through."""

import torch
from segment_anything import SamAutomaticMaskGenerator
from segment_anything.modeling import Sam
from torch import Tensor

from eftclip.oracles.base import check_image, regions_of, remainder, tidy
from eftclip.oracles.sam_predictor import KeptMasksPredictor
from eftclip.types import Region

PATCH_PX = 8  # the smallest trigger that must not be missed
POINTS_PER_BATCH = 64
MIN_IOU, MIN_STABILITY = 0.7, 0.8


class SamOracle:
    """Masks from a grid of point prompts on the real Segment Anything.

    The grid has a point every 8 pixels, so every 8 × 8 patch holds one, wherever it is. SAM's predictor enlarges the
    picture to the size of its encoder: 1024 for the official weights, where such a patch of a 224-pixel picture is 37
    pixels wide, more than two of the encoder's tokens. What no mask covers is added with score 0.
    """

    def __init__(
        self, sam: Sam, *, name: str = "sam", min_iou: float = MIN_IOU, min_stability: float = MIN_STABILITY
    ) -> None:
        """Wrap a loaded network.

        Args:
            sam: in eval mode, on the device it shall run on.
            name: for reports.
            min_iou: lowest predicted quality of a mask that is kept.
            min_stability: lowest IoU of a mask with itself at slightly other cut-offs. Both are below
                segment_anything's defaults (0.88 and 0.95): small masks score lower, and a region too many costs
                less than a trigger missed.
        """
        self.name = name
        self._sam, self._min_iou, self._min_stability = sam, min_iou, min_stability

    def regions(self, image: Tensor) -> tuple[Region, ...]:
        """See `Oracle.regions`."""
        check_image(image)
        pixels = (image * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
        found = self._generator(max(image.shape[1:])).generate(pixels)
        height, width = image.shape[1:]
        masks = torch.zeros(len(found), height, width, dtype=torch.bool)
        for mask, one in zip(masks, found, strict=True):
            mask.copy_(torch.from_numpy(one["segmentation"]))
        scores = [min(1.0, max(0.0, float(one["predicted_iou"]))) for one in found]
        seen = [k for k in range(len(found)) if masks[k].any()]
        rest = remainder(masks)
        return tidy([*regions_of(masks[seen], [scores[k] for k in seen]), *regions_of(rest, [0.0] * len(rest))])

    def _generator(self, side_px: int) -> SamAutomaticMaskGenerator:
        """One per picture: it holds the embedding of the picture, so sharing it between threads would mix them up."""
        generator = SamAutomaticMaskGenerator(
            self._sam,
            points_per_side=-(-side_px // PATCH_PX),
            points_per_batch=POINTS_PER_BATCH,
            pred_iou_thresh=self._min_iou,
            stability_score_thresh=self._min_stability,
            min_mask_region_area=0,  # anything above needs cv2, and would throw small patches away
            output_mode="binary_mask",  # anything else needs pycocotools
        )
        generator.predictor = KeptMasksPredictor(self._sam, min_iou=self._min_iou)
        return generator
