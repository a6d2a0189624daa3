"""A picture whose pixels are fetched from elsewhere in it, and the picture from which they were fetched.

To fetch is linear: each new pixel is the weighted sum of four old ones (bilinear), so that it can be undone by least
squares even where a flow folds the picture or leaves some of it out, as a jitter of single pixels does.
"""

import torch
from torch import Tensor

ROUNDS = 24  # of undoing; on photographs under a jitter of 1 px more of them give nothing


def fetched(image: Tensor, flow: Tensor) -> Tensor:
    """The picture whose pixel (x, y) is the old one's at (x + flow[0], y + flow[1]), bilinear.

    Args:
        image: `(3, H, W)` floats.
        flow: `(2, H, W)` float32, pixels to the right and down; what points outside is fetched from the edge.
    """
    where, share = _taps(flow.to(image.device), image.dtype)
    return _fetch(image.flatten(1), where, share).view_as(image)


def put_back(image: Tensor, flow: Tensor) -> Tensor:
    """The picture that comes nearest to this one when `fetched` is done to it; what nobody fetched stays as it is.

    By the simultaneous iterative reconstruction technique (SIRT): what is left unexplained is handed back to the pixels
    that it was fetched from, in the same shares.

    Args:
        image: `(3, H, W)` floats in [0, 1].
        flow: `(2, H, W)` float32, pixels.
    """
    where, share = _taps(flow.to(image.device), image.dtype)
    seen = image.flatten(1)
    taken = _hand_back(torch.ones_like(seen[:1]), where, share).clamp(min=1e-3)
    found = seen.clone()
    for _ in range(ROUNDS):
        unexplained = seen - _fetch(found, where, share)
        found = (found + _hand_back(unexplained, where, share) / taken).clamp(0, 1)
    return found.view_as(image)


def _taps(flow: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """For each new pixel the four old ones, `(4, H·W)` positions and shares that add up to 1."""
    height, width = flow.shape[1:]
    rows = torch.arange(height, device=flow.device)[:, None]
    columns = torch.arange(width, device=flow.device)[None]
    x, y = (columns + flow[0]).clamp(0, width - 1), (rows + flow[1]).clamp(0, height - 1)
    left, top = x.floor(), y.floor()
    right, bottom = (left + 1).clamp(max=width - 1), (top + 1).clamp(max=height - 1)
    over, under = x - left, y - top
    where = [top * width + left, top * width + right, bottom * width + left, bottom * width + right]
    share = [(1 - over) * (1 - under), over * (1 - under), (1 - over) * under, over * under]
    return torch.stack(where).long().flatten(1), torch.stack(share).to(dtype).flatten(1)


def _fetch(pixels: Tensor, where: Tensor, share: Tensor) -> Tensor:
    """`(3, H·W)` new pixels."""
    return sum((pixels[:, at] * part for at, part in zip(where, share, strict=True)), torch.zeros_like(pixels))


def _hand_back(pixels: Tensor, where: Tensor, share: Tensor) -> Tensor:
    """`(3, H·W)` sums of what each old pixel gave: the transpose of `_fetch`."""
    out = torch.zeros_like(pixels)
    for at, part in zip(where, share, strict=True):
        out.index_add_(1, at, pixels * part)
    return out
