"""Figure 5: oracles side by side, each asked for the same labels about the same photographs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torchvision.transforms.v2.functional import to_pil_image

from eftclip.detect.prompted import confidences, difference
from eftclip.detect.windows import box_mask, grid
from eftclip.figures.drawing import INK, INNER, MUTED, PAPER, write
from eftclip.pipeline import CheckSetup
from eftclip.types import Oracle, Region
from eftclip.zeroshot import probabilities
from examples.paper.cells import TAU, THETA
from examples.paper.drawing import PALETTE
from examples.paper.photographs import readings_of

TILE, GAP, TEXT = 300, 14, 112
SHOWN = 4  # labels that are written


@dataclass(frozen=True)
class Windows:
    """No oracle at all, for comparison: overlapping windows in two sizes, whatever the picture shows."""

    name: str = "windows"

    def regions(self, image: Tensor) -> tuple[Region, ...]:
        """See `Oracle.regions`."""
        height, width = image.shape[1:]
        boxes = [box for side in (3, 6) for box in grid((0, 0, width, height), side, width // 14)]
        return tuple(Region(box_mask(box, height, width), box, 1.0) for box in dict.fromkeys(boxes))


def side_by_side(setup: CheckSetup, images: Sequence[Tensor], oracles: Mapping[str, Oracle], note: str) -> Image.Image:
    """A row for each photograph, a column for each oracle: the box of each label that it sees, and what is named.

    Args:
        setup: checkpoint, labels and reference.
        images: photographs as the checkpoint sees them, `(3, image_px, image_px)` each.
        oracles: by what they are called.
        note: the command.
    """
    width, height = GAP + (TILE + GAP) * len(oracles), 60 + (TILE + TEXT) * len(images)
    canvas = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(canvas)
    write(draw, (GAP, 8), f"Oracles, asked for the same labels (theta {THETA}, tau {TAU})", 16, INK, width - GAP)
    write(draw, (GAP, 34), note, 12, MUTED, width - GAP)
    for row, image in enumerate(images):
        read = probabilities(setup.clip, image[None], setup.classes)[0]
        for column, (name, oracle) in enumerate(oracles.items()):
            x, y = GAP + column * (TILE + GAP), 60 + row * (TILE + TEXT)
            tile, lines = _tile(setup, oracle, image, read)
            canvas.paste(tile, (x, y))
            for k, (line, colour) in enumerate([(name, MUTED), *lines]):
                write(draw, (x, y + TILE + 4 + 17 * k), line, 13, colour, TILE)
    return canvas


def _tile(
    setup: CheckSetup, oracle: Oracle, image: Tensor, row: Tensor
) -> tuple[Image.Image, list[tuple[str, tuple[int, int, int]]]]:
    """The photograph with boxes, and a line for each: labels that the oracle sees, then the one that is named."""
    readings = readings_of(setup, oracle, image, row)
    sets = difference(readings, TAU, THETA)
    seen = confidences(readings.oracle[:, : len(sets.seen)], readings.vocabulary)
    picture, scale = to_pil_image(image).resize((TILE, TILE)), TILE / image.shape[-1]
    draw, lines = ImageDraw.Draw(picture), list[tuple[str, tuple[int, int, int]]]()
    for k in torch.where((sets.listed >= THETA) & (sets.seen >= THETA))[0].tolist()[:SHOWN]:
        colour = PALETTE[len(lines)]
        box = readings.boxes[int(seen[:, k].argmax())]
        draw.rectangle([round(scale * end) for end in box], outline=colour, width=2)
        lines.append((f"sees {setup.classes.labels[int(readings.labels[k])]} ({float(sets.seen[k]):.0%})", colour))
    if sets.box is not None:
        draw.rectangle([round(scale * end) for end in readings.boxes[sets.box]], outline=INNER, width=3)
        lines.append((f"named: {setup.classes.labels[int(readings.labels[sets.left[0]])]}", INNER))
    return picture, lines or [("sees none of the labels, and none is named", INK)]
