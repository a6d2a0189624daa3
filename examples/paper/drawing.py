"""Charts of counts as pictures: bars and lines with whiskers for the 95 % intervals, and tables.

The font of Pillow has no Greek letters, so they are written out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from PIL import Image, ImageDraw, ImageFont

from eftclip.figures.drawing import INK, INNER, MUTED, PAPER, TRACK, Colour, write
from eftclip.types import Rate

OURS: Colour = (37, 99, 235)
THEIRS: Colour = (217, 119, 6)
PALETTE: tuple[Colour, ...] = (OURS, THEIRS, INNER, (22, 163, 74), (147, 51, 234), (8, 145, 178))
LEFT, TOP, PLOT_H, PLOT_W, GAP = 56, 92, 240, 820, 70


@dataclass(frozen=True)
class Series:
    """One line of a chart, or the bars of one colour; a rate for each position."""

    name: str
    rates: tuple[Rate, ...]
    dashed: bool = False


@dataclass(frozen=True)
class Panel:
    """One chart.

    Attributes:
        title: over it.
        positions: what stands under it.
        series: at most as many as the palette has colours.
        bars: bars and no lines.
    """

    title: str
    positions: tuple[str, ...]
    series: tuple[Series, ...]
    bars: bool = False


def chart(head: str, note: str, panels: Sequence[Panel]) -> Image.Image:
    """Charts below each other, each from 0 to 100 %.

    Args:
        head: what is shown.
        note: the command that made it, and whatever else decides the counts.
        panels: the charts.
    """
    legend = 18 * max(len(panel.series) for panel in panels)
    block = PLOT_H + GAP + legend + 34
    canvas = Image.new("RGB", (LEFT + PLOT_W + 40, TOP + block * len(panels)), PAPER)
    draw = ImageDraw.Draw(canvas)
    _head(draw, head, note)
    for k, panel in enumerate(panels):
        top = TOP + k * block
        write(draw, (LEFT, top - 24), panel.title, 15, INK, PLOT_W)
        _axes(draw, panel, top)
        for number, series in enumerate(panel.series):
            (_bars if panel.bars else _line)(draw, panel, number, top)
            y = top + PLOT_H + 34 + 18 * number
            draw.rectangle((LEFT, y + 3, LEFT + 16, y + 11), fill=PALETTE[number])
            write(draw, (LEFT + 24, y), series.name, 13, INK, PLOT_W - 24)
    return canvas


def table(head: str, note: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> Image.Image:
    """Cells of text; the first column is wide."""
    widths = [250, *[168] * (len(names) - 1)]
    canvas = Image.new("RGB", (40 + sum(widths), TOP + 28 * (len(rows) + 1)), PAPER)
    draw = ImageDraw.Draw(canvas)
    _head(draw, head, note)
    for k, row in enumerate([names, *rows]):
        y = TOP - 18 + 28 * k
        for column, text in enumerate(row):
            write(draw, (20 + sum(widths[:column]), y), text, 14, MUTED if k == 0 else INK, widths[column] - 8)
        draw.line((20, y + 22, 20 + sum(widths), y + 22), fill=TRACK)
    return canvas


def _head(draw: ImageDraw.ImageDraw, head: str, note: str) -> None:
    write(draw, (20, 10), head, 18, INK, PLOT_W + LEFT)
    write(draw, (20, 36), note, 12, MUTED, PLOT_W + LEFT)


def _axes(draw: ImageDraw.ImageDraw, panel: Panel, top: int) -> None:
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = _y(share, top)
        draw.line((LEFT, y, LEFT + PLOT_W, y), fill=TRACK, width=2)
        draw.text((LEFT - 8, y), f"{share:.0%}", MUTED, ImageFont.load_default(12), anchor="rm")
    for k, name in enumerate(panel.positions):
        draw.text((_x(panel, k), top + PLOT_H + 10), name, INK, ImageFont.load_default(12), anchor="ma")


def _line(draw: ImageDraw.ImageDraw, panel: Panel, number: int, top: int) -> None:
    """Points with whiskers; positions without a count have none."""
    series, colour, shift = panel.series[number], PALETTE[number], 3 * number
    counted = [(_x(panel, k) + shift, rate) for k, rate in enumerate(series.rates) if rate.total]
    points = [(x, _y(rate.value, top)) for x, rate in counted]
    for (x0, y0), (x1, y1) in pairwise(points):
        if series.dashed:
            middle = ((x0 * 2 + x1) / 3, (y0 * 2 + y1) / 3), ((x0 + x1 * 2) / 3, (y0 + y1 * 2) / 3)
            draw.line(((x0, y0), middle[0]), fill=colour, width=2)
            draw.line((middle[1], (x1, y1)), fill=colour, width=2)
        else:
            draw.line(((x0, y0), (x1, y1)), fill=colour, width=3)
    for (x, rate), (_, y) in zip(counted, points, strict=True):
        draw.ellipse((x - 4, y - 4, x + 4, y + 4), fill=colour)
        _whisker(draw, x, rate, top, colour)


def _bars(draw: ImageDraw.ImageDraw, panel: Panel, number: int, top: int) -> None:
    """Bars side by side, the counts over them; a position without a count says so."""
    wide = min(44, PLOT_W // len(panel.positions) // (len(panel.series) + 1))
    for k, rate in enumerate(panel.series[number].rates):
        x = _x(panel, k) + round((number - (len(panel.series) - 1) / 2) * wide)
        if rate.total:
            draw.rectangle(
                (x - wide // 2 + 2, _y(rate.value, top), x + wide // 2 - 2, top + PLOT_H), fill=PALETTE[number]
            )
            _whisker(draw, x, rate, top, INK)
        said = f"{rate.hits}/{rate.total}" if rate.total else "none"
        draw.text((x, top + PLOT_H - 3), said, INK, ImageFont.load_default(10), anchor="ms")


def _whisker(draw: ImageDraw.ImageDraw, x: float, rate: Rate, top: int, colour: Colour) -> None:
    low, high = rate.interval()
    draw.line((x, _y(low, top), x, _y(high, top)), fill=colour, width=1)
    for end in (low, high):
        draw.line((x - 3, _y(end, top), x + 3, _y(end, top)), fill=colour, width=1)


def _x(panel: Panel, k: int) -> int:
    return LEFT + round(PLOT_W * (k + 0.5) / len(panel.positions))


def _y(share: float, top: int) -> int:
    return top + round(PLOT_H * (1 - share))
