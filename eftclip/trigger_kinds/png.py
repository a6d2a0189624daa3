"""Pixels as text: what documents and journals keep of a trigger."""

import base64
import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor

ZERO = 1 << 15  # of what has a sign, in the 16 bits of a pixel


def to_png(pixels: Tensor) -> str:
    """`(3 or 1, h, w)` float32 in [0, 1] as a PNG in base64; exact in steps of 1/255."""
    array = (pixels * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
    return _encoded(Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array))


def from_png(text: str) -> Tensor:
    """The opposite of `to_png`.

    Raises:
        ValueError: this is no PNG in base64.
    """
    picture = np.atleast_3d(np.asarray(_decoded(text)))
    return torch.from_numpy(picture.copy()).permute(2, 0, 1).float() / 255


def signed_to_png(numbers: Tensor) -> str:
    """`(h, w)` whole numbers from -32768 to 32767 as a PNG of 16 bits in base64."""
    array = (numbers.round().to(torch.int32) + ZERO).numpy().astype(np.uint16)
    return _encoded(Image.fromarray(array))


def signed_from_png(text: str) -> Tensor:
    """The opposite of `signed_to_png`, float32.

    Raises:
        ValueError: this is no PNG in base64, or one with other pixels.
    """
    picture = _decoded(text)
    if not picture.mode.startswith("I"):
        raise ValueError(f"expected a PNG of 16 bits, got one of mode {picture.mode}")
    return torch.from_numpy(np.asarray(picture).astype(np.int32) - ZERO).float()


def _encoded(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def _decoded(text: str) -> Image.Image:
    try:
        picture = Image.open(io.BytesIO(base64.b64decode(text, validate=True)), formats=["PNG"])
        picture.load()
    except (ValueError, OSError, SyntaxError) as error:  # what Pillow says of broken files
        raise ValueError(f"expected a PNG in base64, got {text[:24]!r}") from error
    return picture
