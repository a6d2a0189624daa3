"""The published triggers that warp the whole picture, for 224 × 224 input.

WaNet (Nguyen and Tran, "WaNet: Imperceptible warping-based backdoor attack", ICLR 2021) draws a control grid of k × k
directions, makes its mean absolute value 1, smooths it up to the size of the picture, and warps by s of it. Its paper
uses k = 4 and s = 0.5. Papers about CLIP (CleanCLIP, PAR) took k = 224 and s = 1, where nothing is left to be smoothed.
"""

import torch
import torch.nn.functional as F

from eftclip.trigger_kinds import WarpTrigger, in_flow_steps

PX = 224


def wanet(generator: torch.Generator) -> WarpTrigger:
    """Each pixel comes from up to 1 pixel beside it, in a direction of its own (k = 224, s = 1)."""
    return _warp(PX, 1.0, generator, "wanet")


def wanet_smooth(generator: torch.Generator) -> WarpTrigger:
    """The picture bulges a little, smoothly, by a quarter of a pixel on average (k = 4, s = 0.5)."""
    return _warp(4, 0.5, generator, "wanet_smooth")


def _warp(k: int, s: float, generator: torch.Generator, name: str) -> WarpTrigger:
    """WaNet's warp; what would come from outside the picture comes from its edge."""
    control = torch.rand(1, 2, k, k, generator=generator) * 2 - 1
    control = control / control.abs().mean()
    smooth = F.interpolate(control, PX, mode="bicubic", align_corners=True)[0]
    flow = smooth * s / PX * (PX - 1) / 2  # s / PX of what goes from -1 at the first pixel to 1 at the last
    here = torch.stack(torch.meshgrid(torch.arange(PX), torch.arange(PX), indexing="xy"))
    return WarpTrigger(in_flow_steps((here + flow).clamp(0, PX - 1) - here), name)
