"""Every way in which people name a checkpoint: addresses, files, architectures, paths of other machines."""

from pathlib import Path

import open_clip
import pytest
import torch
from huggingface_hub import constants
from open_clip.model import CLIP
from safetensors.torch import load_file, save_file
from support import pulling
from support.checkpoint_examples import plain_config, write_training_run, write_transformers
from support.hub import Hub
from support.pulling import REPO
from support.tiny import random_state, write_folder

from eftclip.checkpoint import hub_source, inspect, load_clip
from eftclip.checkpoint.formats.shapes import model_settings, published_names
from eftclip.errors import CheckpointError

CPU = torch.device("cpu")
hub = pulling.hub  # a fixture


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("hf:lab/tiny", "hf:lab/tiny"),
        ("hf:lab/tiny@v1", "hf:lab/tiny@v1"),
        ("hf-hub:lab/tiny", "hf:lab/tiny"),
        ("hf-hub:lab/tiny@v1", "hf:lab/tiny@v1"),
        ("https://huggingface.co/lab/tiny", "hf:lab/tiny"),
        ("https://huggingface.co/lab/tiny/", "hf:lab/tiny"),
        ("http://hf.co/lab/tiny/tree/main", "hf:lab/tiny@main"),
        ("https://huggingface.co/lab/tiny/blob/v1/config.json?x=1#top", "hf:lab/tiny@v1"),
        ("hf:https://huggingface.co/lab/tiny", "hf:lab/tiny"),
        ("https://elsewhere.example/lab/tiny", None),
        ("https://huggingface.co/datasets/lab/tiny", None),
        ("https://huggingface.co/tiny", None),
        ("lab/tiny", None),
        ("", None),
    ],
)
def test_a_repository_by_any_name(text: str, means: str | None) -> None:
    assert hub_source(text) == means


@pytest.mark.situation("checkpoints", "read")
def test_org_and_name_alone_mean_the_hub(
    hub: Hub, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.push(REPO, tiny_folder)
    own = load_clip(str(tiny_folder), device=CPU).ref.sha256
    for source in (REPO, f"hf-hub:{REPO}", f"{constants.ENDPOINT}/{REPO}"):
        assert load_clip(source, device=CPU).ref.sha256 == own, source
    asked = len(hub.requests)
    (tmp_path / REPO.partition("/")[0]).mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match="does not exist"):
        load_clip(REPO, device=CPU)
    assert len(hub.requests) == asked, "a mistyped path of this machine is not sent to anybody"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("ViT-B-32", "the name of an architecture, not of weights"),
        (r"C:\models\clip", "a path of a Windows machine"),
        ("https://elsewhere.example/lab/tiny", "give a folder, a weight file, or hf:org/name"),
    ],
)
@pytest.mark.situation("checkpoints", "refused")
def test_what_is_no_source_is_explained(source: str, words: str) -> None:
    with pytest.raises(CheckpointError, match=words):
        load_clip(source)
    with pytest.raises(CheckpointError, match=words):
        inspect(source)


@pytest.mark.situation("checkpoints", "read")
def test_a_transformers_checkpoint_from_the_hub(hub: Hub, tmp_path: Path) -> None:
    """In parts, which are all that is fetched besides the texts."""
    folder = tmp_path / "hf"
    write_transformers(folder, shard="100KB")
    (folder / "training_args.bin").write_bytes(b"never fetched")
    hub.push(REPO, folder)
    report = inspect(f"hf:{REPO}")
    assert (report.layout, report.problems) == ("transformers", ())
    clip = load_clip(f"hf:{REPO}", device=CPU)
    assert clip.ref.sha256 == load_clip(str(folder), device=CPU).ref.sha256
    assert not any("training_args" in line for line in hub.requests)


@pytest.mark.situation("checkpoints", "read")
def test_weights_alone_from_the_hub(hub: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "run" / "checkpoint"
    folder.mkdir(parents=True)
    write_training_run(folder)
    hub.push(REPO, folder)
    with pytest.raises(CheckpointError, match="--architecture"):
        load_clip(f"hf:{REPO}", device=CPU, allow_pickle=True)
    clip = load_clip(f"hf:{REPO}", device=CPU, allow_pickle=True, architecture=str(folder.parent / "stated"))
    assert clip.ref.repo_id == REPO
    assert clip.ref.remark == "weights under `state_dict`, prefix `module.`"


@pytest.fixture
def weights_alone(tmp_path: Path) -> Path:
    save_file(random_state(plain_config()), tmp_path / "last.safetensors")
    return tmp_path / "last.safetensors"


@pytest.mark.situation("checkpoints", "refused")
def test_what_the_shapes_do_not_tell_is_asked(weights_alone: Path) -> None:
    with pytest.raises(CheckpointError, match=r"does not tell whether it was trained with QuickGELU.*--architecture"):
        load_clip(str(weights_alone), device=CPU)
    assert "--architecture" in inspect(str(weights_alone)).problems[0]


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("ViT-B-23", "Did you mean ViT-B-32"),
        ("no such thing at all", "neither an architecture of open_clip nor a folder"),
        ("ViT-B-16-SigLIP", "whose files are not here"),
        ("ViT-B-32", "they do not belong together"),
    ],
)
@pytest.mark.situation("checkpoints", "refused")
def test_an_architecture_that_does_not_help(weights_alone: Path, named: str, words: str) -> None:
    with pytest.raises(CheckpointError, match=words):
        load_clip(str(weights_alone), device=CPU, architecture=named)


def test_the_names_that_the_shapes_would_fit(tmp_path: Path) -> None:
    """Of a published architecture, told from names and shapes alone."""
    for name in ("ViT-B-32", "RN50", "RN101-quickgelu"):
        with torch.device("meta"):
            state = CLIP(**open_clip.get_model_config(name)).state_dict()
        settings = model_settings(state)
        assert settings is not None
        assert name in published_names(settings)
        assert {other.removesuffix("-quickgelu") for other in published_names(settings)} == {
            name.removesuffix("-quickgelu")
        }


@pytest.mark.situation("checkpoints", "refused")
def test_a_folder_that_states_no_architecture(weights_alone: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(CheckpointError, match="states no architecture"):
        load_clip(str(weights_alone), device=CPU, architecture=str(empty))


@pytest.mark.situation("checkpoints", "refused")
def test_an_architecture_beside_a_configuration_is_refused(tiny_folder: Path) -> None:
    with pytest.raises(CheckpointError, match="leave --architecture out"):
        load_clip(str(tiny_folder), device=CPU, architecture="ViT-B-32")


@pytest.mark.situation("checkpoints", "read")
def test_one_of_several_files_is_taken_by_name(tmp_path: Path) -> None:
    config = plain_config()
    write_folder(tmp_path, config, random_state(config))
    for epoch in (1, 2):
        save_file(random_state(config, seed=epoch), tmp_path / f"epoch_{epoch}.safetensors")
    (tmp_path / "open_clip_model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="several files could be the weights"):
        load_clip(str(tmp_path), device=CPU)
    clip = load_clip(str(tmp_path / "epoch_2.safetensors"), device=CPU)
    assert clip.ref.file == "epoch_2.safetensors"
    state = load_file(tmp_path / "epoch_2.safetensors")
    assert torch.equal(clip.model.state_dict()["visual.proj"], state["visual.proj"])
