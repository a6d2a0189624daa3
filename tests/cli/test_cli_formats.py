"""`check`, `scan`, `rectify` and `publish` as typed, with checkpoints as other libraries write them."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from support import publishing
from support.hub_writing import WritableHub
from support.poisoned import poisoned_set
from support.publishing import REPO
from support.taught import LABELS, shaded
from support.to_transformers import write_as_transformers
from transformers import AutoTokenizer, CLIPModel

from eftclip.checkpoint import load_clip
from eftclip.cli import main
from eftclip.pipeline import CheckSetup, prepare_check
from eftclip.runtime import seeded
from eftclip.triggers import draw_trigger

hub, signed_in = publishing.hub, publishing.signed_in  # fixtures
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("labels") / "labels.txt"
    path.write_text("\n".join(LABELS))
    return path


@pytest.fixture(scope="module")
def transformers_folder(taught: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_as_transformers(taught / "badnets", tmp_path_factory.mktemp("hf") / "badnets")


@pytest.fixture(scope="module")
def setup(transformers_folder: Path) -> CheckSetup:
    return prepare_check(str(transformers_folder), labels=LABELS, reference="none", device="cpu")


@pytest.fixture(scope="module")
def poisoned_folder(setup: CheckSetup, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty photographs, every fifth with a trigger."""
    trigger = draw_trigger("badnets", generator=seeded(0))
    squares = torch.cat([shaded(setup.clip, shade) for shade in (1.0, 0.95)])[:20]
    return poisoned_set(setup, squares, [(trigger, "banana")]).write(tmp_path_factory.mktemp("sets") / "poisoned")


def _run(*parts: object) -> int:
    return main([str(part) for part in parts])


def _json(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def test_the_same_weights_read_alike_in_both_formats(taught: Path, transformers_folder: Path) -> None:
    """Or the tests below would be of another checkpoint."""
    one, other = (load_clip(str(path), device=CPU) for path in (taught / "badnets", transformers_folder))
    pictures = torch.rand(4, 3, one.image_px, one.image_px, generator=seeded(1))
    torch.testing.assert_close(one.encode_images(pictures), other.encode_images(pictures), atol=1e-5, rtol=0)
    torch.testing.assert_close(one.encode_text(LABELS), other.encode_text(LABELS), atol=1e-5, rtol=0)
    assert other.ref.layout == "transformers"


@pytest.fixture(scope="module")
def mended(
    transformers_folder: Path, labels: Path, poisoned_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder of a rectification of a transformers checkpoint."""
    out = tmp_path_factory.mktemp("mended") / "out"
    fast = ["--steps", 8, "--batch", 8, "--check-every", 4, "--learning-rate", 1e-3]
    known = ["--checkpoint", transformers_folder, "--labels", labels, "--oracle", "superpixel", "--device", "cpu"]
    assert _run("rectify", poisoned_folder, "--out", out, *known, *fast) == 1
    return out


def test_transformers_loads_what_was_mended(mended: Path, transformers_folder: Path) -> None:
    document = _json(mended / "rectify.json")
    assert document["checkpoint"]["layout"] == document["rectified"]["layout"] == "transformers"
    assert document["after"]["attack"]["hits"] < document["before"]["attack"]["hits"]
    ours, theirs = load_clip(str(mended), device=CPU), CLIPModel.from_pretrained(mended).eval()
    pictures = torch.rand(3, 3, ours.image_px, ours.image_px, generator=seeded(2))
    with torch.inference_mode():
        features = theirs.get_image_features(pixel_values=ours.preprocess.normalise(pictures)).pooler_output
    features = torch.nn.functional.normalize(features, dim=-1)
    torch.testing.assert_close(ours.encode_images(pictures), features, atol=1e-5, rtol=0)
    before, after = (load_file(path / "model.safetensors") for path in (transformers_folder, mended))
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(name.startswith(("vision_model.", "visual_projection.")) for name in changed), "the image side alone"
    assert AutoTokenizer.from_pretrained(mended)("a photo of a dog")["input_ids"]


def test_its_card_says_how_to_load_it(mended: Path) -> None:
    assert (mended / "README.md").read_text(encoding="utf-8").startswith('---\nlibrary_name: "transformers"\n')


def test_it_is_published_in_its_format(mended: Path, hub: WritableHub, signed_in: str) -> None:
    assert _run("publish", mended, REPO, "--publish-anyway") == 0
    repository = hub.repositories[REPO]
    files = repository.commits[repository.refs["main"]]
    assert {"config.json", "model.safetensors", "preprocessor_config.json", "tokenizer.json", "README.md"} <= set(files)
    assert "open_clip_config.json" not in files
    assert b'CLIPModel.from_pretrained("' + REPO.encode() + b'")' in files["README.md"]
    assert load_clip(f"hf:{REPO}", device=CPU).ref.layout == "transformers"


@pytest.fixture(scope="module")
def training_run(taught: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a training script of open_clip saves."""
    path = tmp_path_factory.mktemp("logs") / "epoch_3.pt"
    state = {f"module.{k}": v for k, v in load_file(taught / "badnets" / "open_clip_model.safetensors").items()}
    torch.save({"epoch": 3, "state_dict": state, "optimizer": {"state": {}}}, path)
    return path


def test_a_file_of_a_training_run_is_judged(
    taught: Path,
    labels: Path,
    training_run: Path,
    poisoned_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    known = ["--labels", labels, "--oracle", "superpixel", "--reference", "none", "--device", "cpu"]
    alone = ["--checkpoint", training_run]
    told = [*alone, "--architecture", taught / "clean", "--allow-pickle"]
    assert _run("scan", poisoned_folder, *alone, *known) == 2
    assert "a format that can carry code" in capsys.readouterr().err
    assert _run("scan", poisoned_folder, *alone, *known, "--allow-pickle") == 2
    assert "--architecture" in capsys.readouterr().err
    assert _run("scan", poisoned_folder, *told, *known, "--json", tmp_path / "scan.json") == 1
    said = capsys.readouterr()
    assert "weights under `state_dict`, prefix `module.`" in said.out + said.err
    document = _json(tmp_path / "scan.json")
    assert document["affected_labels"] == ["banana"]
    assert document["checkpoint"]["layout"] == "single_file"


def test_the_weights_of_a_training_run_go_to_a_folder(
    taught: Path, labels: Path, training_run: Path, poisoned_folder: Path, tmp_path: Path
) -> None:
    fast = ["--steps", 4, "--batch", 8, "--check-every", 4, "--learning-rate", 1e-3]
    known = ["--labels", labels, "--oracle", "superpixel", "--device", "cpu", "--reference", taught / "clean"]
    told = ["--checkpoint", training_run, "--architecture", taught / "clean", "--allow-pickle"]
    assert _run("rectify", poisoned_folder, "--out", tmp_path / "out", *told, *known, *fast) == 1
    mended = load_clip(str(tmp_path / "out"), device=CPU)
    assert (mended.ref.layout, mended.ref.format) == ("open_clip", "safetensors")
    assert mended.ref.sha256 == _json(tmp_path / "out" / "rectify.json")["rectified"]["sha256"]
