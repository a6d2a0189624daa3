"""Text towers that open_clip takes from transformers: built from checked settings, without the network and code.

open_clip itself asks the Hub for the settings that `hf_model_name` names. Here they come from the `config.json` beside
the weights, or, where there is none, from a table of the models that open_clip's published configurations name. Either
way only the settings below reach the library, and the weights come from the checkpoint's own file.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from open_clip.model import CustomTextCLIP
from torch import nn

from eftclip.checkpoint.error_text import short_list

TEXT_MODEL_CONFIG = "config.json"
POOLERS = ("mean_pooler", "max_pooler", "cls_pooler", "cls_last_hidden_state_pooler", None)
PROJECTIONS = ("linear", "mlp", None)
LARGEST = 2_000_000  # the vocabulary of any; all other counts are smaller
_BERT = """
    vocab_size hidden_size num_hidden_layers num_attention_heads intermediate_size hidden_act max_position_embeddings
    type_vocab_size layer_norm_eps pad_token_id bos_token_id eos_token_id"""
# Written out, like the keys of the configuration: what is not on the list does not reach the library.
_KEYS = {
    "bert": _BERT,
    "roberta": _BERT,
    "xlm-roberta": _BERT,
    "mt5": """
        vocab_size d_model d_kv d_ff num_layers num_heads relative_attention_num_buckets
        relative_attention_max_distance layer_norm_epsilon feed_forward_proj pad_token_id eos_token_id""",
    "m2m_100": """
        vocab_size max_position_embeddings encoder_layers encoder_ffn_dim encoder_attention_heads activation_function
        d_model scale_embedding pad_token_id bos_token_id eos_token_id""",
}
_BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
_LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
_POSITIONS = {"max_position_embeddings": 514, "type_vocab_size": 1, "layer_norm_eps": 1e-5}
_NLLB = {"model_type": "m2m_100", "vocab_size": 256206, "d_model": 1024, "encoder_attention_heads": 16}
_MT5 = {"model_type": "mt5", "vocab_size": 250112}
_BIOMED = {"model_type": "bert", "vocab_size": 30522, **_BASE}
# From the published configurations of these models.
_PUBLISHED: dict[str, dict[str, Any]] = {
    "roberta-base": {"model_type": "roberta", "vocab_size": 50265, **_BASE, **_POSITIONS},
    "xlm-roberta-base": {"model_type": "xlm-roberta", "vocab_size": 250002, **_BASE, **_POSITIONS},
    "xlm-roberta-large": {"model_type": "xlm-roberta", "vocab_size": 250002, **_LARGE, **_POSITIONS},
    "google/mt5-base": {**_MT5, "d_model": 768, "d_ff": 2048, "num_layers": 12, "num_heads": 12},
    "google/mt5-xl": {**_MT5, "d_model": 2048, "d_ff": 5120, "num_layers": 24, "num_heads": 32},
    "facebook/nllb-200-distilled-600M": {**_NLLB, "encoder_layers": 12, "encoder_ffn_dim": 4096},
    "facebook/nllb-200-distilled-1.3B": {**_NLLB, "encoder_layers": 24, "encoder_ffn_dim": 8192},
    "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract": _BIOMED,
    "microsoft/BiomedNLP-PubMedBERT-base-uncased-abstract": _BIOMED,
}


class RefusedError(Exception):
    """Why a configuration is refused: the part of a sentence that names the key."""


def text_model_settings(text: Mapping[str, Any], folder: Path | None) -> dict[str, Any] | None:
    """The checked settings of a text tower of transformers; None where the tower is open_clip's own.

    Args:
        text: `text_cfg`.
        folder: may hold a `config.json` with the settings.

    Raises:
        RefusedError: they are not here, or not allowed.
    """
    name = text.get("hf_model_name")
    if not name:
        return None
    if text.get("hf_pooler_type") not in POOLERS or text.get("hf_proj_type") not in PROJECTIONS:
        raise RefusedError("hf_pooler_type or hf_proj_type in text_cfg is unknown")
    found = _beside(folder) or _PUBLISHED.get(name if isinstance(name, str) else "")
    if found is None:
        raise RefusedError(
            f"hf_model_name {str(name)[:80]!r} needs its settings, nothing is fetched from elsewhere, and no "
            f"{TEXT_MODEL_CONFIG} with them lies beside the weights; add the one of that model"
        )
    return found


def build_with_text_model(settings: Mapping[str, Any], text_model: Mapping[str, Any]) -> nn.Module:
    """open_clip's own model around a text tower with the checked settings; it may raise whatever it likes."""
    with TemporaryDirectory() as folder:
        (Path(folder) / TEXT_MODEL_CONFIG).write_text(json.dumps(text_model), encoding="utf-8")
        text = {**settings["text_cfg"], "hf_model_name": folder, "hf_model_pretrained": False}
        model: nn.Module = CustomTextCLIP(**{**settings, "text_cfg": text})
        return model


def uses_config_file(folder: Path | None) -> bool:
    """Whether the settings come from the file beside the weights."""
    return _beside(folder) is not None


def _beside(folder: Path | None) -> dict[str, Any] | None:
    """The settings in `config.json`, if that is one of a text model: beside many checkpoints lies another."""
    path = folder / TEXT_MODEL_CONFIG if folder is not None else None
    if path is None or not path.is_file():
        return None
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RefusedError(f"{TEXT_MODEL_CONFIG} beside it is not readable JSON") from error
    kind = document.get("model_type") if isinstance(document, dict) else None
    if not isinstance(kind, str) or kind not in _KEYS:
        return None
    if code := sorted({"auto_map", "trust_remote_code"} & set(document)):
        raise RefusedError(f"{TEXT_MODEL_CONFIG} beside it asks to run code ({short_list(code)}), which is never done")
    picked = {key: document[key] for key in _KEYS[kind].split() if document.get(key) is not None}
    for key, value in picked.items():
        if not _is_allowed(value):
            raise RefusedError(f"{key} in {TEXT_MODEL_CONFIG} has a value that no text tower has: {str(value)[:40]!r}")
    if "vocab_size" not in picked:
        raise RefusedError(f"vocab_size in {TEXT_MODEL_CONFIG} is missing")
    return {"model_type": kind, **picked}


def _is_allowed(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= 40 and value.replace("-", "").replace("_", "").isalnum()
    return isinstance(value, bool | int | float) and 0 <= value <= LARGEST
