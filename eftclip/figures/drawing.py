"""What all figures are drawn with: the colours, text that fits, and pictures as arrays."""

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ImageDraw, ImageFont
from torch import Tensor

Picture = NDArray[np.uint8]  # (H, W, 3) RGB
Colour = tuple[int, int, int]
INNER: Colour = (255, 45, 85)  # two tones: whatever lies underneath, one of them stands out
OUTER: Colour = (255, 255, 255)
PAPER: Colour = (255, 255, 255)
INK: Colour = (24, 24, 27)
MUTED: Colour = (113, 113, 122)
BAR: Colour = (147, 197, 253)
TRACK: Colour = (241, 245, 249)


def write(
    draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str, size_px: int, colour: Colour, room_px: int
) -> None:
    """One line of text, shortened with dots to the room there is."""
    font, line = ImageFont.load_default(size_px), " ".join(text.split())
    if draw.textlength(line, font) > room_px:
        while line and draw.textlength(f"{line}...", font) > room_px:
            line = line[:-1]
        line = f"{line.rstrip()}..."
    draw.text(place, line, colour, font)


def to_bytes(image: Tensor) -> Tensor:
    """`(3, H, W)` in [0, 1] to uint8."""
    return (image.detach().cpu().clamp(0, 1) * 255).round().to(torch.uint8)


def to_array(picture: Tensor) -> Picture:
    """`(3, H, W)` uint8 to `(H, W, 3)`."""
    return picture.permute(1, 2, 0).contiguous().numpy()
