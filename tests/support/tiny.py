"""A real open_clip folder of some 800,000 random weights with its own tokenizer, written in a fraction of a second."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from open_clip.model import CLIP, CustomTextCLIP
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from eftclip.checkpoint import load_clip
from eftclip.errors import CheckpointError

CLASSES = ("banana", "dog", "cat", "bicycle", "pizza", "clock", "traffic light", "umbrella")
VOCABULARY = 600
CARD = "---\nlicense: apache-2.0\n---\n# A tiny CLIP with random weights\n"


def tiny_config() -> dict[str, Any]:
    """A fresh copy that a test may change."""
    return {
        "model_cfg": {
            "embed_dim": 64,
            "custom_text": True,
            "vision_cfg": {"image_size": 64, "patch_size": 8, "width": 96, "layers": 3, "head_width": 32},
            "text_cfg": {
                "context_length": 24,
                "vocab_size": VOCABULARY,
                "hf_tokenizer_name": "tiny/tokenizer",
                "width": 128,
                "heads": 4,
                "layers": 2,
                "pool_type": "eos",
                "eos_id": 3,
                "pad_id": 0,
            },
        },
        "preprocess_cfg": {
            "mean": [0.5, 0.5, 0.5],
            "std": [0.5, 0.5, 0.5],
            "interpolation": "bicubic",
            "resize_mode": "shortest",
        },
    }


def write_tokenizer(folder: Path, *, words: int = VOCABULARY) -> None:
    """A byte-level BPE that learns from a few sentences; always exactly `words` entries."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    corpus = [f"a photo of the {kind} {name}" for kind in ("large", "small", "weird") for name in CLASSES]
    corpus += [f"word{n} " * 3 for n in range(1000)]  # enough pairs to reach the size asked for
    special = ["<pad>", "<unk>", "<s>", "</s>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=words, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(corpus, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 2), ("</s>", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        model_max_length=24,
    ).save_pretrained(folder)


def random_state(config: dict[str, Any], *, seed: int = 0) -> dict[str, torch.Tensor]:
    """The weights of a configuration, drawn from a seed."""
    settings = dict(config["model_cfg"])
    kind = CustomTextCLIP if settings.pop("custom_text", False) else CLIP
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = kind(**settings)
    return {name: tensor.contiguous() for name, tensor in model.state_dict().items()}


def write_folder(folder: Path, config: dict[str, Any], state: dict[str, torch.Tensor]) -> Path:
    """Configuration, weights and card; no tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=2))
    (folder / "README.md").write_text(CARD)
    save_file(state, folder / "open_clip_model.safetensors", metadata={"format": "pt"})
    return folder


def write_tiny(folder: Path) -> Path:
    """The whole tiny checkpoint."""
    config = tiny_config()
    write_folder(folder, config, random_state(config))
    write_tokenizer(folder)
    return folder


def change_config(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Rewrite the configuration of a folder; `change` alters the document in place."""
    document = json.loads((folder / "open_clip_config.json").read_text())
    change(document)
    (folder / "open_clip_config.json").write_text(json.dumps(document))


def refusal(source: Path | str, *, allow_pickle: bool = False) -> str:
    """The sentence with which a source is refused."""
    with pytest.raises(CheckpointError) as caught:
        load_clip(str(source), device=torch.device("cpu"), allow_pickle=allow_pickle)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.endswith(".")
    return sentence
