"""What the modules of an image side hand on while it reads."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from eftclip.types import ClipModel

SIDE = "visual"  # the part of an open_clip model that reads pictures


def read_watched(clip: ClipModel, images: Tensor, watch: Callable[[str, Tensor], None], names: Sequence[str]) -> Tensor:
    """Features of pictures, telling what some modules of the image side give out on the way.

    Args:
        clip: the very weights that are read, never a copy of them; gradients flow where enabled.
        images: `(N, 3, px, px)` float32 RGB in [0, 1].
        watch: told the name of each module that ran and its output, if that is one tensor.
        names: modules, as the image side names them.

    Returns:
        `(N, D)` of unit length.
    """
    side = clip.model.get_submodule(SIDE)

    def told(name: str) -> Callable[[nn.Module, object, object], None]:
        return lambda _, given, output: watch(name, output) if isinstance(output, Tensor) else None

    hooks = [side.get_submodule(name).register_forward_hook(told(name)) for name in names]
    try:
        ready = clip.preprocess.normalise(images.to(clip.device)).contiguous(memory_format=torch.channels_last)
        features: Tensor = clip.model.encode_image(ready, normalize=True)  # type: ignore[operator]
        return features.float()
    finally:
        for hook in hooks:
            hook.remove()


def answers(clip: ClipModel, images: Tensor, layers: Sequence[str]) -> list[Tensor]:
    """Features of pictures, `(N, D)`, and what the image side's modules `layers` give out for them, `(N, …)` each."""
    if not layers:
        return [clip.encode_images(images)]
    seen: dict[str, Tensor] = {}
    features = read_watched(clip, images, seen.__setitem__, layers)
    return [features, *(seen[name] for name in layers)]


def compound_modules(side: nn.Module) -> list[str]:
    """Names of the modules that are made of others: stages, blocks and their parts, but no single operation."""
    return [name for name, module in side.named_modules() if name and any(True for _ in module.children())]


def last_map(clip: ClipModel, picture: Tensor) -> str | None:
    """The module that gives out the last map, values for each place of a picture, before one vector is made of it.

    Args:
        clip: a checkpoint.
        picture: `(1, 3, px, px)` float32 RGB in [0, 1].

    Returns:
        Its name; None where no module gives out `(N, C, H, W)` with more than one place. Tokens of a transformer are no
        such map: most of them lead nowhere, as one alone becomes the feature.
    """
    seen: list[str] = []

    def note(name: str, output: Tensor) -> None:
        if output.ndim == 4 and output.shape[-2:].numel() > 1:
            seen.append(name)

    with torch.no_grad():
        read_watched(clip, picture, note, compound_modules(clip.model.get_submodule(SIDE)))
    return seen[-1] if seen else None
