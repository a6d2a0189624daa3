"""How a picture becomes the square that CLIP sees, and how a mask in that square goes back to the picture."""

from dataclasses import dataclass
from typing import Literal

import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as TF

ResizeMode = Literal["shortest", "longest", "squash"]


@dataclass(frozen=True)
class Geometry:
    """Where the model's square lies in the picture: picture pixel = (square pixel + offset) / scale."""

    width: int
    height: int
    image_px: int
    scale_x: float
    scale_y: float
    offset_x: float
    offset_y: float

    def mask_to_picture(self, mask: Tensor) -> Tensor:
        """A `(image_px, image_px)` bool mask as `(height, width)` bool; nearest pixel, false outside the square."""
        ys = self._source(self.height, self.scale_y, self.offset_y)
        xs = self._source(self.width, self.scale_x, self.offset_x)
        inside_y, inside_x = (ys >= 0) & (ys < self.image_px), (xs >= 0) & (xs < self.image_px)
        limit = self.image_px - 1
        picked = mask[ys.clamp(0, limit)][:, xs.clamp(0, limit)]
        return picked & inside_y[:, None] & inside_x[None, :]

    @staticmethod
    def _source(length: int, scale: float, offset: float) -> Tensor:
        """For every picture pixel, the pixel of the square under its centre."""
        return ((torch.arange(length, dtype=torch.float64) + 0.5) * scale - offset).floor().long()


@dataclass(frozen=True)
class Preprocess:
    """A checkpoint's own preprocessing, the same arithmetic as open_clip's transform.

    Attributes:
        image_px: side of the square.
        mean, std: per channel, in [0, 1] units.
        interpolation: `bicubic` or `bilinear`.
        resize_mode: `shortest` crops the centre, `longest` pads, `squash` distorts.
    """

    image_px: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str = "bicubic"
    resize_mode: ResizeMode = "shortest"

    def square(self, picture: Image.Image) -> tuple[Tensor, Geometry]:
        """What the model sees: `(3, image_px, image_px)` float32 RGB in [0, 1], not normalised, and where it lies."""
        width, height = picture.size
        px, mode = self.image_px, InterpolationMode(self.interpolation)
        size = self._resized(width, height)
        resized = TF.resize(picture.convert("RGB"), list(size), interpolation=mode, antialias=True)
        centred = TF.center_crop(resized, [px, px])  # pads with black where the picture is smaller
        geometry = Geometry(
            width=width,
            height=height,
            image_px=px,
            scale_x=size[1] / width,
            scale_y=size[0] / height,
            offset_x=_offset(size[1], px),
            offset_y=_offset(size[0], px),
        )
        return TF.to_dtype(TF.pil_to_tensor(centred), torch.float32, scale=True), geometry

    def _resized(self, width: int, height: int) -> tuple[int, int]:
        """Height and width before cropping or padding, rounded as open_clip does it: down, but to nearest to pad."""
        px = self.image_px
        if self.resize_mode == "squash":
            return px, px
        if self.resize_mode == "shortest":
            side = min(width, height)
            return int(px * height / side), int(px * width / side)
        ratio = max(width, height) / px
        return max(1, round(height / ratio)), max(1, round(width / ratio))

    def normalise(self, images: Tensor) -> Tensor:
        """`(N, 3, H, W)` in [0, 1] to the range that the weights expect."""
        mean = torch.tensor(self.mean, device=images.device)[:, None, None]
        std = torch.tensor(self.std, device=images.device)[:, None, None]
        return (images - mean) / std


def _offset(length: int, px: int) -> int:
    """First pixel of torchvision's centre crop; negative where it pads."""
    return round((length - px) / 2.0) if length >= px else -((px - length) // 2)
