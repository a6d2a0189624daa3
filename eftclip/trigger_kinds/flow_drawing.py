"""A flow for people: arrows over a picture, and a board of squares to see it on where there is no picture."""

import math

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

ROWS = 14  # of arrows, over the shorter side
SQUARES = 7
LONGEST = 1.1  # of the distance between two arrows
LARGER, FINER = 3, 6  # than the picture: what is handed out, and what it is drawn as and scaled down from
FADED = 0.55  # white over the picture, so that arrows stand out
ARROW, HALO = (190, 18, 60), (255, 255, 255)
LIGHT, DARK = 0.97, 0.78  # of the squares


def squares(height: int, width: int) -> Tensor:
    """A board of light and dark squares, `(3, height, width)`."""
    side = max(1, min(height, width) // SQUARES)
    dark = (torch.arange(height)[:, None] // side + torch.arange(width)[None] // side) % 2
    return (LIGHT - (LIGHT - DARK) * dark.float()).expand(3, height, width).clone()


def arrows(image: Tensor, flow: Tensor) -> Tensor:
    """A faded, larger copy of a `(3, H, W)` picture, with arrows from where pixels are fetched to where they come.

    The arrows are amplified alike, the longest to about the distance of two. `flow` is `(2, H, W)`, pixels.
    """
    height, width = image.shape[-2:]
    pale = (image * (1 - FADED) + FADED).clamp(0, 1).mul(255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
    canvas = Image.fromarray(np.ascontiguousarray(pale)).resize((width * FINER, height * FINER))
    draw, apart = ImageDraw.Draw(canvas), min(height, width) / ROWS
    scale = LONGEST * apart / max(1e-6, float(flow.square().sum(0).max()) ** 0.5)
    for y in torch.arange(apart / 2, height, apart).tolist():
        for x in torch.arange(apart / 2, width, apart).tolist():
            dx, dy = (-scale * flow[:, int(y), int(x)]).tolist()
            _arrow(draw, (x - dx / 2, y - dy / 2), (x + dx / 2, y + dy / 2), apart)
    drawn = canvas.resize((width * LARGER, height * LARGER), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.asarray(drawn).copy()).permute(2, 0, 1).float() / 255


def _arrow(draw: ImageDraw.ImageDraw, start: tuple[float, float], end: tuple[float, float], apart: float) -> None:
    """One arrow with a white rim; a dot where it is too short for a head."""
    (x0, y0), (x1, y1) = ((x * FINER, y * FINER) for x, y in (start, end))
    length, thick = math.hypot(x1 - x0, y1 - y0), apart * FINER / 11
    if length < 2 * thick:
        draw.circle((x1, y1), thick * 0.8, fill=ARROW)
        return
    head = min(apart * FINER / 3, 0.6 * length)
    ux, uy = (x1 - x0) / length, (y1 - y0) / length
    neck = (x1 - head * ux, y1 - head * uy)
    for rim, colour in ((0.6 * thick, HALO), (0.0, ARROW)):
        draw.line([(x0, y0), neck], fill=colour, width=round(thick + 2 * rim))
        wide, tip = 0.55 * head + rim, 2 * rim
        draw.polygon(
            [
                (x1 + tip * ux, y1 + tip * uy),
                (neck[0] - rim * ux - wide * uy, neck[1] - rim * uy + wide * ux),
                (neck[0] - rim * ux + wide * uy, neck[1] - rim * uy - wide * ux),
            ],
            fill=colour,
        )
