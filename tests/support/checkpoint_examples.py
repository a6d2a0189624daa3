"""Small real checkpoints of every format, written and read by the libraries that the formats are of."""

import argparse
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from open_clip.model import CLIP
from safetensors.torch import load_file, save_file
from support.hostile_pickles import HOSTILE_ARCHIVES
from support.tiny import VOCABULARY, change_config, random_state, tiny_config, write_folder, write_tiny, write_tokenizer
from torch import Tensor, nn
from torchvision.transforms.v2 import functional as TF
from transformers import AutoTokenizer, CLIPConfig, CLIPImageProcessor, CLIPModel, XLMRobertaConfig, XLMRobertaModel

Features = tuple[Tensor, Tensor]  # `(N, D)` of pictures and of texts, of unit length
Read = Callable[[Path, Tensor, Sequence[str]], Features]
Hostile = tuple[tuple[Callable[[Path], object], str], ...]
SIMPLE = 49408  # words of open_clip's own tokenizer


def _itself(folder: Path) -> str:
    return str(folder)


def _file(name: str) -> Callable[[Path], str]:
    return lambda folder: str(folder / name)


def _nothing(_: Path) -> None:
    return None


@dataclass(frozen=True)
class Example:
    """What a test has to know of a checkpoint.

    Attributes:
        layout: the name of its format.
        kind: what is special about it.
        write: puts a whole checkpoint into an empty folder.
        features: of pictures `(N, 3, H, W)` in [0, 1] and texts, as the library reads them from the folder.
        saved: likewise, from a folder that a mended one was saved in.
        source: what the user types, from the folder.
        architecture: what he says besides.
        remark: words that tell where its weights lay.
        hostile: changes of a written folder that must be refused, each with words of the refusal.
        without: words that tell that its weights are gone.
        tells_itself: by its shapes, so that it cannot be described without the weights.
    """

    layout: str
    kind: str
    write: Callable[[Path], object]
    features: Read
    saved: Read
    source: Callable[[Path], str] = _itself
    architecture: Callable[[Path], str | None] = _nothing
    remark: tuple[str, ...] = ()
    hostile: Hostile = field(default=())
    without: str = "no weights were found"
    tells_itself: bool = False


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


# --- transformers -------------------------------------------------------------------------------------------------


def write_transformers(folder: Path, *, shard: str = "1GB") -> None:
    """A `CLIPModel` of random weights with its processor and its tokenizer."""
    text = {"vocab_size": VOCABULARY, "max_position_embeddings": 24, "bos_token_id": 2, "eos_token_id": 3}
    tower = {"intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = CLIPModel(
            CLIPConfig(
                text_config={**text, **tower, "hidden_size": 64, "pad_token_id": 0},
                vision_config={**tower, "hidden_size": 96, "image_size": 64, "patch_size": 8},
                projection_dim=48,
            )
        )
    model.save_pretrained(folder, max_shard_size=shard)
    CLIPImageProcessor(
        size={"shortest_edge": 64}, crop_size={"height": 64, "width": 64}, image_mean=[0.4, 0.5, 0.6]
    ).save_pretrained(folder)
    write_tokenizer(folder)


def _by_transformers(folder: Path, pictures: Tensor, texts: Sequence[str]) -> Features:
    model = CLIPModel.from_pretrained(folder).eval()
    processor = CLIPImageProcessor.from_pretrained(folder)
    ready = TF.normalize(pictures, processor.image_mean, processor.image_std)
    tokens = AutoTokenizer.from_pretrained(folder)(list(texts), padding=True, return_tensors="pt")
    with torch.inference_mode():
        images = model.get_image_features(pixel_values=ready).pooler_output
        words = model.get_text_features(
            input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]
        ).pooler_output
    return nn.functional.normalize(images, dim=-1), nn.functional.normalize(words, dim=-1)


def _json_key(name: str, *keys: str, value: object) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        document = json.loads((folder / name).read_text(encoding="utf-8"))
        section = document
        for key in keys[:-1]:
            section = section[key]
        section[keys[-1]] = value
        (folder / name).write_text(json.dumps(document), encoding="utf-8")

    return change


TRANSFORMERS_HOSTILE: Hostile = (
    (_json_key("config.json", "auto_map", value={"AutoModel": "evil.Model"}), "'auto_map' is not allowed"),
    (_json_key("config.json", "text_config", "evil", value=1), "'evil' is not allowed in text_config"),
    (_json_key("config.json", "vision_config", "num_hidden_layers", value=10**9), "whole number"),
    (_json_key("config.json", "vision_config", "hidden_act", value="evil.act"), "must be one of"),
    (_json_key("config.json", "vision_config", "image_size", value=1024), "at most 64 × 64"),
    (_json_key("config.json", "vision_config", "image_size", value=[64, 32]), "whole number"),
    (_json_key("config.json", "model_type", value="blip"), "only CLIPModel"),
    (_json_key("preprocessor_config.json", "auto_map", value={"A": "evil.B"}), "asks to run code"),
    (_json_key("preprocessor_config.json", "image_std", value=[0, 0, 0]), "three numbers"),
    (_json_key("tokenizer_config.json", "auto_map", value={"A": "evil.B"}), "asks to run code"),
)

# --- weights alone ------------------------------------------------------------------------------------------------


def plain_config(**model: object) -> dict[str, Any]:
    """An open_clip model that reads texts with open_clip's own tokenizer; its heads are 64 wide, as OpenAI's."""
    vision = {"image_size": 64, "patch_size": 16, "width": 64, "layers": 2}
    text = {"context_length": 77, "vocab_size": SIMPLE, "width": 64, "heads": 1, "layers": 2}
    return {"model_cfg": {"embed_dim": 32, "vision_cfg": vision, "text_cfg": text, **model}, "preprocess_cfg": {}}


def _stated(folder: Path) -> Path:
    """A folder with the configuration only, as `--architecture` takes it."""
    home = folder.parent / "stated"
    home.mkdir(exist_ok=True)
    return home


def write_training_run(folder: Path) -> None:
    """As open_clip's and CleanCLIP's training scripts save it."""
    state = random_state(tiny_config())
    write_folder(_stated(folder), tiny_config(), state)
    write_tokenizer(_stated(folder))
    torch.save(
        {
            "epoch": np.int64(30),
            "name": "a run",
            "state_dict": {f"module.{name}": tensor for name, tensor in state.items()},
            "optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": np.float64(0.1)}]},
            "arguments": argparse.Namespace(lr=0.1),
        },
        folder / "epoch_30.pt",
    )


def _write_wrapped(folder: Path) -> None:
    """A table in a table, a longer prefix, and tensors of others beside it."""
    write_training_run(folder)
    (folder / "epoch_30.pt").unlink()
    state = {f"clip_model._orig_mod.{name}": tensor for name, tensor in random_state(tiny_config()).items()}
    torch.save({"model_state_dict": {**state, "loss.weight": torch.ones(2)}}, folder / "last.ckpt")


def _write_prefixed_safetensors(folder: Path) -> None:
    write_training_run(folder)
    (folder / "epoch_30.pt").unlink()
    state = {f"model.{name}": tensor for name, tensor in random_state(tiny_config()).items()}
    save_file({**state, "model.positions.position_ids": torch.arange(4)}, folder / "last.safetensors")


def _write_whole_module(folder: Path) -> None:
    """`torch.save(model)`: a pickle that names open_clip's classes."""
    config = plain_config()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        model = CLIP(**config["model_cfg"])
    (_stated(folder) / "open_clip_config.json").write_text(json.dumps(config), encoding="utf-8")
    torch.save(model, folder / "model.pt")


def write_openai_archive(folder: Path) -> None:
    """A TorchScript archive with the names, the half precision and the marks of OpenAI's."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(6)
        model = CLIP(**plain_config(quick_gelu=True)["model_cfg"])
    for name, value in {"input_resolution": 64, "context_length": 77, "vocab_size": SIMPLE}.items():
        model.__dict__.pop(name, None)
        model.register_buffer(name, torch.tensor(value))
    mask = model._buffers.pop("attn_mask")
    model.attn_mask = mask  # OpenAI's is no buffer either
    model.eval()
    traced = torch.jit.trace(model, (torch.rand(1, 3, 64, 64), torch.ones(1, 77, dtype=torch.long)), check_trace=False)
    traced.half().save(str(folder / "ViT-tiny.pt"))


def _by_stated(name: str) -> Read:
    """open_clip's own reader of such files, around the architecture that is stated."""

    def features(folder: Path, pictures: Tensor, texts: Sequence[str]) -> Features:
        both = folder.parent / "both"
        shutil.copytree(_stated(folder), both, dirs_exist_ok=True)
        config = json.loads((both / "open_clip_config.json").read_text(encoding="utf-8"))
        state = _state_of(folder / name)
        save_file(state, both / "open_clip_model.safetensors")
        assert config["model_cfg"]["embed_dim"]
        return _by_open_clip(both, pictures, texts)

    return features


def _state_of(path: Path) -> dict[str, Tensor]:
    """By hand: what each of the files above holds."""
    found: dict[str, Any]
    if path.suffix == ".safetensors":
        found = load_file(path)
    else:
        content = torch.load(path, weights_only=False)
        found = content.state_dict() if isinstance(content, nn.Module) else content.get("state_dict", content)
        found = found.get("model_state_dict", found)
    names = ("module.", "model.", "clip_model._orig_mod.")
    prefix: str = next((start for start in names if any(name.startswith(start) for name in found)), "")
    inside = {name.removeprefix(prefix): tensor for name, tensor in found.items() if name.startswith(prefix)}
    return {name: tensor.contiguous() for name, tensor in inside.items() if "position_ids" not in name}


def _by_openai(folder: Path, pictures: Tensor, texts: Sequence[str]) -> Features:
    model = open_clip.load_openai_model(str(folder / "ViT-tiny.pt"), precision="fp32", device="cpu").eval()
    ready = TF.normalize(pictures, open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD)
    with torch.inference_mode():
        words = model.encode_text(open_clip.tokenize(list(texts)), normalize=True)
        return model.encode_image(ready, normalize=True), words


# --- a text tower of transformers ---------------------------------------------------------------------------------


def write_text_tower(folder: Path) -> None:
    """An open_clip folder around a small XLM-RoBERTa, with its settings beside it."""
    config = tiny_config()
    config["model_cfg"]["text_cfg"] = {
        "context_length": 24,
        "hf_model_name": "someone/tiny-roberta",
        "hf_tokenizer_name": "someone/tiny-roberta",
        "hf_pooler_type": "mean_pooler",
        "hf_proj_type": "mlp",
    }
    settings = XLMRobertaConfig(
        vocab_size=VOCABULARY,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=96,
        max_position_embeddings=40,
        type_vocab_size=1,
        pad_token_id=0,
        architectures=["XLMRobertaModel"],
    )
    folder.mkdir(exist_ok=True)
    settings.save_pretrained(folder)
    write_folder(folder, config, _text_tower_state(config, folder))
    write_tokenizer(folder)


def _text_tower_state(config: dict[str, Any], folder: Path) -> dict[str, Tensor]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(8)
        model = _text_tower_model(config, folder)
    return {name: tensor.contiguous() for name, tensor in model.state_dict().items()}


def _text_tower_model(config: dict[str, Any], folder: Path) -> Any:
    """As open_clip builds it, which takes a folder for the name of a model."""
    settings = json.loads(json.dumps(config["model_cfg"]))
    settings.pop("custom_text")
    settings["text_cfg"].update(hf_model_name=str(folder), hf_model_pretrained=False)
    return open_clip.CustomTextCLIP(**settings)


def _by_text_tower(folder: Path, pictures: Tensor, texts: Sequence[str]) -> Features:
    config = json.loads((folder / "open_clip_config.json").read_text(encoding="utf-8"))
    model = _text_tower_model(config, folder).eval()
    model.load_state_dict(load_file(folder / "open_clip_model.safetensors"))
    assert isinstance(model.text.transformer, XLMRobertaModel)
    tokens = open_clip.get_tokenizer(f"local-dir:{folder}")(list(texts))
    settings = config["preprocess_cfg"]
    ready = TF.normalize(pictures, settings["mean"], settings["std"])
    with torch.inference_mode():
        return model.encode_image(ready, normalize=True), model.encode_text(tokens, normalize=True)


def _write_split(folder: Path) -> None:
    """An open_clip folder whose weights lie in two files."""
    write_tiny(folder)
    state = load_file(folder / "open_clip_model.safetensors")
    (folder / "open_clip_model.safetensors").unlink()
    names = {name: f"open_clip_model-0000{1 + number % 2}-of-00002.safetensors" for number, name in enumerate(state)}
    for file in set(names.values()):
        save_file({name: state[name] for name in state if names[name] == file}, folder / file)
    index = {"metadata": {}, "weight_map": names}
    (folder / "open_clip_model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")


def _by_split(folder: Path, pictures: Tensor, texts: Sequence[str]) -> Features:
    parts = [load_file(path) for path in sorted(folder.glob("*.safetensors"))]
    both = folder.parent / "both"
    shutil.copytree(folder, both, ignore=shutil.ignore_patterns("*.safetensors*"), dirs_exist_ok=True)
    save_file({name: tensor for part in parts for name, tensor in part.items()}, both / "open_clip_model.safetensors")
    return _by_open_clip(both, pictures, texts)


INDEX = "model.safetensors.index.json"


def _instead(make: Callable[[Path], object]) -> Callable[[Path], object]:
    return lambda folder: make(folder / "epoch_30.pt")


def _stated_folder(folder: Path) -> str:
    return str(_stated(folder))


EXAMPLES: tuple[Example, ...] = (
    Example(
        "open_clip",
        "whole",
        write_tiny,
        _by_open_clip,
        _by_open_clip,
        hostile=(
            (_open_clip_key("model_cfg", "auto_map", {"AutoModel": "evil.Model"}), "'auto_map' is not allowed"),
            (_open_clip_key("text_cfg", "hf_model_name", "someone/model"), "nothing is fetched from elsewhere"),
            (_open_clip_key("vision_cfg", "timm_model_name", "hf-hub:someone/model"), "plain name"),
            (_open_clip_key("vision_cfg", "layers", 10**9), "whole number"),
        ),
    ),
    Example(
        "open_clip",
        "split",
        _write_split,
        _by_split,
        _by_open_clip,
        hostile=(
            (_json_key("open_clip_model.safetensors.index.json", "weight_map", value={"a": "../x"}), "no weights were"),
            (_json_key("open_clip_model.safetensors.index.json", "weight_map", value=7), "does not say which file"),
        ),
    ),
    Example(
        "open_clip",
        "text tower",
        write_text_tower,
        _by_text_tower,
        _by_text_tower,
        hostile=(
            (_json_key("config.json", "auto_map", value={"AutoModel": "evil.Model"}), "asks to run code"),
            (_json_key("config.json", "hidden_size", value=10**9), "no text tower has"),
            (_json_key("config.json", "hidden_act", value="os.system('x')"), "no text tower has"),
            (_json_key("config.json", "model_type", value="evil"), "nothing is fetched from elsewhere"),
            (_open_clip_key("text_cfg", "hf_pooler_type", "evil"), "hf_pooler_type"),
        ),
    ),
    Example(
        "transformers",
        "whole",
        write_transformers,
        _by_transformers,
        _by_transformers,
        hostile=TRANSFORMERS_HOSTILE,
    ),
    Example(
        "transformers",
        "split",
        partial(write_transformers, shard="100KB"),
        _by_transformers,
        _by_transformers,
        hostile=(
            (
                _json_key(INDEX, "weight_map", value={"logit_scale": "/etc/passwd"}),
                "no weights were found in /etc/passwd",
            ),
        ),
    ),
    Example(
        "single_file",
        "training run",
        write_training_run,
        _by_stated("epoch_30.pt"),
        _by_open_clip,
        source=_file("epoch_30.pt"),
        architecture=_stated_folder,
        remark=("weights under `state_dict`", "prefix `module.`"),
        hostile=tuple((_instead(make), words) for make, words in HOSTILE_ARCHIVES),
        without="does not exist",
    ),
    Example(
        "single_file",
        "wrapped",
        _write_wrapped,
        _by_stated("last.ckpt"),
        _by_open_clip,
        source=_file("last.ckpt"),
        architecture=_stated_folder,
        remark=("`model_state_dict`", "prefix `clip_model._orig_mod.`", "1 tensors outside of it left out"),
        without="does not exist",
    ),
    Example(
        "single_file",
        "prefixed safetensors",
        _write_prefixed_safetensors,
        _by_stated("last.safetensors"),
        _by_open_clip,
        architecture=_stated_folder,
        remark=("prefix `model.`", "position_ids"),
    ),
    Example(
        "single_file",
        "whole module",
        _write_whole_module,
        _by_stated("model.pt"),
        _by_open_clip,
        source=_file("model.pt"),
        architecture=_stated_folder,
        without="does not exist",
    ),
    Example(
        "single_file",
        "OpenAI archive",
        write_openai_archive,
        _by_openai,
        _by_open_clip,
        source=_file("ViT-tiny.pt"),
        remark=("input_resolution", "which nothing needs"),
        without="does not exist",
        tells_itself=True,
    ),
)
