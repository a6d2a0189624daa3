"""Pictures on their way to a browser."""

import base64
import io

import torch
from PIL import Image

Captioned = tuple[Image.Image, str]
SHOWN_PX = 1024  # longest side of a picture that is only looked at


def to_image(pixels: torch.Tensor) -> Image.Image:
    """`(3, H, W)` float32 RGB in [0, 1] or uint8 to a picture."""
    if pixels.dtype != torch.uint8:
        pixels = (pixels * 255).round().clamp(0, 255).to(torch.uint8)
    return Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())


def png_uri(picture: Image.Image) -> str:
    """The picture itself as an address, without loss."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def preview(picture: Image.Image) -> Image.Image:
    """The picture, made smaller when it is larger than anyone needs to see."""
    small = picture.copy()
    small.thumbnail((SHOWN_PX, SHOWN_PX), Image.Resampling.LANCZOS)
    return small
