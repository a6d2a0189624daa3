"""Pixels as text: what documents and journals keep of a trigger."""

import base64
import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def to_png(pixels: Tensor) -> str:
    """`(3 or 1, h, w)` float32 in [0, 1] as a PNG in base64; exact in steps of 1/255."""
    array = (pixels * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
    buffer = io.BytesIO()
    Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def from_png(text: str) -> Tensor:
    """The opposite of `to_png`."""
    picture = np.atleast_3d(np.asarray(Image.open(io.BytesIO(base64.b64decode(text)))))
    return torch.from_numpy(picture.copy()).permute(2, 0, 1).float() / 255
