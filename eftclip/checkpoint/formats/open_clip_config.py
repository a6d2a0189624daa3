"""What `open_clip_config.json` may say, checked before anything is built: it could run code or ask the network."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD

from eftclip.checkpoint.formats.open_clip_text_model import RefusedError, text_model_settings
from eftclip.checkpoint.json_files import read_json
from eftclip.errors import CheckpointError
from eftclip.preprocess import Preprocess

CONFIG_FILE = "open_clip_config.json"

# Written out, not read from open_clip: a key that a later version adds is refused until somebody has looked at it.
_KNOWN_KEYS = {
    "model_cfg": """
        embed_dim vision_cfg text_cfg custom_text quick_gelu init_logit_scale init_logit_bias nonscalar_logit_scale""",
    "vision_cfg": """
        layers width head_width patch_size image_size patch_dropout mlp_ratio ls_init_value attentional_pool
        attn_pooler_queries attn_pooler_heads no_ln_pre pos_embed_type final_ln_after_pool pool_type output_tokens
        act_kwargs norm_kwargs block_type qk_norm scaled_cosine_attn scale_heads scale_attn_inner scale_attn scale_fc
        timm_model_name timm_model_pretrained timm_pool timm_proj timm_proj_bias timm_drop timm_drop_path""",
    "text_cfg": """
        context_length vocab_size hf_tokenizer_name tokenizer_mode tokenizer_kwargs width heads layers mlp_ratio
        hf_model_name hf_model_pretrained hf_proj_type hf_pooler_type
        ls_init_value embed_cls pad_id eos_id no_causal_mask final_ln_after_pool pool_type proj_bias proj_type
        output_tokens act_kwargs norm_kwargs block_type qk_norm scaled_cosine_attn scale_heads scale_attn_inner
        scale_attn scale_fc""",
    "preprocess_cfg": "size mode mean std interpolation resize_mode fill_color",
    "tokenizer_kwargs": "clean strip_sep_token language",
    "act_kwargs": "approximate",
    "norm_kwargs": "eps",
}
# Far above every published CLIP; they stop a file of a few bytes from filling the memory.
_MOST = {
    "embed_dim": 16_384,
    "width": 16_384,
    "layers": 256,
    "heads": 1024,
    "head_width": 4096,
    "patch_size": 512,
    "image_size": 2048,
    "context_length": 8192,
    "vocab_size": 2_000_000,
}
SIMPLE_VOCABULARY = 49408  # of open_clip's own tokenizer
MOST_PATCHES_PER_SIDE = 64  # the largest published have 32; the time to read a picture grows with their fourth power


@dataclass(frozen=True)
class Configuration:
    """A configuration that passed every check.

    Attributes:
        model: keyword arguments of open_clip's `CLIP` or `CustomTextCLIP`.
        custom_text: whether the text tower is a module of its own (`CustomTextCLIP`).
        preprocess: how pictures are made ready.
        text_model: the settings of a text tower of transformers; None for open_clip's own.
    """

    model: dict[str, Any]
    custom_text: bool
    preprocess: Preprocess
    text_model: dict[str, Any] | None = None

    @property
    def text(self) -> dict[str, Any]:
        """The text tower's settings."""
        return dict(self.model["text_cfg"])

    @property
    def vocabulary(self) -> int:
        """How many ids the text tower knows."""
        told = self.text_model if self.text_model is not None else self.text
        return int(told.get("vocab_size", SIMPLE_VOCABULARY))

    @property
    def vision(self) -> dict[str, Any]:
        """The image tower's settings."""
        return dict(self.model["vision_cfg"])


def read_configuration(folder: Path, where: str) -> Configuration:
    """Read and check the configuration of a folder.

    Raises:
        CheckpointError: missing, not JSON, a key or a value that is not allowed; `where` names the checkpoint.
    """
    return checked_configuration(read_json(folder / CONFIG_FILE, where), where, CONFIG_FILE, folder)


def checked_configuration(
    document: Mapping[str, Any], where: str, stated_in: str, folder: Path | None = None
) -> Configuration:
    """Check a configuration.

    Args:
        document: as `open_clip_config.json` has it.
        where: the checkpoint's name in errors.
        stated_in: where the configuration is from.
        folder: may hold the settings of a text tower of transformers.

    Raises:
        CheckpointError: a key or a value that is not allowed.
    """
    try:
        model = dict(_section(document, "model_cfg"))
        model["vision_cfg"] = _vision(_section(model, "vision_cfg"))
        model["text_cfg"] = _text(_section(model, "text_cfg"))
        _check_numbers(model, "model_cfg", required=("embed_dim",))
        _check_flags(model)
        preprocess = _preprocess(_section(document, "preprocess_cfg", optional=True), model["vision_cfg"])
        text_model = text_model_settings(model["text_cfg"], folder)
    except RefusedError as refused:
        raise CheckpointError(f"{where}: {stated_in} cannot be used: {refused}.") from refused
    custom = bool(model.pop("custom_text", False)) or text_model is not None
    return Configuration(model, custom, preprocess, text_model)


def _section(parent: Mapping[str, Any], name: str, *, optional: bool = False) -> dict[str, Any]:
    """A nested object whose keys are all known; a copy."""
    section = parent.get(name)
    if section is None and optional:
        return {}
    if section is None:
        raise RefusedError(f"{name} is missing")
    if not isinstance(section, dict):
        raise RefusedError(f"{name} must be an object, found {type(section).__name__}")
    if name == "model_cfg" and "multimodal_cfg" in section:
        raise RefusedError("multimodal_cfg asks for a CoCa model, and only CLIP models can be judged")
    if stray := sorted(set(section) - set(_KNOWN_KEYS[name].split())):
        raise RefusedError(f"the key {stray[0]!r} is not allowed in {name}")
    return dict(section)


def _nested(section: dict[str, Any], *names: str) -> None:
    for name in names:
        if section.get(name) is None:
            section.pop(name, None)
        else:
            section[name] = _section(section, name)


def _vision(section: dict[str, Any]) -> dict[str, Any]:
    _nested(section, "act_kwargs", "norm_kwargs")
    name = section.get("timm_model_name")
    if name is not None and (not isinstance(name, str) or any(mark in name for mark in ":/\\")):
        raise RefusedError(f"timm_model_name {name!r} must be the plain name of a timm architecture, not an address")
    section["timm_model_pretrained"] = False  # every weight comes from the verified file
    _check_numbers(section, "vision_cfg")
    _check_patches(section)
    return section


def _text(section: dict[str, Any]) -> dict[str, Any]:
    _nested(section, "act_kwargs", "norm_kwargs", "tokenizer_kwargs")
    _check_numbers(section, "text_cfg")
    return section


def _check_numbers(section: Mapping[str, Any], name: str, required: tuple[str, ...] = ()) -> None:
    for key in sorted((set(section) & set(_MOST)) | set(required)):
        value = section.get(key)
        if key == "patch_size" and value is None:  # residual networks have none
            continue
        for number in value if isinstance(value, list) and key in ("layers", "image_size") else [value]:
            if type(number) is not int or not 1 <= number <= _MOST[key]:
                raise RefusedError(f"{key} in {name} must be a whole number from 1 to {_MOST[key]}, found {value!r}")


def _check_patches(vision: Mapping[str, Any]) -> None:
    side, patch = max(_as_list(vision.get("image_size", 224))), vision.get("patch_size") or 16
    if (found := side // patch) > MOST_PATCHES_PER_SIDE:
        most = MOST_PATCHES_PER_SIDE
        raise RefusedError(
            f"image_size and patch_size make {found} × {found} patches, and at most {most} × {most} are read"
        )


def _check_flags(model: Mapping[str, Any]) -> None:
    for key in ("custom_text", "quick_gelu"):
        if not isinstance(model.get(key, False), bool):
            raise RefusedError(f"{key} in model_cfg must be true or false, found {model[key]!r}")


def _preprocess(section: dict[str, Any], vision: Mapping[str, Any]) -> Preprocess:
    """The same defaults as open_clip; the size is always the image tower's."""
    given = {key: value for key, value in section.items() if value is not None}
    sides = _as_list(vision.get("image_size", 224))
    if len(set(sides)) != 1:
        raise RefusedError(f"image_size must be square, found {sides}")
    if given.get("mode", "RGB") != "RGB":
        raise RefusedError(f"mode in preprocess_cfg must be 'RGB', found {given['mode']!r}")
    resize_mode = _choice(given, "resize_mode", ("shortest", "longest", "squash"))
    if resize_mode == "longest" and given.get("fill_color", 0) != 0:
        raise RefusedError(f"fill_color in preprocess_cfg must be 0, found {given['fill_color']!r}")
    interpolation = _choice(given, "interpolation", ("bicubic", "bilinear", "random"))
    return Preprocess(
        image_px=sides[0],
        mean=_channels(given.get("mean", OPENAI_DATASET_MEAN), "mean"),
        std=_channels(given.get("std", OPENAI_DATASET_STD), "std"),
        interpolation="bicubic" if interpolation == "random" else interpolation,  # random only concerns training
        resize_mode=resize_mode,  # type: ignore[arg-type]
    )


def _choice(section: Mapping[str, Any], key: str, allowed: tuple[str, ...]) -> str:
    value = section.get(key, allowed[0])
    if value not in allowed:
        raise RefusedError(f"{key} in preprocess_cfg must be one of {', '.join(allowed)}, found {value!r}")
    return str(value)


def _channels(value: Any, key: str) -> tuple[float, float, float]:
    numbers = value * 3 if len(value := _as_list(value)) == 1 else value
    fits = len(numbers) == 3 and all(type(n) in (int, float) and -10 <= n <= 10 for n in numbers)
    if not fits or (key == "std" and min(numbers) <= 0):
        raise RefusedError(f"{key} in preprocess_cfg must be three numbers, one for each channel, found {value!r}")
    return float(numbers[0]), float(numbers[1]), float(numbers[2])


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
