"""An open_clip ViT as transformers' `CLIPModel`, so that one taught CLIP lies in both formats."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

from eftclip.checkpoint.tokenizer import TOKENIZER_FILES

State = dict[str, Tensor]


def write_as_transformers(source: Path, folder: Path) -> Path:
    """The checkpoint in `source`, an open_clip folder of `support.tiny`'s shape, as transformers saves it."""
    document = json.loads((source / "open_clip_config.json").read_text(encoding="utf-8"))
    state = load_file(source / "open_clip_model.safetensors")
    model = CLIPModel(CLIPConfig(**_settings(document["model_cfg"])))
    model.load_state_dict(_renamed(state))
    model.save_pretrained(folder)
    told, side = document["preprocess_cfg"], document["model_cfg"]["vision_cfg"]["image_size"]
    CLIPImageProcessor(
        size={"shortest_edge": side},
        crop_size={"height": side, "width": side},
        image_mean=told["mean"],
        image_std=told["std"],
    ).save_pretrained(folder)
    for name in TOKENIZER_FILES:
        if (source / name).is_file():
            (folder / name).write_bytes((source / name).read_bytes())
    return folder


def _settings(model: dict[str, Any]) -> dict[str, Any]:
    vision, text = model["vision_cfg"], model["text_cfg"]
    return {
        "projection_dim": model["embed_dim"],
        "vision_config": {
            **_tower(
                vision["width"],
                vision["layers"],
                vision["width"] // vision["head_width"],
                vision.get("mlp_ratio", 4.0),
            ),
            "image_size": vision["image_size"],
            "patch_size": vision["patch_size"],
        },
        "text_config": {
            **_tower(text["width"], text["layers"], text["heads"]),
            "vocab_size": text["vocab_size"],
            "max_position_embeddings": text["context_length"],
            "bos_token_id": 2,
            "eos_token_id": text["eos_id"],
            "pad_token_id": text["pad_id"],
        },
    }


def _tower(width: int, layers: int, heads: int, mlp_ratio: float = 4.0) -> dict[str, Any]:
    return {
        "hidden_size": width,
        "intermediate_size": int(mlp_ratio * width),
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "hidden_act": "gelu",
    }


def _renamed(state: State) -> State:
    made = {
        "logit_scale": state["logit_scale"],
        "visual_projection.weight": state["visual.proj"].T,
        "text_projection.weight": state["text.text_projection"].T,
        "vision_model.embeddings.class_embedding": state["visual.class_embedding"],
        "vision_model.embeddings.patch_embedding.weight": state["visual.conv1.weight"],
        "vision_model.embeddings.position_embedding.weight": state["visual.positional_embedding"],
        "text_model.embeddings.token_embedding.weight": state["text.token_embedding.weight"],
        "text_model.embeddings.position_embedding.weight": state["text.positional_embedding"],
    }
    norms = {
        "visual.ln_pre": "vision_model.pre_layrnorm",
        "visual.ln_post": "vision_model.post_layernorm",
        "text.ln_final": "text_model.final_layer_norm",
    }
    for theirs, ours in norms.items():
        made |= {f"{ours}.{kind}": state[f"{theirs}.{kind}"] for kind in ("weight", "bias")}
    for theirs, ours in {"visual": "vision_model", "text": "text_model"}.items():
        made |= _blocks(state, f"{theirs}.transformer.resblocks.", f"{ours}.encoder.layers.")
    return {name: tensor.contiguous() for name, tensor in made.items()}


def _blocks(state: State, theirs: str, ours: str) -> State:
    parts = {
        "ln_1": "layer_norm1",
        "ln_2": "layer_norm2",
        "attn.out_proj": "self_attn.out_proj",
        "mlp.c_fc": "mlp.fc1",
        "mlp.c_proj": "mlp.fc2",
    }
    made: State = {}
    for number in {name.removeprefix(theirs).split(".")[0] for name in state if name.startswith(theirs)}:
        for part, name in parts.items():
            made |= {
                f"{ours}{number}.{name}.{kind}": state[f"{theirs}{number}.{part}.{kind}"] for kind in ("weight", "bias")
            }
        for kind in ("weight", "bias"):
            joined = torch.chunk(state[f"{theirs}{number}.attn.in_proj_{kind}"], 3)
            made |= {
                f"{ours}{number}.self_attn.{letter}_proj.{kind}": t for letter, t in zip("qkv", joined, strict=True)
            }
    return made
