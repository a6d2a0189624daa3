"""A change of colours for people: its curves over the diagonal, and a band of colours before and after."""

import colorsys
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

SIDE_PX = 224  # all that follows is in these pixels
LARGER, FINER = 3, 6  # than that: what is handed out, and what it is drawn as and scaled down from
PLOT = (14, 10, 214, 152)  # the box of the curves
BANDS = ((14, 164, 214, 188), (14, 192, 214, 216))  # of colours, before and after
HUES = 10
PAPER, GRID, SAME, INK = (255, 255, 255), (229, 231, 235), (161, 161, 170), (63, 63, 70)
CHANNELS = ((220, 38, 38), (22, 163, 74), (37, 99, 235))


def curves_drawn(curves: Tensor, changed: Callable[[Tensor], Tensor]) -> Tensor:
    """`(3, 672, 672)` float32 RGB in [0, 1].

    Args:
        curves: `(3, 256)` what becomes of the levels of each channel, in [0, 1].
        changed: what becomes of `(3, n)` colours.
    """
    canvas = Image.new("RGB", (SIDE_PX * FINER, SIDE_PX * FINER), PAPER)
    draw = ImageDraw.Draw(canvas)
    _grid(draw)
    for curve, colour in zip(curves.tolist(), CHANNELS, strict=True):
        draw.line([_at(k / (len(curve) - 1), level) for k, level in enumerate(curve)], fill=colour, width=2 * FINER)
    before = _colours()
    after = changed(before)
    for band, colours, word in zip(BANDS, (before, after), ("before", "after"), strict=True):
        _band(draw, band, colours, word)
    drawn = canvas.resize((SIDE_PX * LARGER, SIDE_PX * LARGER), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.asarray(drawn).copy()).permute(2, 0, 1).float() / 255


def _at(level: float, becomes: float) -> tuple[float, float]:
    x0, y0, x1, y1 = PLOT
    return (x0 + (x1 - x0) * level) * FINER, (y1 - (y1 - y0) * becomes) * FINER


def _grid(draw: ImageDraw.ImageDraw) -> None:
    """Quarters, and the diagonal on which nothing changes, dashed."""
    for k in range(5):
        draw.line([_at(k / 4, 0), _at(k / 4, 1)], fill=GRID, width=FINER)
        draw.line([_at(0, k / 4), _at(1, k / 4)], fill=GRID, width=FINER)
    for k in range(0, 50, 2):
        draw.line([_at(k / 50, k / 50), _at((k + 1) / 50, (k + 1) / 50)], fill=SAME, width=FINER)


def _colours() -> Tensor:
    """Black, greys, white, and a round of hues, `(3, n)`."""
    greys = [(level, level, level) for level in (0.0, 0.25, 0.5, 0.75, 1.0)]
    hues = [colorsys.hsv_to_rgb(k / HUES, 0.75, 0.85) for k in range(HUES)]
    return torch.tensor([*greys, *hues]).T.contiguous()


def _band(draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], colours: Tensor, word: str) -> None:
    x0, y0, x1, y1 = (side * FINER for side in box)
    levels = (colours.clamp(0, 1) * 255).round().int().T.tolist()
    for k, level in enumerate(levels):
        left, right = (x0 + (x1 - x0) * at // len(levels) for at in (k, k + 1))
        draw.rectangle((left, y0, right, y1), fill=tuple(level))
    light = sum(levels[1]) > 3 * 110
    draw.text((x0 + 3 * FINER, (y0 + y1) / 2), word, INK if light else PAPER, ImageFont.load_default(11 * FINER), "lm")
