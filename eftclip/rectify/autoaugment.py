"""AutoAugment's ImageNet policies, drawn from a generator that is handed in.

Cubuk et al. 2019 (arXiv 1805.09501): 25 pairs of operations, each with a chance and a strength in ten levels. The pairs
are torchvision's; torchvision itself draws from the global generator, and what a step is shown must depend on its seed.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torchvision.transforms import AutoAugment
from torchvision.transforms.v2 import functional as TF

POLICIES = AutoAugment().policies
HIGHEST = 9  # levels go from 0
MOST_ROTATED, MOST_SHEARED, MOST_CHANGED, MOST_BITS_LOST = 30.0, 0.3, 0.9, 4


def _sheared(picture: Tensor, level: float) -> Tensor:
    angle = math.degrees(math.atan(MOST_SHEARED * level))
    return TF.affine(picture, angle=0.0, translate=[0, 0], scale=1.0, shear=[angle, 0.0])


# A uint8 picture and a strength in [-1, 1]; where only its size has a meaning, the sign is of no account.
OPERATIONS: dict[str, Callable[[Tensor, float], Tensor]] = {
    "AutoContrast": lambda picture, level: TF.autocontrast(picture),
    "Color": lambda picture, level: TF.adjust_saturation(picture, 1 + MOST_CHANGED * level),
    "Contrast": lambda picture, level: TF.adjust_contrast(picture, 1 + MOST_CHANGED * level),
    "Equalize": lambda picture, level: TF.equalize(picture),
    "Invert": lambda picture, level: TF.invert(picture),
    "Posterize": lambda picture, level: TF.posterize(picture, 8 - round(MOST_BITS_LOST * abs(level))),
    "Rotate": lambda picture, level: TF.rotate(picture, MOST_ROTATED * level),
    "Sharpness": lambda picture, level: TF.adjust_sharpness(picture, 1 + MOST_CHANGED * level),
    "ShearX": _sheared,
    "Solarize": lambda picture, level: TF.solarize(picture, 255 * (1 - abs(level))),
}


def autoaugmented(picture: Tensor, generator: torch.Generator) -> Tensor:
    """A picture after one of the pairs.

    Args:
        picture: `(3, px, px)` float32 RGB in [0, 1].
        generator: draws the pair, whether each of the two is done, and its sign.
    """
    pair = POLICIES[int(torch.randint(len(POLICIES), (), generator=generator))]
    drawn, signs = torch.rand(2, 2, generator=generator).tolist()
    changed = (picture * 255).round().to(torch.uint8)
    for (name, chance, level), luck, sign in zip(pair, drawn, signs, strict=True):
        if luck <= chance:
            strength = (level or 0) / HIGHEST
            changed = OPERATIONS[name](changed, strength if sign < 0.5 else -strength)
    return changed.float() / 255
