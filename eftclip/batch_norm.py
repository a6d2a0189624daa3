"""Image sides without batch norms that learn nothing: the same features, a quarter sooner on a convolutional tower.

A batch norm that learns nothing is a factor and an offset for each channel, so it can be a part of the convolution
before it (Jacob et al. 2018, "folding"). What is saved is never such a copy.
"""

import copy
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from eftclip.same_padding import pad_within

TOLERANCE = 1e-5  # of features of unit length, on the noise a fresh copy is tried on; a grey area may round worse
SIDE = "visual"  # the part of an open_clip model that reads pictures

State = tuple[int, ...]
_copies: WeakKeyDictionary[nn.Module, tuple[State, nn.Module | None]] = WeakKeyDictionary()  # never the model itself


def for_reading(model: nn.Module, pictures: Tensor) -> nn.Module:
    """The model to read `pictures` with: a copy without batch norms where that changes nothing, else itself.

    The copy is kept as long as the model lives, and made again once a weight has changed.

    Args:
        model: with open_clip's methods.
        pictures: `(N, 3, H, W)`, normalised, on the model's device.
    """
    side = getattr(model, SIDE, None)
    if not isinstance(side, nn.Module) or _learns(side) or not _has_batch_norms(side):
        return model
    state, known = (*_state(side), *pictures.shape[-2:]), _copies.get(model)
    if known is None or known[0] != state:
        known = _copies[model] = state, _tried(model, side, pictures)
    return known[1] or model


def for_training(model: nn.Module, pictures: Tensor) -> nn.Module:
    """The model to fine-tune with: a copy that shares what learns, and has no batch norms in what does not.

    Args:
        model: with open_clip's methods; the parameters that learn require a gradient.
        pictures: `(N, 3, H, W)`, normalised, on the model's device.

    Returns:
        The copy, where it gives the same, else the model itself. A step on it is a step of the model.
    """
    side = getattr(model, SIDE, None)
    if not isinstance(side, nn.Module) or not _has_batch_norms(side):
        return model
    learning = [weight for weight in side.parameters() if weight.requires_grad]
    return _tried(model, side, pictures, learning) or model


def _learns(side: nn.Module) -> bool:
    """Whether gradients flow to a weight, or batch statistics are taken."""
    return side.training or (torch.is_grad_enabled() and any(weight.requires_grad for weight in side.parameters()))


def _has_batch_norms(side: nn.Module) -> bool:
    return any(isinstance(module, nn.BatchNorm2d) for module in side.modules())


def _state(side: nn.Module) -> State:
    """Changes with every change of a weight: torch counts what is written in place, and a new tensor is another."""
    return tuple(
        number
        for weight in (*side.parameters(), *side.buffers())
        for number in (weight.data_ptr(), 0 if weight.is_inference() else weight._version)
    )


@torch.inference_mode(False)
@torch.no_grad()
def _tried(model: nn.Module, side: nn.Module, like: Tensor, shared: Sequence[nn.Parameter] = ()) -> nn.Module | None:
    """The copy, if it reads noise as the model does; it holds the shared weights themselves, unchanged."""
    left_alone = {id(weight) for weight in shared}
    picture = torch.randn(1, *like.shape[1:], generator=torch.Generator().manual_seed(0)).to(like)
    picture = picture.contiguous(memory_format=torch.channels_last)
    folded = copy.deepcopy(side, {id(weight): weight for weight in shared})
    other = copy.copy(model)
    other._modules = {**model._modules, SIDE: folded}
    plain = other.encode_image(picture, normalize=True)  # type: ignore[operator]
    for conv, norm in _pairs(other, folded, picture):
        weights = [weight for name in (conv, norm) for weight in folded.get_submodule(name).parameters()]
        if left_alone.isdisjoint(map(id, weights)):
            _fold(folded, conv, norm)
    pad_within(folded, picture, left_alone)
    same = torch.allclose(plain, other.encode_image(picture, normalize=True), atol=TOLERANCE)  # type: ignore[operator]
    return other if same else None


def _pairs(model: nn.Module, side: nn.Module, picture: Tensor) -> list[tuple[str, str]]:
    """Names of convolutions and of the batch norms that their very outputs go to, each once."""
    last: tuple[str, Tensor] | None = None
    pairs: list[tuple[str, str]] = []

    def leaves(name: str, output: Tensor) -> None:
        nonlocal last
        last = name, output

    def arrives(name: str, given: Tensor) -> None:
        if last and last[1] is given:
            pairs.append((last[0], name))

    hooks = [
        module.register_forward_hook(lambda _, given, output, name=name: leaves(name, output))
        if isinstance(module, nn.Conv2d)
        else module.register_forward_pre_hook(lambda _, given, name=name: arrives(name, given[0]))
        for name, module in side.named_modules()
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d)
    ]
    model.encode_image(picture)  # type: ignore[operator]
    for hook in hooks:
        hook.remove()
    several = [name for pair in pairs for name in pair]
    return [pair for pair in pairs if several.count(pair[0]) == several.count(pair[1]) == 1]


def _fold(side: nn.Module, conv_name: str, norm_name: str) -> None:
    """Make one batch norm a part of its convolution; of timm's, which also activate, the activation stays."""
    conv: Any = side.get_submodule(conv_name)
    norm: Any = side.get_submodule(norm_name)
    conv.weight, conv.bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )
    rest = [part for part in (getattr(norm, "drop", None), getattr(norm, "act", None)) if isinstance(part, nn.Module)]
    side.set_submodule(norm_name, nn.Sequential(*rest))
