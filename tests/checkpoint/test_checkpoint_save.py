"""A mended model is written as a folder that open_clip itself loads, and nothing but the weights has changed."""

import json
from dataclasses import replace
from pathlib import Path

import open_clip
import pytest
import torch
from safetensors.torch import load_file, save_file
from support.tiny import change_config, refusal

from eftclip.checkpoint import load_clip, save_clip
from eftclip.errors import CheckpointError
from eftclip.types import ClipModel

pytestmark = pytest.mark.quick

CPU = torch.device("cpu")


def _changed(clip: ClipModel) -> ClipModel:
    """The same with slightly other weights."""
    with torch.no_grad():
        for parameter in clip.model.parameters():
            parameter.mul_(1.01)
    return clip


def test_what_is_written_is_what_is_loaded(tiny_copy: Path, tmp_path: Path) -> None:
    clip = _changed(load_clip(str(tiny_copy), device=CPU))
    sha256 = save_clip(clip, str(tiny_copy), tmp_path / "out")
    again = load_clip(str(tmp_path / "out"), device=CPU)
    assert again.ref.sha256 == sha256 != clip.ref.sha256
    for name, tensor in clip.model.state_dict().items():
        assert torch.equal(tensor, again.model.state_dict()[name]), name
    assert again.preprocess == clip.preprocess
    assert torch.equal(again.tokenizer(["a photo of a dog"]), clip.tokenizer(["a photo of a dog"]))


def test_plain_open_clip_loads_it(tiny_copy: Path, tmp_path: Path) -> None:
    clip = _changed(load_clip(str(tiny_copy), device=CPU))
    save_clip(clip, str(tiny_copy), tmp_path / "out")
    model, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{tmp_path / 'out'}")
    model.eval()
    grey = torch.full((1, 3, 64, 64), 0.25)
    assert torch.allclose(model.encode_image(clip.preprocess.normalise(grey), normalize=True), clip.encode_images(grey))
    assert tuple(preprocess.transforms[-1].mean) == clip.preprocess.mean
    tokens = open_clip.get_tokenizer(f"local-dir:{tmp_path / 'out'}")(["a dog"])
    assert torch.allclose(model.encode_text(tokens, normalize=True), clip.encode_text(["a dog"]))


def test_half_precision_stays_half_precision(tiny_copy: Path, tmp_path: Path) -> None:
    path = tiny_copy / "open_clip_model.safetensors"
    save_file({name: tensor.half() for name, tensor in load_file(path).items()}, path, metadata={"format": "pt"})
    save_clip(_changed(load_clip(str(tiny_copy), device=CPU)), str(tiny_copy), tmp_path / "out")
    written = load_file(tmp_path / "out" / "open_clip_model.safetensors")
    assert {tensor.dtype for tensor in written.values()} == {torch.float16}
    assert (tmp_path / "out" / path.name).stat().st_size == pytest.approx(path.stat().st_size, rel=0.01)


def test_the_normalisation_that_works_is_written(tiny_copy: Path, tmp_path: Path) -> None:
    clip = load_clip(str(tiny_copy), device=CPU)
    used = replace(clip, preprocess=replace(clip.preprocess, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)))
    save_clip(used, str(tiny_copy), tmp_path / "out")
    assert load_clip(str(tmp_path / "out"), device=CPU).preprocess == used.preprocess
    config = json.loads((tmp_path / "out" / "open_clip_config.json").read_text())
    assert config["preprocess_cfg"]["interpolation"] == "bicubic", "the rest is as it was"


def test_a_source_that_has_changed_meanwhile_is_refused(tiny_copy: Path, tmp_path: Path) -> None:
    clip = load_clip(str(tiny_copy), device=CPU)
    path = tiny_copy / "open_clip_model.safetensors"
    save_file({name: tensor * 2 for name, tensor in load_file(path).items()}, path, metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match="no longer the file that was loaded"):
        save_clip(clip, str(tiny_copy), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_source_that_is_gone_or_a_folder_that_cannot_be_written_is_said(tiny_copy: Path, tmp_path: Path) -> None:
    clip = load_clip(str(tiny_copy), device=CPU)
    with pytest.raises(CheckpointError, match="does not exist"):
        save_clip(clip, str(tmp_path / "gone"), tmp_path / "out")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CheckpointError, match="cannot be written"):
        save_clip(clip, str(tiny_copy), tmp_path / "file" / "out")


def test_other_files_of_the_folder_stay_and_no_half_written_file_is_left(tiny_copy: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    save_clip(load_clip(str(tiny_copy), device=CPU), str(tiny_copy), tmp_path / "out")
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"
    assert not list((tmp_path / "out").glob("*.new"))
    assert not (tmp_path / "out" / "README.md").exists(), "the card of the original says nothing about this one"


def test_what_was_refused_once_is_refused_after_saving_too(tiny_copy: Path, tmp_path: Path) -> None:
    """The configuration is copied as it is, so a key that is added to the copy is still judged when it is loaded."""
    save_clip(load_clip(str(tiny_copy), device=CPU), str(tiny_copy), tmp_path / "out")
    change_config(tmp_path / "out", lambda config: config["model_cfg"]["text_cfg"].update(hf_model_name="org/x"))
    assert "hf_model_name" in refusal(tmp_path / "out")
