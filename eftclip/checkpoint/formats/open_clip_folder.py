"""A folder or repository as open_clip's `push_to_hf_hub` writes it: `open_clip_config.json` beside the weights."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from open_clip.model import CLIP, CustomTextCLIP, convert_to_custom_text_state_dict
from torch import nn

from eftclip.checkpoint.formats.base import Architecture, TextFiles
from eftclip.checkpoint.formats.open_clip_config import CONFIG_FILE, Configuration, read_configuration
from eftclip.checkpoint.formats.open_clip_text_model import (
    TEXT_MODEL_CONFIG,
    build_with_text_model,
    uses_config_file,
)
from eftclip.checkpoint.formats.open_clip_tokenizer import check_open_clip_tokenizer, load_open_clip_tokenizer
from eftclip.checkpoint.json_files import read_json
from eftclip.checkpoint.source import Listing
from eftclip.checkpoint.tokenizer import TOKENIZER_CONFIG, TOKENIZER_FILES, CheckedTokenizer
from eftclip.checkpoint.weights import State, WeightFile, choose_weights, index_limits, write_weights
from eftclip.preprocess import Preprocess
from eftclip.types import ClipModel

# The order of open_clip, so that both read the same file of a folder.
SAFE_NAMES = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "model.safetensors")
PICKLE_NAMES = (
    "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.pth",
    "pytorch_model.bin",
    "pytorch_model.pth",
    "model.pth",
)
MOST_CONFIG_MB = 1.0  # a published one has some 2 kB
INDEXES = index_limits(SAFE_NAMES, PICKLE_NAMES)
DESCRIBED_BY = {
    CONFIG_FILE: MOST_CONFIG_MB,
    TEXT_MODEL_CONFIG: MOST_CONFIG_MB,
    TOKENIZER_CONFIG: TOKENIZER_FILES[TOKENIZER_CONFIG],
    **INDEXES,
}


class OpenClipFolder:
    """See `base.CheckpointFormat`."""

    name = "open_clip"
    sign = CONFIG_FILE
    saved_weights = SAFE_NAMES[0]
    saved_texts = (CONFIG_FILE, TEXT_MODEL_CONFIG, *TOKENIZER_FILES)

    def recognises(self, listing: Listing) -> bool:
        """By its configuration."""
        return CONFIG_FILE in listing.files

    def texts(self, listing: Listing) -> TextFiles:
        """The configuration, and what belongs to the tokenizer."""
        return TextFiles(DESCRIBED_BY, {**DESCRIBED_BY, **TOKENIZER_FILES})

    def describe(self, listing: Listing, texts: Path) -> "OpenClipCheckpoint":
        """Check the configuration, and the tokenizer as far as it can be judged by its files."""
        config = read_configuration(texts, str(listing))
        check_open_clip_tokenizer(config, listing.files, texts, str(listing))
        return OpenClipCheckpoint(config, str(listing), listing.repo_id or Path(listing.source).name)

    def weights(self, listing: Listing, texts: Path | None) -> WeightFile:
        """By open_clip's usual names, or the only one there is."""
        return choose_weights(listing.files, SAFE_NAMES, PICKLE_NAMES, str(listing), texts)

    def save(self, clip: ClipModel, state: State, listing: Listing, texts: Path, folder: Path) -> str:
        """The source's own configuration and tokenizer around new weights."""
        document = read_json(texts / CONFIG_FILE, str(listing))
        used = {"mean": list(clip.preprocess.mean), "std": list(clip.preprocess.std)}
        document["preprocess_cfg"] = {**(document.get("preprocess_cfg") or {}), **used}
        own_text_model = document["model_cfg"]["text_cfg"].get("hf_model_name") and uses_config_file(texts)
        copy_texts(texts, folder, (*TOKENIZER_FILES, *([TEXT_MODEL_CONFIG] if own_text_model else [])))
        (folder / CONFIG_FILE).write_text(_written(document), encoding="utf-8")
        return write_weights(state, folder / self.saved_weights)

    def for_repository(self, folder: Path, repo_id: str) -> Mapping[str, str]:
        """Over `hf-hub:`, open_clip takes the repository for the tokenizer's that its configuration names."""
        document = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
        text = document["model_cfg"]["text_cfg"]
        if text.get("hf_tokenizer_name"):
            text["hf_tokenizer_name"] = repo_id
        return {CONFIG_FILE: _written(document)}


def copy_texts(texts: Path, folder: Path, names: Iterable[str]) -> None:
    """Those files that there are, as they are.

    Raises:
        OSError: one cannot be written.
    """
    for name in names:
        if (texts / name).is_file():
            (folder / name).write_bytes((texts / name).read_bytes())


@dataclass(frozen=True)
class OpenClipCheckpoint:
    """See `base.Described`.

    Attributes:
        config: its checked configuration.
        where: the checkpoint's name in messages.
        title: the name of its repository or folder.
    """

    config: Configuration
    where: str
    title: str
    stated_in = CONFIG_FILE

    @property
    def preprocess(self) -> Preprocess:
        """Of its configuration."""
        return self.config.preprocess

    @property
    def architecture(self) -> Architecture:
        """The towers as the configuration states them, with open_clip's defaults."""
        vision, text = self.config.vision, self.config.text
        layers, width = vision.get("layers", 12), vision.get("width", 768)
        if name := vision.get("timm_model_name"):
            tower = str(name)
        elif isinstance(layers, list):
            tower = f"ResNet {'-'.join(map(str, layers))}, width {width}"
        else:
            tower = f"ViT /{vision.get('patch_size', 16)}, {layers} layers, width {width}"
        return Architecture(
            vision=tower,
            text=str(text["hf_model_name"])
            if self.config.text_model
            else f"Transformer, {text.get('layers', 12)} layers, width {text.get('width', 512)}",
            embed_dim=self.config.model["embed_dim"],
            image_px=self.config.preprocess.image_px,
        )

    @property
    def doubts(self) -> tuple[str, ...]:
        """OpenAI trained with QuickGELU; weights read with the other activation look sound and are not."""
        if "openai" not in self.title.lower() or self.config.model.get("quick_gelu"):
            return ()
        return (
            f"{self.where}: OpenAI's weights need quick_gelu, but {CONFIG_FILE} does not set it; if these are "
            'OpenAI\'s, add "quick_gelu": true to model_cfg.',
        )

    def build(self) -> nn.Module:
        """Of open_clip's own classes; they and timm check their settings with assert, TypeError, RuntimeError, …."""
        settings: dict[str, Any] = self.config.model
        if self.config.text_model is not None:
            return build_with_text_model(settings, self.config.text_model)
        model: nn.Module = (CustomTextCLIP if self.config.custom_text else CLIP)(**settings)
        return model

    def own_names(self, state: State, model: nn.Module) -> State:
        """Older files keep the text tower at the top, and their scalars as () or as (1,)."""
        own = model.state_dict()
        if "text.positional_embedding" in own:
            state = convert_to_custom_text_state_dict(state)
        for name in {"logit_scale", "logit_bias"} & set(state) & set(own):
            if state[name].numel() == own[name].numel():
                state = {**state, name: state[name].reshape(own[name].shape)}
        return state

    def tokenizer(self, texts: Path) -> CheckedTokenizer:
        """Its own, or open_clip's."""
        return load_open_clip_tokenizer(self.config, texts, self.where)


def _written(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2) + "\n"
