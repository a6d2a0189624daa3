"""A checkpoint is loaded whole, from exactly one file, and reads pictures and texts like open_clip itself."""

import hashlib
import json
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file, save_file
from support.tiny import random_state, tiny_config, write_folder, write_tiny, write_tokenizer
from timm.layers.weight_init import lecun_normal_, trunc_normal_
from torch.nn import init

from eftclip.checkpoint import Architecture, inspect, load_clip
from eftclip.checkpoint.formats.open_clip_config import CONFIG_FILE
from eftclip.checkpoint.weights import SkipInit
from eftclip.errors import CheckpointError
from eftclip.runtime import seeded
from eftclip.types import ClipModel

CPU = torch.device("cpu")
WEIGHTS = "open_clip_model.safetensors"
TEXTS = ["a photo of a dog", "banana", ""]


def _load(folder: Path) -> ClipModel:
    return load_clip(str(folder), device=CPU)


def _pictures(px: int, count: int = 2) -> torch.Tensor:
    return torch.rand(count, 3, px, px, generator=torch.Generator().manual_seed(5))


def test_every_weight_is_the_file_s(tiny_folder: Path, tiny_clip: ClipModel) -> None:
    file, state = load_file(tiny_folder / WEIGHTS), tiny_clip.model.state_dict()
    assert file.keys() == state.keys()
    assert all(torch.equal(state[name], file[name]) for name in file)


def test_provenance_names_the_very_file(tiny_folder: Path, tiny_clip: ClipModel) -> None:
    ref = tiny_clip.ref
    assert (ref.source, ref.repo_id, ref.revision) == (str(tiny_folder), None, None)
    assert (ref.file, ref.format) == (WEIGHTS, "safetensors")
    assert ref.sha256 == hashlib.sha256((tiny_folder / WEIGHTS).read_bytes()).hexdigest()


def test_the_model_is_ready_to_judge(tiny_clip: ClipModel) -> None:
    assert not any(module.training for module in tiny_clip.model.modules())
    assert not any(parameter.requires_grad for parameter in tiny_clip.model.parameters())
    assert {parameter.dtype for parameter in tiny_clip.model.parameters()} == {torch.float32}
    assert (tiny_clip.image_px, tiny_clip.embed_dim, tiny_clip.device) == (64, 64, CPU)


def test_it_reads_like_open_clip(tiny_folder: Path, tiny_clip: ClipModel) -> None:
    theirs = open_clip.create_model(f"local-dir:{tiny_folder}", require_pretrained=True).eval()
    tokens = open_clip.get_tokenizer(f"local-dir:{tiny_folder}")(TEXTS)
    pictures = _pictures(64)
    with torch.inference_mode():
        expected = theirs.encode_image((pictures - 0.5) / 0.5, normalize=True)
        torch.testing.assert_close(tiny_clip.encode_images(pictures), expected, atol=1e-5, rtol=0)
        torch.testing.assert_close(
            tiny_clip.encode_text(TEXTS), theirs.encode_text(tokens, normalize=True), atol=1e-5, rtol=0
        )
    assert torch.equal(tiny_clip.tokenizer(TEXTS), tokens)


def test_the_caller_s_random_numbers_are_left_alone(tiny_folder: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    _load(tiny_folder)
    assert torch.equal(torch.rand(2), expected)


def test_half_precision_weights_are_read_as_float32(tiny_copy: Path) -> None:
    state = load_file(tiny_copy / WEIGHTS)
    save_file({name: tensor.half() for name, tensor in state.items()}, tiny_copy / WEIGHTS)
    loaded = _load(tiny_copy).model.state_dict()
    assert all(torch.equal(loaded[name], tensor.half().float()) for name, tensor in state.items())


def test_the_usual_name_wins_over_other_files(tiny_copy: Path) -> None:
    """A stranger's adapter in the tiny_copy is not taken for the weights."""
    save_file({"x": torch.zeros(1)}, tiny_copy / "adapter.safetensors")
    assert _load(tiny_copy).ref.file == WEIGHTS


def test_several_unusual_names_are_not_guessed_between(tiny_copy: Path) -> None:
    (tiny_copy / WEIGHTS).rename(tiny_copy / "b.safetensors")
    assert _load(tiny_copy).ref.file == "b.safetensors"
    shutil.copy(tiny_copy / "b.safetensors", tiny_copy / "a.safetensors")
    with pytest.raises(CheckpointError, match=r"several files .*a\.safetensors, b\.safetensors"):
        _load(tiny_copy)


def test_older_files_with_the_text_tower_at_the_top(tmp_path: Path, tiny_clip: ClipModel, tiny_folder: Path) -> None:
    state = {name.removeprefix("text."): tensor for name, tensor in load_file(tiny_folder / WEIGHTS).items()}
    state["logit_scale"] = state["logit_scale"].reshape(1)
    folder = write_folder(tmp_path / "old", tiny_config(), state)
    write_tokenizer(folder)
    assert torch.equal(_load(folder).encode_text(TEXTS), tiny_clip.encode_text(TEXTS))


def test_nothing_is_asked_of_the_network(tiny_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where the configuration names somebody's tokenizer and the Hub is switched on."""
    config = json.loads((tiny_copy / CONFIG_FILE).read_text())
    config["model_cfg"]["text_cfg"]["hf_tokenizer_name"] = "bert-base-uncased"
    (tiny_copy / CONFIG_FILE).write_text(json.dumps(config))

    def refuse(*_: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert _load(tiny_copy).tokenizer(["dog"]).shape == (1, 24)


def test_looking_tells_everything_without_the_weights(tiny_folder: Path) -> None:
    report = inspect(str(tiny_folder))
    assert report.architecture == Architecture(
        "ViT /8, 3 layers, width 96", "Transformer, 2 layers, width 128", embed_dim=64, image_px=64
    )
    assert (report.weight_file, report.format, report.licence) == (WEIGHTS, "safetensors", "apache-2.0")
    assert (report.folder, report.repo_id, report.revision, report.problems) == (tiny_folder, None, None, ())
    assert report.files[WEIGHTS] == (tiny_folder / WEIGHTS).stat().st_size


def test_no_weight_is_drawn_before_those_of_the_file_come() -> None:
    """By the initialisers of torch and timm; those of transformers are made of torch's."""
    weight = torch.empty(4, 4)
    drawing: list[Callable[..., object]] = [
        *(init.uniform_, init.normal_, init.trunc_normal_, init.xavier_uniform_, init.xavier_normal_),
        *(init.kaiming_uniform_, init.kaiming_normal_, trunc_normal_, lecun_normal_, torch.Tensor.normal_),
    ]
    for draw in drawing:
        with SkipInit():
            draw(weight.fill_(0.5))
        kept = weight.clone()
        with SkipInit():
            draw(weight.fill_(0.5))
        assert torch.equal(kept, weight), draw
        draw(weight.fill_(0.5))
        assert not torch.equal(kept, weight), "or it draws nothing anyway"
        with SkipInit():
            init.ones_(weight)
        assert bool((weight == 1).all()), "what is no draw is done"


@pytest.fixture
def real_folder(tmp_path: Path) -> Iterator[Path]:
    """A place for hundreds of megabytes; given back at once, for pytest keeps the folders of three runs."""
    yield tmp_path / "real"
    shutil.rmtree(tmp_path / "real")


def _write_real(folder: Path, name: str) -> Any:
    """The real configuration of a published CLIP with random half-precision weights; the model that was written."""
    config = open_clip.get_model_config(name)
    with torch.random.fork_rng(devices=[]), SkipInit():
        torch.manual_seed(0)
        model = open_clip.create_model(name, pretrained=None).half().eval()
    noise = (torch.randn(1 << 18, generator=seeded(0)) * 0.02).half()  # repeated, elsewhere begun in each weight
    for k, (where, weight) in enumerate(model.named_parameters()):
        if weight.ndim > 1 or where.endswith("bias"):
            endless = noise.roll(997 * k).repeat(weight.numel() // len(noise) + 1)
            weight.data = endless[: weight.numel()].view_as(weight)
    write_folder(folder, {"model_cfg": config}, {k: v.contiguous() for k, v in model.state_dict().items()})
    if config["text_cfg"].get("hf_tokenizer_name"):
        write_tokenizer(folder)
    return model.float()


SLOW = (
    *("RN50", "RN50-quickgelu", "ViT-B-32", "ViT-B-32-quickgelu", "ViT-B-16", "ViT-B-16-quickgelu"),
    *("convnext_base", "swin_base_patch4_window7_224", "MobileCLIP-S1", "ViT-B-16-SigLIP"),
)


@pytest.mark.parametrize("name", ["ViT-S-32-alt", *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_real_architectures_load_from_folders(name: str, real_folder: Path) -> None:
    theirs = _write_real(real_folder, name)
    clip = _load(real_folder)
    pictures = _pictures(clip.image_px, 1)
    with torch.inference_mode():
        expected = theirs.encode_image(clip.preprocess.normalise(pictures), normalize=True)
        torch.testing.assert_close(clip.encode_images(pictures), expected, atol=1e-4, rtol=0)
        words = theirs.encode_text(clip.tokenizer(TEXTS), normalize=True)
        torch.testing.assert_close(clip.encode_text(TEXTS), words, atol=1e-4, rtol=0)


def test_the_bundled_checkpoints_are_sound(bundled: Callable[[str], Path]) -> None:
    for name in ("clean", "badnets"):
        report = inspect(str(bundled(name)))
        assert report.problems == ()
        assert report.licence
        assert sum(report.files.values()) <= 16_000_000
        assert _load(bundled(name)).ref.format == "safetensors"


def test_the_tiny_folder_is_the_same_every_time(tmp_path: Path) -> None:
    state = random_state(tiny_config())
    assert sum(tensor.numel() for tensor in state.values()) < 1_000_000
    first, second = write_tiny(tmp_path / "a"), write_tiny(tmp_path / "b")
    assert all((first / file.name).read_bytes() == file.read_bytes() for file in second.iterdir())
