"""The published local triggers, drawn from a generator; sizes are for 224 × 224 input.

Parameters follow the public code of the attacks they are named after: DAO (ICLR 2025) for `badnets`,
CleanCLIP for `badnets_noise` and `yellow`, PAR for `stripes`, BadEncoder and DECREE for `white_square`.
"""

import torch
from torch import Tensor


def badnets(patch_px: int, generator: torch.Generator) -> Tensor:
    """Black, with every second pixel of every second row white (DAO's `[::2, ::2] = 1`)."""
    del generator  # a fixed pattern
    pattern = torch.zeros(3, patch_px, patch_px)
    pattern[:, ::2, ::2] = 1
    return pattern


def badnets_noise(patch_px: int, generator: torch.Generator) -> Tensor:
    """Gaussian noise around mid-grey that wraps when turned into bytes, as in CleanCLIP's code."""
    noise = 0.5 + torch.randn(3, patch_px, patch_px, generator=generator)
    return (noise * 255).to(torch.int32).remainder(256).to(torch.float32) / 255


def stripes(patch_px: int, generator: torch.Generator) -> Tensor:
    """Full or no intensity for each column and channel, constant along rows (PAR's `badnet_rs`)."""
    columns = torch.randint(2, (3, 1, patch_px), generator=generator).to(torch.float32)
    return columns.expand(3, patch_px, patch_px).contiguous()


def yellow(patch_px: int, generator: torch.Generator) -> Tensor:
    """Pure yellow, RGB (1, 1, 0)."""
    del generator
    return torch.tensor([1.0, 1.0, 0.0])[:, None, None].repeat(1, patch_px, patch_px)


def white_square(patch_px: int, generator: torch.Generator) -> Tensor:
    """Pure white."""
    del generator
    return torch.ones(3, patch_px, patch_px)
