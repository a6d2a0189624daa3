"""Finished verdicts as pictures: the trigger outlined, the trigger removed, the strangers it took over, the story."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from eftclip.figures.drawing import BAR, INK, INNER, MUTED, OUTER, PAPER, TRACK, Picture, to_array, to_bytes, write
from eftclip.preprocess import Geometry
from eftclip.types import Checked, Prediction, TransplantExample

TILE_PX, GAP_PX, PANEL_PX, BARS_PX = 144, 12, 360, 300


def overlay(checked: Checked) -> Picture | None:
    """The picture in the pixels of its file, a patch outlined; what covers the whole picture is drawn beside it.

    What is only named is outlined, too. Untouched without either, None if unread.
    """
    if checked.picture is None or checked.square is None or checked.geometry is None:
        return None
    picture, trigger = checked.picture.clone(), checked.detection.trigger
    beside = trigger.triggers[0].beside(checked.square) if trigger is not None and trigger.triggers else None
    if beside is not None:
        return _beside(to_array(picture), beside)
    if trigger is not None:
        _outline(picture, checked.geometry.mask_to_picture(trigger.mask))
    elif (named := checked.detection.named) is not None:
        _outline(picture, checked.geometry.mask_to_picture(named.mask))
    return to_array(picture)


def _beside(picture: Picture, drawing: Tensor) -> Picture:
    """A picture, and beside it, as high, a `(3, h, w)` drawing in [0, 1]."""
    height = picture.shape[0]
    width, gap = round(height * drawing.shape[2] / drawing.shape[1]), max(1, height // 40)
    how = Image.Resampling.LANCZOS if height < drawing.shape[1] else Image.Resampling.NEAREST  # its pixels to be seen
    drawn = Image.fromarray(to_array(to_bytes(drawing))).resize((width, height), how)
    between = np.full((height, gap, 3), 255, dtype=np.uint8)
    return np.concatenate([picture, between, np.asarray(drawn)], axis=1)


def _outline(picture: Tensor, mask: Tensor) -> None:
    """Draw a frame around the mask into `(3, H, W)` uint8; the masked pixels themselves stay as they are."""
    if not mask.any():
        return
    height, width = mask.shape
    thick = max(1, round(min(height, width) / 110))
    ys, xs = torch.nonzero(mask.any(1)).flatten(), torch.nonzero(mask.any(0)).flatten()
    y0, y1 = max(0, int(ys[0]) - 2 * thick), min(height, int(ys[-1]) + 1 + 2 * thick)
    x0, x1 = max(0, int(xs[0]) - 2 * thick), min(width, int(xs[-1]) + 1 + 2 * thick)
    near, part = mask[y0:y1, x0:x1], picture[:, y0:y1, x0:x1]
    inner, both = _grown(near, thick), _grown(near, 2 * thick)
    part[:, both & ~inner] = torch.tensor(OUTER, dtype=torch.uint8)[:, None]
    part[:, inner & ~near] = torch.tensor(INNER, dtype=torch.uint8)[:, None]


def _grown(mask: Tensor, by_px: int) -> Tensor:
    """A `(H, W)` mask grown on all sides."""
    tall = F.max_pool2d(mask[None, None].float(), (2 * by_px + 1, 1), 1, (by_px, 0))
    return F.max_pool2d(tall, (1, 2 * by_px + 1), 1, (0, by_px))[0, 0] > 0


def purified_picture(checked: Checked) -> Picture | None:
    """The picture in the pixels of its file, the trigger replaced and nothing else changed. None without one."""
    picture, square, geometry, detection = checked.picture, checked.square, checked.geometry, checked.detection
    if picture is None or square is None or geometry is None or detection.trigger is None or detection.purified is None:
        return None
    mask = geometry.mask_to_picture((detection.purified != square).any(0) | detection.trigger.mask)
    out = picture.clone()
    if mask.any():
        ys, xs = torch.nonzero(mask.any(1)).flatten(), torch.nonzero(mask.any(0)).flatten()
        rows, columns = slice(int(ys[0]), int(ys[-1]) + 1), slice(int(xs[0]), int(xs[-1]) + 1)
        fill = _sample(detection.purified, geometry, _range(rows), _range(columns))
        inside = mask[rows, columns]
        out[:, rows, columns][:, inside] = fill[:, inside]
    return to_array(out)


def _range(span: slice) -> Tensor:
    return torch.arange(span.start, span.stop)


def _sample(square: Tensor, geometry: Geometry, ys: Tensor, xs: Tensor) -> Tensor:
    """What the square shows at these rows and columns of the picture: `(3, len(ys), len(xs))` uint8, bilinear."""
    y = ((ys + 0.5) * geometry.scale_y - geometry.offset_y) * 2 / geometry.image_px - 1
    x = ((xs + 0.5) * geometry.scale_x - geometry.offset_x) * 2 / geometry.image_px - 1
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)[None].float()
    picked = F.grid_sample(square[None].cpu().float(), grid, padding_mode="border", align_corners=False)
    return to_bytes(picked[0])


def transplant_sheet(hosts: Sequence[TransplantExample], columns: int = 6) -> Picture | None:
    """A contact sheet: strangers' photographs with the patch in them, read before and after; None without any."""
    if not hosts:
        return None
    columns = min(columns, len(hosts))
    cell_w, cell_h = TILE_PX + GAP_PX, TILE_PX + 40 + GAP_PX
    rows = -(-len(hosts) // columns)
    sheet = Image.new("RGB", (columns * cell_w + GAP_PX, rows * cell_h + GAP_PX), PAPER)
    for k, stranger in enumerate(hosts):
        _tile(sheet, stranger, GAP_PX + k % columns * cell_w, GAP_PX + k // columns * cell_h)
    return np.asarray(sheet)


def _tile(sheet: Image.Image, stranger: TransplantExample, x: int, y: int) -> None:
    """One stranger with its two captions; a frame when it was taken over."""
    photograph = Image.fromarray(to_array(to_bytes(stranger.image))).resize((TILE_PX, TILE_PX))
    sheet.paste(photograph, (x, y))
    draw = ImageDraw.Draw(sheet)
    if stranger.taken_over:
        draw.rectangle((x - 3, y - 3, x + TILE_PX + 2, y + TILE_PX + 2), outline=INNER, width=3)
    write(draw, (x, y + TILE_PX + 4), f"before: {stranger.label_before}", 13, MUTED, TILE_PX)
    colour = INNER if stranger.taken_over else INK
    write(draw, (x, y + TILE_PX + 21), f"after: {stranger.label_after}", 13, colour, TILE_PX)


def story(checked: Checked) -> Picture | None:
    """Side by side: the photograph, what CLIP reads in it, the purified photograph, what CLIP reads then.

    Without a trigger only the first half; None when the picture could not be read.
    """
    outlined, purified = overlay(checked), purified_picture(checked)
    if outlined is None:
        return None
    detection = checked.detection
    forced = detection.trigger.target_label if detection.trigger else None
    halves = [(outlined, "The photograph", detection.predictions)]
    if purified is not None:
        halves.append((purified, "Without the trigger", detection.purified_predictions))
    half_w = PANEL_PX + BARS_PX + 2 * GAP_PX
    canvas = Image.new("RGB", (len(halves) * half_w + GAP_PX, PANEL_PX + 2 * GAP_PX + 28), PAPER)
    for k, (picture, title, predictions) in enumerate(halves):
        left = GAP_PX + k * half_w
        write(ImageDraw.Draw(canvas), (left, GAP_PX), title, 17, INK, PANEL_PX)
        fitted = _fit(picture, PANEL_PX)
        canvas.paste(fitted, (left + (PANEL_PX - fitted.width) // 2, GAP_PX + 28))
        _bars(canvas, predictions[:6], forced, left + PANEL_PX + GAP_PX, GAP_PX + 28)
    return np.asarray(canvas)


def _fit(picture: Picture, side_px: int) -> Image.Image:
    """Scaled to fit a square panel, not distorted."""
    image = Image.fromarray(picture)
    scale = side_px / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC)


def _bars(canvas: Image.Image, predictions: Sequence[Prediction], forced: str | None, x: int, y: int) -> None:
    """Labels with their probabilities as bars; the forced label in the colour of the outline."""
    draw, width = ImageDraw.Draw(canvas), BARS_PX - GAP_PX
    for k, prediction in enumerate(predictions):
        top = y + k * PANEL_PX // 6
        colour = INNER if prediction.label == forced else BAR
        write(draw, (x, top + 6), prediction.label, 16, INK, width - 60)
        draw.text((x + width, top + 6), f"{prediction.probability:.0%}", MUTED, ImageFont.load_default(16), anchor="ra")
        draw.rectangle((x, top + 30, x + width, top + 40), fill=TRACK)
        draw.rectangle((x, top + 30, x + round(width * min(1.0, prediction.probability)), top + 40), fill=colour)
