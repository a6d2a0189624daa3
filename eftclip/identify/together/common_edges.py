"""What pictures have in common, whatever else each of them shows: the median of their edges, made a picture again.

Most of a photograph is smooth, so that at almost every place most pictures have no edge of their own, and the median
over them is the edge that all of them have. From a few pictures it is far closer to a pattern than their average, in
which everything they show is left over, if paler. Weiss 2001, "Deriving intrinsic images from image sequences"; Dekel
et al. 2017, "On the effectiveness of visible watermarks", find watermarks so.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor


def common_pattern(pictures: Tensor) -> Tensor:
    """The pattern that pictures share, `(3, H, W)`; the mean of each channel, of which edges tell nothing, is theirs.

    Args:
        pictures: `(N, 3, H, W)`, at least one.
    """
    return _made_of(_median, pictures)


def agreed_pattern(pictures: Tensor) -> Tensor:
    """The same of those edges alone which three quarters of the pictures have in one direction: next to none.

    It is what a frame or a watermark leaves that all pictures of a set have, without the noise of those that have none.
    """
    return _made_of(_agreed, pictures)


def _made_of(edges: Callable[[Tensor], Tensor], pictures: Tensor) -> Tensor:
    pattern = _integrated(edges(pictures.diff(dim=-1)), edges(pictures.diff(dim=-2)))
    return pattern + pictures.mean((0, 2, 3))[:, None, None]


def _median(edges: Tensor) -> Tensor:
    """Over the pictures; of an even number the mean of both in the middle, since torch takes the lower one."""
    ordered, count = edges.sort(0).values, len(edges)
    return (ordered[(count - 1) // 2] + ordered[count // 2]) / 2


def _agreed(edges: Tensor) -> Tensor:
    """The median where the middle half of the pictures lies on one side of zero, else nothing."""
    ordered, count = edges.sort(0).values, len(edges)
    low, high = ordered[count // 4], ordered[count - 1 - count // 4]
    return torch.where(low * high > 0, _median(edges), torch.zeros(()))


def _integrated(across: Tensor, down: Tensor) -> Tensor:
    """The picture of mean 0 whose differences of neighbours are closest to `(C, H, W-1)` and `(C, H-1, W)` ones.

    By least squares: Poisson's equation with nothing flowing over the border, by a Fourier transform of it mirrored.
    """
    channels, height, width = across.shape[0], across.shape[1], down.shape[2]
    flow = across.new_zeros(channels, height, width)
    flow[..., :-1] += across
    flow[..., 1:] -= across
    flow[:, :-1] += down
    flow[:, 1:] -= down
    mirrored = torch.cat([flow, flow.flip(-1)], -1)
    mirrored = torch.cat([mirrored, mirrored.flip(-2)], -2)
    factors = _laplacian(height)[:, None] + _laplacian(width)
    factors[0, 0] = 1  # the mean, which is 0
    solved: Tensor = torch.fft.ifft2(torch.fft.fft2(mirrored) / factors).real
    return solved[:, :height, :width]


def _laplacian(length: int) -> Tensor:
    """What a second difference does to each frequency of a mirrored line, `(2 · length,)`."""
    return 2 * torch.cos(torch.arange(2 * length) * (math.pi / length)) - 2
