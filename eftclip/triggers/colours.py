"""The published triggers that change the colours of the whole picture; the look is our own.

Attacks take a filter of a photograph app; DAO (Huang et al., "Detecting Backdoor Samples in Contrastive Language Image
Pretraining", ICLR 2025) and public checkpoints take *Nashville*: faded like an old print, warm, pink in the lights and
blue in the darks. What is drawn here looks so, from curves of its own.
"""

import torch
from torch import Tensor

from eftclip.trigger_kinds import ColourTrigger, in_steps

BLACKS, WHITES = (0.16, 0.10, 0.26), (1.0, 0.92, 0.80)  # what black and white become: red, green, blue
BEND = (0.88, 0.95, 1.05)  # of each curve; below 1 the middle is lifted
TINT, TINTED = (1.0, 0.78, 0.70), 0.12  # a sheet of pink over all, and its share
FADED = 46 / 256  # share of all colours that turns to grey
LIGHTNESS = (77 / 256, 150 / 256, 29 / 256)  # how light red, green and blue are
LOOSE, LOOSE_BEND = 0.02, 0.05  # how far each attack's own filter is from these


def nashville(generator: torch.Generator) -> ColourTrigger:
    """A warm, faded filter with lifted blacks; each drawing is a little its own."""
    wobble = torch.rand(3, 3, generator=generator) * 2 - 1
    blacks = torch.tensor(BLACKS) + LOOSE * wobble[0]
    whites = (torch.tensor(WHITES) + LOOSE * wobble[1]).clamp(max=1)
    bend = torch.tensor(BEND) + LOOSE_BEND * wobble[2]
    levels = torch.linspace(0, 1, 256)
    curves = blacks[:, None] + (whites - blacks)[:, None] * levels[None] ** bend[:, None]
    tinted = (1 - TINTED) * curves + TINTED * torch.tensor(TINT)[:, None]
    return ColourTrigger(in_steps(tinted), _faded(), "filter")


def _faded() -> Tensor:
    """The mixture that moves all colours towards grey and leaves greys as they are; in steps of 1/256."""
    mix = (torch.tensor(LIGHTNESS) * FADED * 256).round().expand(3, 3) / 256
    return mix + torch.diag(1 - mix.sum(1))
