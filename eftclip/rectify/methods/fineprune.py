"""Fine-Pruning: channels that sleep on clean pictures are cut out, then the rest is fine-tuned on clean pairs.

Liu, Dolan-Gavitt and Garg 2018 (arXiv 1805.12185): the neurons of the last convolution are pruned in the order of their
mean activation on clean validation pictures, least first, until the accuracy on these has dropped by 4 %; then the
network is fine-tuned. Deviations: an image side without convolutions (a vision transformer) has the hidden units of its
last MLP pruned; instead of accuracy, the pictures that read as before are counted, as no labels are known, and the
number of channels is found by bisection instead of one by one; the fine-tuning is that of `finetune`, as the paper
knows no CLIP. Pruned channels stay pruned.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from eftclip.rectify.activations import SIDE, read_watched
from eftclip.rectify.methods import finetune
from eftclip.rectify.methods.base import Method, Own, Preparation, Prepared, own_of
from eftclip.types import ClipModel, Rate
from eftclip.zeroshot import probabilities

DROP = 0.04
AT_ONCE = 16  # pictures


@dataclass(frozen=True, eq=False)
class Channels:
    """What can be pruned.

    Attributes:
        name: of the layer, as the image side names it.
        heard: name of the module that shows how active they are.
        weights: the parameters whose rows belong to one channel each; with a row of zeros a channel says nothing.
        axis: of the channels in what `heard` gives out.
    """

    name: str
    heard: str
    weights: tuple[nn.Parameter, ...]
    axis: int

    def silence(self, rows: Tensor) -> None:
        """Zeros for some channels."""
        with torch.no_grad():
            for weight in self.weights:
                weight[rows.to(weight.device)] = 0


def prepare(before: Preparation) -> Prepared:
    """Prune as many channels as the clean readings allow."""
    channels = channels_of(before.student.model.get_submodule(SIDE))
    if channels is None:
        return Prepared(remark="No layer was found whose channels could be pruned, so none was.")
    pictures, kept = before.pictures, [weight.detach().clone() for weight in channels.weights]
    order = activity(before.student, pictures, channels).argsort(stable=True)
    read = probabilities(before.clip, pictures, before.classes).argmax(-1)

    def agreement(count: int) -> Rate:
        with torch.no_grad():
            for weight, whole in zip(channels.weights, kept, strict=True):
                weight.copy_(whole)
        channels.silence(order[:count])
        same = probabilities(before.student, pictures, before.classes).argmax(-1) == read
        return Rate(int(same.sum()), len(same))

    low, high = 0, len(order)  # `low` channels may go, `high` are too many
    while high - low > 1 and not before.cancelled():
        middle = (low + high) // 2
        allowed = agreement(middle).value >= 1 - own_of(before.config, "drop")
        low, high = (middle, high) if allowed else (low, middle)
    left, pruned = agreement(low), order[:low]
    return Prepared(
        after_step=lambda: channels.silence(pruned),
        remark=f"{low} of {len(order)} channels of {channels.name} were pruned; {left} pictures read as before then.",
    )


def activity(clip: ClipModel, pictures: Tensor, channels: Channels) -> Tensor:
    """`(C,)`: the mean positive output of each channel."""
    heard: list[Tensor] = []

    def listen(_: str, output: Tensor) -> None:
        others = [axis for axis in range(output.ndim) if axis != channels.axis % output.ndim]
        heard.append(output.clamp_min(0).float().mean(others).cpu())

    with torch.no_grad():
        parts = pictures.split(AT_ONCE)
        for part in parts:
            read_watched(clip, part, listen, [channels.heard])
    shares = torch.tensor([len(part) / len(pictures) for part in parts])
    return (torch.stack(heard) * shares[:, None]).sum(0)


def channels_of(side: nn.Module) -> Channels | None:
    """Those of the last convolution; where only the picture's patches are convolved, the last MLP's hidden units."""
    named = list(side.named_modules())
    convolutions = [k for k, (_, module) in enumerate(named) if isinstance(module, nn.Conv2d)]
    if len(convolutions) > 1:
        return _convolved(named, convolutions[-1])
    hidden = [k for k, (_, module) in enumerate(named) if isinstance(module, nn.Linear) and _is_activated(named, k)]
    return _weights(named, hidden[-1], hidden[-1] + 1, axis=-1) if hidden else None


def _convolved(named: Sequence[tuple[str, nn.Module]], place: int) -> Channels:
    """A convolution, with its batch norm where it has one."""
    follows = named[place + 1][1] if place + 1 < len(named) else None
    normed = isinstance(follows, nn.BatchNorm2d) and follows.num_features == named[place][1].out_channels
    return _weights(named, place, place + 1 if normed else place, axis=1)


def _is_activated(named: Sequence[tuple[str, nn.Module]], place: int) -> bool:
    """Whether a layer widens and its output goes through a function without weights."""
    layer, follows = named[place][1], named[place + 1][1] if place + 1 < len(named) else None
    if follows is None or isinstance(follows, nn.Identity | nn.Dropout) or any(True for _ in follows.parameters()):
        return False
    return isinstance(layer, nn.Linear) and layer.out_features > layer.in_features


def _weights(named: Sequence[tuple[str, nn.Module]], place: int, heard: int, axis: int) -> Channels:
    layers = dict.fromkeys((named[place][1], named[heard][1]))
    weights = tuple(weight for layer in layers for weight in layer.parameters(recurse=False))
    return Channels(named[place][0], named[heard][0], weights, axis)


METHOD = Method(
    finetune.loss,
    trains_text=True,
    distils=False,
    frozen=0.0,
    images_per_view=1,
    title="Fine-Pruning",
    about="channels that sleep on clean pictures are cut out, then CLIP's own loss on clean pairs",
    sees_triggers=False,
    steps=finetune.STEPS,
    learning_rate=finetune.LEARNING_RATE,
    prepare=prepare,
    own={"drop": Own(DROP, 0.0, 1.0, "share of clean readings that pruning may cost")},
)
