"""A small real checkpoint of every format, written and read by the library that the format is of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip
import torch
from support.tiny import change_config, write_tiny
from torch import Tensor
from torchvision.transforms.v2 import functional as TF

Features = tuple[Tensor, Tensor]  # `(N, D)` of pictures and of texts, of unit length


@dataclass(frozen=True)
class Example:
    """What a test has to know of a format.

    Attributes:
        write: puts a whole checkpoint into an empty folder.
        features: of pictures `(N, 3, H, W)` in [0, 1] and texts, as the library reads them from a folder.
        hostile: changes of a written folder that must be refused, each with words of the refusal.
    """

    write: Callable[[Path], object]
    features: Callable[[Path, Tensor, Sequence[str]], Features]
    hostile: tuple[tuple[Callable[[Path], object], str], ...]


def _by_open_clip(folder: Path, pictures: Tensor, texts: Sequence[str]) -> Features:
    model = open_clip.create_model(f"local-dir:{folder}", require_pretrained=True).eval()
    tokens = open_clip.get_tokenizer(f"local-dir:{folder}")(list(texts))
    settings = model.visual.preprocess_cfg
    ready = TF.normalize(pictures, settings["mean"], settings["std"])
    with torch.inference_mode():
        return model.encode_image(ready, normalize=True), model.encode_text(tokens, normalize=True)


def _open_clip_key(section: str, key: str, value: object) -> Callable[[Path], object]:
    def change(document: dict[str, Any]) -> None:
        model = document["model_cfg"]
        (model if section == "model_cfg" else model[section])[key] = value

    return lambda folder: change_config(folder, change)


EXAMPLES = {
    "open_clip": Example(
        write_tiny,
        _by_open_clip,
        (
            (_open_clip_key("model_cfg", "auto_map", {"AutoModel": "evil.Model"}), "'auto_map' is not allowed"),
            (_open_clip_key("text_cfg", "hf_model_name", "someone/model"), "'hf_model_name' is not allowed"),
            (_open_clip_key("vision_cfg", "timm_model_name", "hf-hub:someone/model"), "plain name"),
            (_open_clip_key("vision_cfg", "layers", 10**9), "whole number"),
        ),
    ),
}
