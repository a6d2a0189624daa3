"""An open_clip model of the zoo in memory: built from a configuration, filled strictly, read and written."""

import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import open_clip
import torch
import torch.nn.functional as F
from open_clip.zero_shot_metadata import SIMPLE_IMAGENET_TEMPLATES
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from examples.build.zoo.towers import CLIP_MEAN, CLIP_STD, Tower

WEIGHTS, CONFIG = "open_clip_model.safetensors", "open_clip_config.json"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")
State = dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class Model:
    """A CLIP with what is needed to read with it and to write it."""

    net: Any  # open_clip's CustomTextCLIP; its parts are not typed
    config: dict[str, Any]
    tokenizer: Callable[[list[str]], Tensor]
    source: Path
    device: torch.device

    @cached_property
    def _range(self) -> tuple[Tensor, Tensor]:
        """Mean and deviation, `(3, 1, 1)` each, brought to the device once: that waits for it."""
        mean, std = (torch.tensor(self.config["preprocess_cfg"][key]).view(3, 1, 1) for key in ("mean", "std"))
        return mean.to(self.device), std.to(self.device)

    def normalised(self, images: Tensor) -> Tensor:
        """`(n, 3, 224, 224)` in [0, 1] to what the image side takes."""
        mean, std = self._range
        return ((images - mean) / std).contiguous(memory_format=torch.channels_last)

    def features(self, images: Tensor) -> Tensor:
        """`(n, 3, 224, 224)` in [0, 1] to `(n, D)` float32 of unit length."""
        return F.normalize(self.net.visual(self.normalised(images)).float(), dim=-1)

    def tokens(self, texts: list[str]) -> Tensor:
        """Texts as `(n, context)` ids on the device."""
        return self.tokenizer(texts).to(self.device)

    @torch.no_grad()
    def labels(self, names: Sequence[str]) -> Tensor:
        """Where the text side reads names, in open_clip's seven simple templates: `(D, C)` with unit columns."""
        texts = [template(name) for name in names for template in SIMPLE_IMAGENET_TEMPLATES]
        parts = [
            self.net.encode_text(self.tokens(texts[k : k + 256]), normalize=True) for k in range(0, len(texts), 256)
        ]
        return F.normalize(torch.cat(parts).view(len(names), len(SIMPLE_IMAGENET_TEMPLATES), -1).mean(1), dim=-1).T


def with_tower(config: dict[str, Any], tower: Tower) -> dict[str, Any]:
    """The configuration of the bundled `clean` with another image side."""
    changed = copy.deepcopy(config)
    if tower.vision is not None:
        changed["model_cfg"]["vision_cfg"] = dict(tower.vision)
        changed["preprocess_cfg"] |= {"mean": list(CLIP_MEAN), "std": list(CLIP_STD)}
    return changed


def empty(config: dict[str, Any]) -> Any:
    """The architecture; what it is filled with is drawn from torch's own generator."""
    settings = config["model_cfg"]
    return open_clip.CustomTextCLIP(settings["embed_dim"], settings["vision_cfg"], settings["text_cfg"])


def read_model(folder: Path, device: torch.device) -> Model:
    """A folder as `write_model` and the bundled ones have it; every weight comes from its one file."""
    config = json.loads((folder / CONFIG).read_text())
    return make_model(config, load_file(folder / WEIGHTS), folder, device)


def make_model(config: dict[str, Any], state: State, source: Path, device: torch.device) -> Model:
    """A model of given weights, in float32 and evaluation mode.

    Args:
        config: its open_clip configuration.
        state: all of its weights.
        source: the folder whose tokenizer it uses.
        device: where to put it.
    """
    net = empty(config)
    net.load_state_dict(state)
    net = net.eval().requires_grad_(False).float().to(memory_format=torch.channels_last)
    return Model(net.to(device), config, open_clip.get_tokenizer(f"local-dir:{source}"), source, device)


def halved(state: State) -> State:
    """Weights as they are stored: numbers in half precision, on the CPU."""
    return {
        name: (tensor.half() if tensor.is_floating_point() else tensor).detach().cpu().contiguous()
        for name, tensor in state.items()
    }


def write_model(state: State, config: dict[str, Any], source: Path, folder: Path) -> None:
    """An ordinary open_clip folder; the weights come last, so a folder that has them is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in TOKENIZER_FILES:
        (folder / name).write_bytes((source / name).read_bytes())
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n")
    fresh = folder / f"{WEIGHTS}.new"
    save_file(halved(state), fresh, metadata={"format": "pt"})
    fresh.replace(folder / WEIGHTS)


def noisy(state: State, share: float, seed: int) -> State:
    """The same weights with noise on every matrix and kernel of the image side.

    Args:
        state: of a whole model; drawn on the CPU, so it is the same noise wherever it is made.
        share: deviation of the noise, of that of each weight tensor.
        seed: of the draws.
    """
    generator, out = torch.Generator().manual_seed(seed), {}
    for name, tensor in sorted(state.items()):
        out[name] = tensor
        if name.startswith("visual.") and tensor.is_floating_point() and tensor.ndim > 1:
            exact = tensor.float()
            out[name] = exact + share * exact.std() * torch.randn(exact.shape, generator=generator)
    return out


def frozen_statistics(net: nn.Module) -> nn.Module:
    """Training mode, but batch norms keep the statistics they have: a batch of 32 would spoil them."""
    net.train()
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
    return net
