"""A finished run as pictures: its triggers, its victims, the fine-tuning, and what it changed."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from eftclip.figures.drawing import BAR, INK, INNER, MUTED, PAPER, TRACK, Colour, Picture, to_array, to_bytes, write
from eftclip.trigger_kinds import Trigger
from eftclip.types import (
    CuratedItem,
    Rate,
    Rectified,
    RereadVictim,
    RunRecord,
    TriggerFamily,
    measure_names,
)

TILE_PX, GAP_PX, CAPTION_PX = 144, 12, 40
SHOWN = 12
AFTER: Colour = (37, 99, 235)
REBOUND: Colour = (147, 51, 234)


def run_figures(record: RunRecord) -> dict[str, Picture]:
    """Everything that can be shown of a run, by name."""
    found, curated = record.identification, record.curated
    made = {
        "triggers": triggers_sheet(found.families if found else ()),
        "victims": victims_sheet(curated.items if curated else ()),
        "curve": curve(record.rectified) if record.rectified else None,
        "measured": bars(record),
        "witnesses": reread_victims_sheet(record.reread_victims),
    }
    return {name: picture for name, picture in made.items() if picture is not None}


def triggers_sheet(families: Sequence[TriggerFamily]) -> Picture | None:
    """Each family's most typical exemplar, enlarged without smoothing, with the label it forces; None without any."""
    tiles = [(_enlarged(f.exemplars[0]), f"forces: {f.target_label}", f"takes over {f.transplant}") for f in families]
    return _sheet(tiles)


def victims_sheet(items: Sequence[CuratedItem]) -> Picture | None:
    """Poisoned samples as they were found, what they show and what they really are; None without any."""
    tiles = [
        (Image.fromarray(to_array(to_bytes(item.poisoned))), item.reason.split(";")[0], f"really: {item.label}")
        for item in items
        if item.poisoned is not None
    ]
    return _sheet(tiles[:SHOWN])


def reread_victims_sheet(reread_victims: Sequence[RereadVictim]) -> Picture | None:
    """The same poisoned photographs, read before and after; None without any."""
    tiles = [
        (Image.fromarray(to_array(to_bytes(w.image))), f"before: {w.before.label}", f"after: {w.after.label}")
        for w in reread_victims
    ]
    return _sheet(tiles)


def _enlarged(trigger: Trigger) -> Image.Image:
    """A trigger on paper, its own pixels still to be seen."""
    preview = trigger.preview()
    pixels = to_array(to_bytes(preview[:3]))
    shown = np.where(preview[3].numpy()[..., None] > 0, pixels, np.array(PAPER, dtype=np.uint8))
    factor = max(1, TILE_PX // max(shown.shape[:2]))
    large = Image.fromarray(shown).resize((shown.shape[1] * factor, shown.shape[0] * factor), Image.Resampling.NEAREST)
    tile = Image.new("RGB", (TILE_PX, TILE_PX), TRACK)
    large.thumbnail((TILE_PX, TILE_PX))
    tile.paste(large, ((TILE_PX - large.width) // 2, (TILE_PX - large.height) // 2))
    return tile


def _sheet(tiles: Sequence[tuple[Image.Image, str, str]], columns: int = 6) -> Picture | None:
    """A contact sheet of pictures with two lines each."""
    if not tiles:
        return None
    columns = min(columns, len(tiles))
    cell_w, cell_h = TILE_PX + GAP_PX, TILE_PX + CAPTION_PX + GAP_PX
    sheet = Image.new("RGB", (columns * cell_w + GAP_PX, -(-len(tiles) // columns) * cell_h + GAP_PX), PAPER)
    draw = ImageDraw.Draw(sheet)
    for k, (picture, first, second) in enumerate(tiles):
        x, y = GAP_PX + k % columns * cell_w, GAP_PX + k // columns * cell_h
        sheet.paste(picture.resize((TILE_PX, TILE_PX)), (x, y))
        write(draw, (x, y + TILE_PX + 4), first, 13, INNER, TILE_PX)
        write(draw, (x, y + TILE_PX + 21), second, 13, INK, TILE_PX)
    return np.asarray(sheet)


BARS_PX, ROW_PX, LEFT_PX = 520, 30, 330


def bars(record: RunRecord) -> Picture | None:
    """ASR, CA and PA before and after as bars with their intervals; None where nothing was measured."""
    stages = [("before", record.before, BAR), ("after", record.after, AFTER), ("rebound", record.rebound, REBOUND)]
    known = [(name, measured, colour) for name, measured, colour in stages if measured is not None]
    if not known:
        return None
    block = ROW_PX * len(known) + 2 * GAP_PX
    names = measure_names(known[0][1].truth)
    canvas = Image.new("RGB", (LEFT_PX + BARS_PX + 190, block * len(names) + GAP_PX), PAPER)
    for k, (attribute, title, meaning) in enumerate(names):
        top, draw = GAP_PX + k * block, ImageDraw.Draw(canvas)
        write(draw, (GAP_PX, top), title, 20, INK, LEFT_PX)
        write(draw, (GAP_PX, top + 26), meaning, 14, MUTED, LEFT_PX - 90)
        for row, (name, measured, colour) in enumerate(known):
            _bar(draw, name, getattr(measured, attribute), colour, top + row * ROW_PX)
    return np.asarray(canvas)


def _bar(draw: ImageDraw.ImageDraw, name: str, rate: Rate, colour: Colour, top: int) -> None:
    """One bar from 0 to 100 %, a whisker for the 95 % interval, the counts beside it."""
    write(draw, (LEFT_PX - 70, top + 2), name, 14, MUTED, 68)
    draw.rectangle((LEFT_PX, top, LEFT_PX + BARS_PX, top + 20), fill=TRACK)
    if not rate.total:
        return
    low, high = (LEFT_PX + round(BARS_PX * share) for share in rate.interval())
    draw.rectangle((LEFT_PX, top, LEFT_PX + round(BARS_PX * rate.value), top + 20), fill=colour)
    draw.line((low, top + 10, high, top + 10), fill=INK, width=2)
    for end in (low, high):
        draw.line((end, top + 5, end, top + 15), fill=INK, width=2)
    write(draw, (LEFT_PX + BARS_PX + 10, top + 2), f"{rate.value:.1%}  ({rate})", 14, INK, 180)


CURVE_W, CURVE_H, EDGE_PX = 640, 260, 48


def curve(rectified: Rectified) -> Picture | None:
    """Held-out pictures taken over, and those read as before, over the steps; None where nobody looked."""
    looks = rectified.history
    if not looks:
        return None
    canvas = Image.new("RGB", (CURVE_W + 2 * EDGE_PX, CURVE_H + 2 * EDGE_PX), PAPER)
    draw, last = ImageDraw.Draw(canvas), max(look.step for look in looks)
    for share in (0.0, 0.5, 1.0):
        y = EDGE_PX + CURVE_H * (1 - share)
        draw.line((EDGE_PX, y, EDGE_PX + CURVE_W, y), fill=TRACK, width=2)
        draw.text((EDGE_PX - 8, y), f"{share:.0%}", MUTED, ImageFont.load_default(13), anchor="rm")
    lines: tuple[tuple[str, Colour, list[float]], ...] = (
        ("taken over by the trigger", INNER, [look.attack.value for look in looks]),
        ("clean pictures read as before", AFTER, [look.agreement.value for look in looks]),
    )
    for k, (name, colour, values) in enumerate(lines):
        points = [
            (EDGE_PX + CURVE_W * look.step / last, EDGE_PX + CURVE_H * (1 - value))
            for look, value in zip(looks, values, strict=True)
        ]
        draw.line(points, fill=colour, width=3)
        for x, y in points:
            draw.ellipse((x - 4, y - 4, x + 4, y + 4), fill=colour)
        write(draw, (EDGE_PX + k * 260, 14), name, 15, colour, 250)
    end = (EDGE_PX + CURVE_W, EDGE_PX + CURVE_H + 22)
    draw.text(end, f"step {last}", MUTED, ImageFont.load_default(13), anchor="rm")
    return np.asarray(canvas)
