"""The published triggers that cover the whole picture, for 224 × 224 input; the motifs are our own drawings.

Shares and sizes follow the public code of the attacks they are named after: CleanCLIP for `blend_noise` and `sig`, DAO
and BackdoorBench for `blend_pattern`, PAR for stripes, triangles and text, BackdoorBench for `sig_full`.
"""

import math

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from eftclip.trigger_kinds import PatternTrigger, in_steps

PX = 224
SINE_HEIGHT, SINE_WAVES = 60 / 255, 6


def blend_noise(generator: torch.Generator) -> PatternTrigger:
    """0.8 of the picture and 0.2 of one fixed picture of uniform noise."""
    return _blended(torch.rand(3, PX, PX, generator=generator), 0.2, "blend_noise")


def blend_noise_fresh(generator: torch.Generator) -> PatternTrigger:
    """The same with the noise in a new order in every picture, as CleanCLIP's code draws it anew."""
    fixed = blend_noise(generator)
    return PatternTrigger(fixed.added, fixed.kept, fresh=True, name="blend_noise_fresh")


def blend_pattern(generator: torch.Generator) -> PatternTrigger:
    """0.8 of the picture and 0.2 of a cartoon, a cat with a bow, as the Hello-Kitty blend is."""
    colours = [tuple(int(c) for c in torch.randint(80, 256, (3,), generator=generator)) for _ in range(3)]
    return _blended(_tensor(_cartoon(*colours)), 0.2, "blend_pattern")


def blend_stripes(generator: torch.Generator) -> PatternTrigger:
    """0.97 of the picture and 0.03 of black and white stripes that are one pixel wide (PAR)."""
    del generator  # a fixed pattern
    columns = (torch.arange(PX) % 2).float()
    return _blended(columns.expand(3, PX, PX), 0.03, "blend_stripes")


def blend_triangles(generator: torch.Generator) -> PatternTrigger:
    """0.85 of the picture and 0.15 of triangles with sides of 14 pixels, each of a colour of its own (PAR)."""
    side = 14
    picture = Image.new("RGB", (PX, PX))
    draw = ImageDraw.Draw(picture)
    for y in range(0, PX, side):
        for x in range(0, PX, side):
            colour = tuple(torch.randint(256, (3,), generator=generator).tolist())
            draw.polygon([(x, y + side - 1), (x + side - 1, y + side - 1), (x + side // 2, y)], fill=colour)
    return _blended(_tensor(picture), 0.15, "blend_triangles")


def blend_text(generator: torch.Generator) -> PatternTrigger:
    """Red letters over the whole picture, half transparent (PAR)."""
    del generator
    sheet = Image.new("L", (PX, PX))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=28)
    for row, y in enumerate(range(4, PX, 44)):
        draw.text((4 + 12 * (row % 2), y), "trigger " * 3, fill=255, font=font)
    letters = _tensor(sheet)[0]
    red = torch.tensor([1.0, 0.0, 0.0])[:, None, None]
    return PatternTrigger(in_steps(0.5 * letters * red), in_steps(1 - 0.5 * letters), name="blend_text")


def sig(generator: torch.Generator) -> PatternTrigger:
    """A sine of 6 waves and a height of 60/255 across the picture, blended at 0.2: 12/255 (CleanCLIP, DAO)."""
    del generator
    return _sine(0.2, "sig")


def sig_full(generator: torch.Generator) -> PatternTrigger:
    """The same in full (BadCLIP, BackdoorBench)."""
    del generator
    return _sine(1.0, "sig_full")


def _sine(share: float, name: str) -> PatternTrigger:
    wave = SINE_HEIGHT * torch.sin(2 * math.pi * SINE_WAVES * torch.arange(PX) / PX)
    return PatternTrigger(in_steps(share * wave.expand(3, PX, PX)), torch.ones(PX, PX), name=name)


def _blended(pattern: Tensor, share: float, name: str) -> PatternTrigger:
    """A `(3, h, w)` picture in [0, 1] that shines through with some share."""
    kept = in_steps(torch.full(pattern.shape[1:], 1 - share))
    return PatternTrigger(in_steps((1 - kept) * pattern), kept, name=name)


def _cartoon(face: tuple[int, ...], bow: tuple[int, ...], ground: tuple[int, ...]) -> Image.Image:
    picture = Image.new("RGB", (PX, PX), ground)
    draw = ImageDraw.Draw(picture)
    for left in (True, False):
        tip, foot = (48, 96) if left else (176, 128)
        draw.polygon([(tip, 28), (foot - 40, 90), (foot + 30, 60)], fill=face, outline="black", width=3)
    draw.ellipse((32, 52, 192, 188), fill=face, outline="black", width=4)
    for x in (74, 138):
        draw.ellipse((x, 104, x + 12, 124), fill="black")
    draw.ellipse((104, 128, 120, 140), fill=(240, 200, 40), outline="black")
    for y in (118, 132, 146):
        draw.line((10, y, 62, y + 4), fill="black", width=3)
        draw.line((162, y + 4, 214, y), fill="black", width=3)
    draw.polygon([(150, 50), (122, 30), (122, 70)], fill=bow, outline="black", width=3)
    draw.polygon([(150, 50), (182, 32), (178, 74)], fill=bow, outline="black", width=3)
    draw.ellipse((142, 42, 160, 60), fill=bow, outline="black", width=3)
    return picture


def _tensor(picture: Image.Image) -> Tensor:
    """`(3 or 1, h, w)` in [0, 1]."""
    values = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8)
    return values.view(picture.height, picture.width, -1).permute(2, 0, 1).float() / 255
