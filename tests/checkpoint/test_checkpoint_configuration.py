"""Every key that counts is honoured as open_clip does, and every other key is refused by name."""

import json
import shutil
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from support.tiny import change_config, refusal

from eftclip.checkpoint import inspect, load_clip
from eftclip.checkpoint.formats.open_clip_config import CONFIG_FILE, read_configuration
from eftclip.errors import CheckpointError
from eftclip.types import ClipModel

pytestmark = pytest.mark.quick

CPU = torch.device("cpu")


def test_preprocessing_defaults_are_open_clip_s(tiny_copy: Path) -> None:
    change_config(tiny_copy, lambda config: config.pop("preprocess_cfg"))
    ours = load_clip(str(tiny_copy), device=CPU).preprocess
    theirs = open_clip.create_model(f"local-dir:{tiny_copy}").visual.preprocess_cfg
    assert (ours.image_px, ours.image_px) == theirs["size"]
    assert (ours.mean, ours.std) == (theirs["mean"], theirs["std"])
    assert (ours.interpolation, ours.resize_mode) == (theirs["interpolation"], theirs["resize_mode"])


def test_preprocessing_is_read_from_the_configuration(tiny_copy: Path) -> None:
    numbers = {"mean": 0.1, "std": [0.2, 0.3, 0.4], "fill_color": None}
    words = {"interpolation": "bilinear", "resize_mode": "squash"}
    change_config(tiny_copy, lambda config: config.update(preprocess_cfg=numbers | words))
    ours = load_clip(str(tiny_copy), device=CPU).preprocess
    assert (ours.mean, ours.std) == ((0.1, 0.1, 0.1), (0.2, 0.3, 0.4))
    assert (ours.interpolation, ours.resize_mode) == ("bilinear", "squash")


def test_openai_weights_without_quick_gelu_are_doubted(tiny_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_folder, tmp_path / "vit-tiny-openai"))
    assert "quick_gelu" in inspect(str(folder)).problems[0]
    change_config(folder, lambda config: config["model_cfg"].update(quick_gelu=True))
    assert inspect(str(folder)).problems == ()


def test_quick_gelu_is_honoured(tiny_copy: Path, tiny_clip: ClipModel) -> None:
    change_config(tiny_copy, lambda config: config["model_cfg"].update(quick_gelu=True))
    pictures = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(5))
    quick = load_clip(str(tiny_copy), device=CPU)
    theirs = open_clip.create_model(f"local-dir:{tiny_copy}", require_pretrained=True).eval()
    with torch.inference_mode():
        features = quick.encode_images(pictures)
        expected = theirs.encode_image((pictures - 0.5) / 0.5, normalize=True)
        torch.testing.assert_close(features, expected, atol=1e-5, rtol=0)
        assert not torch.allclose(features, tiny_clip.encode_images(pictures), atol=1e-4)


def test_the_published_configurations_pass(tmp_path: Path) -> None:
    """All that open_clip ships, except text towers from elsewhere and captioning models."""
    refused = set()
    for name in open_clip.list_models():
        (tmp_path / CONFIG_FILE).write_text(json.dumps({"model_cfg": open_clip.get_model_config(name)}))
        try:
            read_configuration(tmp_path, name)
        except CheckpointError as error:
            assert "CoCa" in str(error)
            refused.add(name)
    assert len(refused) <= 4
    assert {"RN50", "ViT-B-32", "ViT-L-14-quickgelu", "ViT-B-16-SigLIP", "convnext_base"}.isdisjoint(refused)


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "null", '{"model_cfg": 3}', "{}", "\ud800", "[" * 100_000])
def test_a_configuration_that_is_no_json_object(tiny_copy: Path, text: str) -> None:
    (tiny_copy / CONFIG_FILE).write_bytes(text.encode("utf-8", "surrogatepass"))
    assert CONFIG_FILE in refusal(tiny_copy)
    assert CONFIG_FILE in inspect(str(tiny_copy)).problems[0]


@pytest.mark.parametrize(
    ("section", "key", "value", "words"),
    [
        ("model_cfg", "surprise", 1, "the key 'surprise' is not allowed in model_cfg"),
        ("model_cfg", "multimodal_cfg", {}, "CoCa"),
        ("model_cfg", "embed_dim", None, "embed_dim in model_cfg must be a whole number"),
        ("model_cfg", "embed_dim", 10**9, "embed_dim in model_cfg must be a whole number from 1 to 16384"),
        ("model_cfg", "quick_gelu", "false", "quick_gelu in model_cfg must be true or false"),
        ("vision_cfg", "surprise", 1, "'surprise' is not allowed in vision_cfg"),
        ("vision_cfg", "timm_model_name", "hf-hub:someone/model", "plain name of a timm architecture"),
        ("vision_cfg", "timm_model_name", "someone/model", "plain name of a timm architecture"),
        ("vision_cfg", "timm_model_name", ["x"], "plain name of a timm architecture"),
        ("vision_cfg", "timm_model_name", "no_such_net", "no model can be built"),
        ("vision_cfg", "layers", 10**6, "layers in vision_cfg"),
        ("vision_cfg", "layers", [3, 4, -6, 3], "layers in vision_cfg"),
        ("vision_cfg", "image_size", [64, 32], "image_size must be square"),
        ("vision_cfg", "image_size", True, "image_size in vision_cfg"),
        ("vision_cfg", "width", "96", "width in vision_cfg"),
        ("vision_cfg", "pool_type", "sideways", "no model can be built|cannot read a 64 px picture"),
        ("vision_cfg", "act_kwargs", {"inplace": True}, "'inplace' is not allowed in act_kwargs"),
        ("text_cfg", "surprise", 1, "'surprise' is not allowed in text_cfg"),
        ("text_cfg", "hf_model_name", "someone/model", "nothing is fetched from elsewhere"),
        ("text_cfg", "norm_kwargs", {"device": "meta"}, "'device' is not allowed in norm_kwargs"),
        ("text_cfg", "tokenizer_kwargs", {"trust_remote_code": True}, "'trust_remote_code' is not allowed"),
        ("text_cfg", "tokenizer_kwargs", {"use_fast": False}, "'use_fast' is not allowed in tokenizer_kwargs"),
        ("text_cfg", "tokenizer_kwargs", {"clean": "bleach"}, "the tokenizer cannot be used"),
        ("text_cfg", "heads", 0, "heads in text_cfg"),
        ("model_cfg", "text_cfg", None, "text_cfg is missing"),
        ("text_cfg", "heads", 7, "no model can be built"),
        ("text_cfg", "eos_id", 5, "reads at the end mark 5"),
        ("preprocess_cfg", "surprise", 1, "'surprise' is not allowed in preprocess_cfg"),
        ("preprocess_cfg", "std", [0.5, 0.0, 0.5], "std in preprocess_cfg"),
        ("preprocess_cfg", "mean", [0.5, 0.5], "mean in preprocess_cfg"),
        ("preprocess_cfg", "mean", "grey", "mean in preprocess_cfg"),
        ("preprocess_cfg", "interpolation", "nearest", "interpolation in preprocess_cfg"),
        ("preprocess_cfg", "resize_mode", "stretch", "resize_mode in preprocess_cfg"),
        ("preprocess_cfg", "mode", "L", "mode in preprocess_cfg"),
    ],
)
def test_settings_that_are_not_allowed(tiny_copy: Path, section: str, key: str, value: object, words: str) -> None:
    def change(config: dict[str, Any]) -> None:
        everything = {**config, **config["model_cfg"]}
        everything[section][key] = value

    change_config(tiny_copy, change)
    sentence = refusal(tiny_copy)
    assert any(word in sentence for word in words.split("|"))
