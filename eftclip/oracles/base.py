"""What the oracles share: from masks and labels to regions that keep the contract of `eftclip.types.Oracle`."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from skimage.measure import label
from torch import Tensor

from eftclip.errors import OracleError
from eftclip.types import Region

MIN_PART_PX = 16  # a patch of 4 × 4 pixels, the smallest trigger there is


def check_image(image: Tensor) -> None:
    """Refuse what is not a picture.

    Raises:
        OracleError: not `(3, H, W)` float32 in [0, 1].
    """
    if image.ndim != 3 or image.shape[0] != 3 or image.dtype != torch.float32 or not image.numel():
        raise OracleError(f"An oracle needs a (3, H, W) float32 image, got {tuple(image.shape)} {image.dtype}.")
    low, high = (float(bound) for bound in image.aminmax())
    if not (low >= 0 and high <= 1):  # also false for nan
        raise OracleError(f"An oracle needs values in [0, 1], got {low:.2f} to {high:.2f}; do not normalise first.")


def regions_of(masks: Tensor, scores: Sequence[float]) -> list[Region]:
    """`(N, H, W)` bool masks, none empty, to regions with their boxes."""
    found = masks.numpy()  # numpy's any is ten times faster than torch's on bool
    columns, rows = np.asarray(found.any(1)), np.asarray(found.any(2))
    x0, y0 = columns.argmax(1), rows.argmax(1)
    x1 = masks.shape[2] - columns[:, ::-1].argmax(1)
    y1 = masks.shape[1] - rows[:, ::-1].argmax(1)
    boxes = np.stack([x0, y0, x1, y1], 1).tolist()
    return [Region(mask, (a, b, c, d), s) for mask, (a, b, c, d), s in zip(masks, boxes, scores, strict=True)]


def parts(labels: Tensor, *, min_area_px: int = 1) -> Tensor:
    """`(H, W)` integer labels, 0 for nothing, to `(N, H, W)` bool masks of the labels 1, 2, … that are large enough."""
    areas = labels.flatten().bincount()
    areas[0] = 0
    return labels == (areas >= min_area_px).nonzero()[:, :, None]


def remainder(masks: Tensor) -> Tensor:
    """What the `(N, H, W)` masks leave uncovered: its connected parts, and all its crumbs together as one more."""
    rest = ~masks.any(0)
    large = parts(connected(rest), min_area_px=MIN_PART_PX)
    crumbs = rest & ~large.any(0)
    return torch.cat([large, crumbs[None]]) if crumbs.any() else large


def connected(mask: Tensor) -> Tensor:
    """The connected parts (four neighbours) of a `(H, W)` bool mask, numbered from 1; 0 outside."""
    return torch.from_numpy(label(mask.numpy(), connectivity=1))


def tidy(regions: Iterable[Region]) -> tuple[Region, ...]:
    """Largest first, without doubles."""
    kept: defaultdict[tuple[int, tuple[int, int, int, int]], list[Region]] = defaultdict(list)
    for region in regions:
        alike = kept[-region.area_px, region.box]
        if not any(torch.equal(region.mask, other.mask) for other in alike):
            alike.append(region)
    return tuple(region for key in sorted(kept) for region in kept[key])
