"""What the shapes of a CLIP's tensors tell of its architecture, with the names that OpenAI and open_clip give them.

They tell all numbers but two: how wide a head is (64 in every published one) and which activation was trained with.
OpenAI's own archives are known by their marks, and were trained with QuickGELU. Of others it cannot be said, and what
is read with the other activation looks sound and is not.
"""

from collections.abc import Mapping
from typing import Any

import open_clip

from eftclip.checkpoint.weights import State

HEAD = 64
OPENAI_MARKS = ("input_resolution", "context_length", "vocab_size")


def model_settings(state: State) -> dict[str, Any] | None:
    """`model_cfg` of these tensors, without the activation; None where their names are others.

    Args:
        state: tensors by name, also on the meta device.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    try:
        text_width = shapes["ln_final.weight"][0]
        return {
            "embed_dim": shapes["text_projection"][1],
            "vision_cfg": _residual(shapes)
            if "visual.attnpool.positional_embedding" in shapes
            else _transformer(shapes),
            "text_cfg": {
                "context_length": shapes["positional_embedding"][0],
                "vocab_size": shapes["token_embedding.weight"][0],
                "width": text_width,
                "heads": max(1, text_width // HEAD),
                "layers": _count(shapes, "transformer.resblocks."),
            },
        }
    except (KeyError, IndexError):
        return None


def published_names(settings: Mapping[str, Any]) -> list[str]:
    """The architectures of open_clip that have these settings."""
    wanted = _numbers(settings)
    return [name for name in open_clip.list_models() if _numbers(open_clip.get_model_config(name) or {}) == wanted]


def _transformer(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    width, _, _, patch = shapes["visual.conv1.weight"]
    grid = round((shapes["visual.positional_embedding"][0] - 1) ** 0.5)
    layers = _count(shapes, "visual.transformer.resblocks.")
    return {"image_size": patch * grid, "layers": layers, "width": width, "patch_size": patch}


def _residual(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    grid = round((shapes["visual.attnpool.positional_embedding"][0] - 1) ** 0.5)
    layers = [_count(shapes, f"visual.layer{stage}.") for stage in (1, 2, 3, 4)]
    return {
        "image_size": grid * 32,  # every stage but the first halves the side, and the stem quarters it
        "layers": layers,
        "width": shapes["visual.layer1.0.conv1.weight"][0],
        "patch_size": None,
    }


def _count(shapes: Mapping[str, tuple[int, ...]], prefix: str) -> int:
    return len({name.removeprefix(prefix).split(".")[0] for name in shapes if name.startswith(prefix)})


def _numbers(settings: Mapping[str, Any]) -> tuple[Any, ...]:
    vision, text = settings.get("vision_cfg", {}), settings.get("text_cfg", {})
    seen = [vision.get(key) for key in ("image_size", "layers", "width", "patch_size")]
    read = [text.get(key) for key in ("context_length", "vocab_size", "width", "layers")]
    return settings.get("embed_dim"), *seen, *read, bool(vision.get("timm_model_name") or text.get("hf_model_name"))
