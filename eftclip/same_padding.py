"""Convolutions that pad unevenly, as TensorFlow's "same" does, for reading: the padding moves into the kernel.

Torch pads evenly or copies the whole map into a larger one first, which is a tenth of the work of an EfficientNet with
its batch norms folded. A kernel with one more row and column of zeros before the others pads evenly and sees the same.
"""

from collections.abc import Collection

import torch
import torch.nn.functional as F
from timm.layers.conv2d_same import Conv2dSame
from torch import Tensor, nn

Sizes = dict[str, tuple[int, int]]


def pad_within(side: nn.Module, picture: Tensor, left_alone: Collection[int] = ()) -> None:
    """Replace every such convolution of `side` by one that gives the same for pictures of this size.

    Args:
        side: an image tower; changed in place.
        picture: `(1, 3, H, W)`, normalised.
        left_alone: `id` of each weight whose convolution stays.
    """
    for name, size in _sizes(side, picture).items():
        conv = side.get_submodule(name)
        if isinstance(conv, Conv2dSame) and id(conv.weight) not in left_alone and (even := _even(conv, size)):
            side.set_submodule(name, even)


def _sizes(side: nn.Module, picture: Tensor) -> Sizes:
    """What each of them is given: height and width; one that is used for several is left out."""
    seen: dict[str, set[tuple[int, int]]] = {}
    hooks = [
        module.register_forward_pre_hook(
            lambda _, given, name=name: seen.setdefault(name, set()).add(tuple(given[0].shape[-2:]))
        )
        for name, module in side.named_modules()
        if isinstance(module, Conv2dSame)
    ]
    side(picture)
    for hook in hooks:
        hook.remove()
    return {name: sizes.pop() for name, sizes in seen.items() if len(sizes) == 1}


def _even(conv: Conv2dSame, size: tuple[int, int]) -> nn.Conv2d | None:
    """The convolution with its padding within; None where a kernel has holes."""
    if max(conv.dilation) > 1:
        return None
    before, after = zip(*(_padding(*one) for one in zip(size, conv.kernel_size, conv.stride, strict=True)), strict=True)
    more = [b - a for a, b in zip(before, after, strict=True)]
    weight = F.pad(conv.weight.detach(), (more[1], 0, more[0], 0))
    even = nn.Conv2d(
        conv.in_channels,
        conv.out_channels,
        (weight.shape[-2], weight.shape[-1]),
        (conv.stride[0], conv.stride[1]),
        (after[0], after[1]),
        groups=conv.groups,
        bias=conv.bias is not None,
    )
    even.weight = nn.Parameter(weight.contiguous(memory_format=torch.channels_last), requires_grad=False)
    even.bias = conv.bias
    return even


def _padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Pixels before and after, so that every `stride`-th place has a value."""
    together = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return together // 2, together - together // 2
