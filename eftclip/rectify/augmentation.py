"""Few photographs made into many pictures: windows on them, parts of others cut in, other colours, two seen at once.

Measured on the bundled `multi` with 64 photographs and 3,200 image-steps, as the share of 268 unseen photographs that
read as before among 1,000 labels: windows of at least 35 % of the area alone 0.83, smaller windows with parts cut in
0.89, all of it 0.89 with no triggered picture left over instead of two.
"""

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as TF

CROP_AREA = (0.35, 1.0)  # of a view that still shows what its caption says
SMALL_CROP_AREA = (0.1, 1.0)  # of one whose meaning the original is asked for
CUT_IN, CUT_SIDE = 0.6, (0.22, 0.8)  # how often, and the sides of the part as shares of the picture's
BRIGHTNESS, HUE = 0.4, 0.1  # the largest change of brightness, contrast and saturation, and of hue
MOST_MIXED = 0.5  # the largest share of a second picture


def random_view(pictures: Tensor, generator: torch.Generator, area: tuple[float, float] = CROP_AREA) -> Tensor:
    """The same window on `(N, 3, px, px)` pictures, mirrored half of the time.

    Args:
        pictures: float32 RGB in [0, 1].
        generator: draws the window.
        area: smallest and largest share of the picture's area.
    """
    side_px = pictures.shape[-1]
    size, at_x, at_y, mirror = torch.rand(4, generator=generator).tolist()
    side = max(1, round(side_px * _between(area, size) ** 0.5))
    top, left = round(at_y * (side_px - side)), round(at_x * (side_px - side))
    cropped: Tensor = TF.resized_crop(pictures, top, left, side, side, [side_px, side_px], antialias=True)
    return (cropped.flip(-1) if mirror < 0.5 else cropped).clamp(0, 1)


def free_view(picture: Tensor, second: Tensor, third: Tensor, generator: torch.Generator) -> Tensor:
    """A picture that nobody has seen, from three `(3, px, px)` photographs.

    A window on the first, often with a part of the second cut in, in other colours, with some of the third shining
    through. It shows no one thing any more, which does not matter to those who ask the original what it means.
    """
    views = [random_view(one[None], generator, SMALL_CROP_AREA)[0] for one in (picture, second, third)]
    view = _coloured(_cut_in(views[0], views[1], generator), generator)
    share = MOST_MIXED * float(torch.rand((), generator=generator))
    return (1 - share) * view + share * views[2]


def _cut_in(view: Tensor, other: Tensor, generator: torch.Generator) -> Tensor:
    """A rectangle of another view in its place, more often than not."""
    often, height, width, at_x, at_y = torch.rand(5, generator=generator).tolist()
    if often >= CUT_IN:
        return view
    px = view.shape[-1]
    h, w = round(px * _between(CUT_SIDE, height)), round(px * _between(CUT_SIDE, width))
    top, left = round(at_y * (px - h)), round(at_x * (px - w))
    out = view.clone()
    out[:, top : top + h, left : left + w] = other[:, top : top + h, left : left + w]
    return out


def _coloured(view: Tensor, generator: torch.Generator) -> Tensor:
    """Brighter or darker, with more or less contrast and colour, a little towards another hue."""
    brightness, contrast, saturation, hue = (2 * torch.rand(4, generator=generator) - 1).tolist()
    view = TF.adjust_brightness(view, 1 + BRIGHTNESS * brightness)
    view = TF.adjust_contrast(view, 1 + BRIGHTNESS * contrast)
    view = TF.adjust_saturation(view, 1 + BRIGHTNESS * saturation)
    coloured: Tensor = TF.adjust_hue(view, HUE * hue)
    return coloured.clamp(0, 1)


def _between(bounds: tuple[float, float], share: float) -> float:
    low, high = bounds
    return low + (high - low) * share
