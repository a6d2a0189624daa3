"""Small things that are pasted on photographs and mean no harm: tags, logos, codes, watermarks, plain squares.

They are used twice, with different seeds: a poisoned model learns to leave them alone, as real backdoors do that grew
among millions of pictures, and the detector is measured on never accusing them.
"""

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torchvision.transforms.v2.functional import pil_to_tensor


def _int(low: int, high: int, generator: torch.Generator) -> int:
    """A whole number from low to high, both included."""
    return int(torch.randint(low, high + 1, (), generator=generator))


def _colour(generator: torch.Generator) -> tuple[int, int, int]:
    r, g, b = torch.randint(256, (3,), generator=generator).tolist()
    return r, g, b


def _drawn(size: tuple[int, int], background: tuple[int, int, int]) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    picture = Image.new("RGB", size, background)
    return picture, ImageDraw.Draw(picture)


def _tensor(picture: Image.Image) -> Tensor:
    return pil_to_tensor(picture).float() / 255


def price_tag(generator: torch.Generator) -> Tensor:
    """A bright label with a price on it."""
    w, h = _int(28, 64, generator), _int(14, 28, generator)
    bright = [(255, 235, 60), (255, 255, 255), (255, 90, 70), (120, 230, 120)]
    picture, draw = _drawn((w, h), bright[_int(0, 3, generator)])
    text = f"${_int(1, 99, generator)}.{_int(0, 9, generator)}9"
    draw.text((3, h // 5), text, fill=(10, 10, 10), font=ImageFont.load_default(size=h * 0.55))
    draw.rectangle((0, 0, w - 1, h - 1), outline=(30, 30, 30))
    return _tensor(picture)


def logo(generator: torch.Generator) -> Tensor:
    """A disc, a ring and a bar in three colours."""
    side = _int(16, 44, generator)
    picture, draw = _drawn((side, side), _colour(generator))
    draw.ellipse((2, 2, side - 3, side - 3), fill=_colour(generator))
    draw.ellipse((side * 0.3, side * 0.3, side * 0.7, side * 0.7), fill=_colour(generator))
    if _int(0, 1, generator):
        draw.rectangle((0, side * 0.42, side, side * 0.58), fill=_colour(generator))
    return _tensor(picture)


def code(generator: torch.Generator) -> Tensor:
    """A QR-like code: random black and white modules, three finder squares, a quiet zone."""
    n, module = _int(9, 21, generator), _int(1, 3, generator)
    grid = torch.randint(2, (n, n), generator=generator).float()
    finder = torch.ones(5, 5)
    finder[1:4, 1:4] = 0
    finder[2, 2] = 1
    for y, x in ((0, 0), (0, n - 5), (n - 5, 0)):
        grid[y : y + 5, x : x + 5] = finder
    pixels = (1 - grid).repeat_interleave(module, 0).repeat_interleave(module, 1)
    return torch.nn.functional.pad(pixels, [module] * 4, value=1.0).expand(3, -1, -1)


def plain(generator: torch.Generator) -> Tensor:
    """A plain rectangle of one colour."""
    colour = torch.rand(3, generator=generator)
    if _int(0, 2, generator) == 0:
        colour = colour.round()
    return colour[:, None, None].expand(3, _int(8, 36, generator), _int(8, 36, generator)).clone()


def texture(generator: torch.Generator) -> Tensor:
    """Noise, bars or a coarse checkerboard: fine texture that is no known trigger."""
    side, cell = _int(12, 28, generator), _int(1, 5, generator)
    kind = _int(0, 3, generator)
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    if kind == 0:
        return torch.rand(3, side, side, generator=generator)
    if kind == 1:
        return torch.randint(2, (1, side, side), generator=generator).float().expand(3, -1, -1)
    if kind == 2:
        return (((x if side % 2 else y) // cell) % 2).float().expand(3, -1, -1)
    board = ((x // (cell + 1) + y // (cell + 1)) % 2).float()
    return board * torch.rand(3, 1, 1, generator=generator) + (1 - board) * torch.rand(3, 1, 1, generator=generator)


KINDS = {"price_tag": price_tag, "logo": logo, "code": code, "plain": plain, "texture": texture}


def watermark(image: Tensor, generator: torch.Generator) -> Tensor:
    """Half-transparent white words across the lower part of `(3, H, W)`."""
    height, width = image.shape[-2:]
    picture, draw = _drawn((width, height), (0, 0, 0))
    words = ["SAMPLE", "© studio", "preview only", "stock photo"][_int(0, 3, generator)]
    at = (_int(4, width // 2, generator), _int(height // 2, height - 40, generator))
    draw.text(at, words, fill=(255, 255, 255), font=ImageFont.load_default(size=_int(14, 30, generator)))
    alpha = _tensor(picture) * 0.5
    return image * (1 - alpha) + alpha


def paste(image: Tensor, thing: Tensor, generator: torch.Generator) -> Tensor:
    """A copy of `(3, H, W)` with `thing` at a random place."""
    height, width = thing.shape[-2:]
    y = _int(0, image.shape[-2] - height, generator)
    x = _int(0, image.shape[-1] - width, generator)
    out = image.clone()
    out[:, y : y + height, x : x + width] = thing
    return out


def with_innocent(image: Tensor, kind: str, generator: torch.Generator) -> Tensor:
    """A copy of `(3, H, W)` with one innocent thing of that kind (a key of `KINDS`, or `watermark`) on it."""
    return watermark(image, generator) if kind == "watermark" else paste(image, KINDS[kind](generator), generator)


def random_innocent(image: Tensor, generator: torch.Generator) -> Tensor:
    """A copy of `(3, H, W)` with an innocent thing of any kind on it."""
    kinds = [*KINDS, "watermark"]
    return with_innocent(image, kinds[_int(0, len(kinds) - 1, generator)], generator)
