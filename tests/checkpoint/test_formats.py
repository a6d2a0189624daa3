"""The contract of a checkpoint format, held by each that is listed: what is added to `FORMATS` is tested here."""

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from support.checkpoint_examples import EXAMPLES, Example
from support.tiny import refusal
from torch import nn

from eftclip.checkpoint import format_of_folder, inspect, load_clip, save_clip
from eftclip.checkpoint.formats import FORMATS, CheckpointFormat
from eftclip.checkpoint.source import Listing, locate
from eftclip.checkpoint.weights import WeightFile, load_weights
from eftclip.types import ClipModel

CPU = torch.device("cpu")
TEXTS = ("a photo of a dog", "banana", "a small traffic light")
each_format = pytest.mark.parametrize("layout", FORMATS, ids=lambda layout: layout.name)


@pytest.fixture
def example(layout: CheckpointFormat) -> Example:
    return EXAMPLES[layout.name]


@pytest.fixture
def folder(example: Example, tmp_path: Path) -> Path:
    """A whole checkpoint of the format."""
    path = tmp_path / "checkpoint"
    path.mkdir()
    example.write(path)
    return path


@pytest.fixture
def listing(folder: Path) -> Listing:
    return locate(str(folder))


def _load(folder: Path) -> ClipModel:
    return load_clip(str(folder), device=CPU, allow_pickle=True)


def _pictures(side: int) -> torch.Tensor:
    return torch.rand(3, 3, side, side, generator=torch.Generator().manual_seed(7))


def _assert_read_alike(clip: ClipModel, example: Example, folder: Path) -> None:
    pictures = _pictures(clip.image_px)
    images, texts = example.features(folder, pictures, TEXTS)
    with torch.inference_mode():
        torch.testing.assert_close(clip.encode_images(pictures), images, atol=1e-5, rtol=0)
        torch.testing.assert_close(clip.encode_text(TEXTS), texts, atol=1e-5, rtol=0)


def test_every_format_has_a_name_of_its_own_and_an_example() -> None:
    assert len({layout.name for layout in FORMATS}) == len(FORMATS)
    assert {layout.name for layout in FORMATS} == set(EXAMPLES)


@each_format
def test_it_is_recognised_by_itself_and_by_no_other(layout: CheckpointFormat, listing: Listing, folder: Path) -> None:
    assert [one.name for one in FORMATS if one.recognises(listing)] == [layout.name]
    assert format_of_folder(folder) is layout
    assert not layout.recognises(Listing("elsewhere", {"README.md": 10, "picture.png": 10}))


@each_format
def test_it_is_described_without_its_weights(layout: CheckpointFormat, listing: Listing, folder: Path) -> None:
    for name in layout.weights(listing, folder).files:
        (folder / name).unlink()
    described = layout.describe(listing, folder)
    assert described.architecture.image_px == described.preprocess.image_px > 0
    assert described.architecture.embed_dim > 0
    assert described.doubts == ()
    assert described.stated_in


@each_format
def test_the_texts_to_describe_are_some_of_those_to_load(layout: CheckpointFormat, listing: Listing) -> None:
    wanted = layout.texts(listing)
    assert wanted.to_describe.items() <= wanted.to_load.items()
    assert all(0 < limit <= 50 for limit in wanted.to_load.values()), "MB: these are small files"


@each_format
def test_a_look_tells_of_it_and_finds_no_fault(layout: CheckpointFormat, listing: Listing, folder: Path) -> None:
    report = inspect(str(folder))
    weights = layout.weights(listing, folder)
    assert (report.weight_file, report.format) == (weights.name, weights.format)
    assert report.architecture == layout.describe(listing, folder).architecture
    assert report.problems == () or weights.format != "safetensors", "pickles need insisting"


@each_format
def test_it_reads_like_the_library_that_wrote_it(layout: CheckpointFormat, example: Example, folder: Path) -> None:
    clip = _load(folder)
    _assert_read_alike(clip, example, folder)
    assert clip.embed_dim == inspect(str(folder)).architecture.embed_dim  # type: ignore[union-attr]


@each_format
def test_the_sha256_is_that_of_what_was_loaded(layout: CheckpointFormat, listing: Listing, folder: Path) -> None:
    weights = layout.weights(listing, folder)
    digests = [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in weights.files]
    lines = "".join(f"{digest}  {name}\n" for digest, name in zip(digests, weights.files, strict=True))
    expected = hashlib.sha256(lines.encode()).hexdigest() if weights.parts else digests[0]
    ref = _load(folder).ref
    assert (ref.file, ref.format, ref.sha256) == (weights.name, weights.format, expected)


@each_format
def test_it_is_saved_in_kind(layout: CheckpointFormat, example: Example, folder: Path, tmp_path: Path) -> None:
    """Changed weights and another normalisation: the library reads the saved folder as we read the changed model."""
    clip, home = _load(folder), tmp_path / "saved"
    generator = torch.Generator().manual_seed(11)
    for parameter in clip.model.parameters():
        if parameter.ndim > 1:
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.01)
    changed = dataclasses.replace(clip.preprocess, mean=(0.4, 0.5, 0.6))
    clip = dataclasses.replace(clip, preprocess=changed)
    sha256 = save_clip(clip, str(folder), home)
    assert hashlib.sha256((home / layout.saved_weights).read_bytes()).hexdigest() == sha256
    assert {path.name for path in home.iterdir()} <= {layout.saved_weights, *layout.saved_texts}
    assert format_of_folder(home) is layout
    _assert_read_alike(clip, example, home)
    again = _load(home)
    _assert_read_alike(again, example, home)
    assert again.ref.sha256 == sha256


@each_format
def test_what_names_its_repository_is_one_of_the_saved_texts(
    layout: CheckpointFormat, folder: Path, tmp_path: Path
) -> None:
    home = tmp_path / "saved"
    save_clip(_load(folder), str(folder), home)
    texts = layout.for_repository(home, "org/mended")
    assert set(texts) <= set(layout.saved_texts)
    assert all(json.loads(text) for name, text in texts.items() if name.endswith(".json"))


@pytest.mark.parametrize(
    ("layout", "number"),
    [(layout, number) for layout in FORMATS for number in range(len(EXAMPLES[layout.name].hostile))],
    ids=lambda value: getattr(value, "name", value),
)
def test_hostile_settings_are_refused(layout: CheckpointFormat, example: Example, folder: Path, number: int) -> None:
    change, words = example.hostile[number]
    change(folder)
    assert words in refusal(folder, allow_pickle=True)
    assert any(words in problem for problem in inspect(str(folder)).problems)


@each_format
def test_missing_weights_are_refused(layout: CheckpointFormat, listing: Listing, folder: Path) -> None:
    for name in layout.weights(listing, folder).files:
        (folder / name).unlink()
    assert "no weights were found" in refusal(folder, allow_pickle=True)
    assert any("no weights were found" in problem for problem in inspect(str(folder)).problems)


def test_weights_in_several_parts_are_one(tmp_path: Path) -> None:
    """The digest is that of the list that `sha256sum` prints."""
    model, state = nn.Linear(2, 1), {"weight": torch.ones(1, 2), "bias": torch.zeros(1)}
    paths = [tmp_path / f"{name}.safetensors" for name in state]
    for path, (name, tensor) in zip(paths, state.items(), strict=True):
        save_file({name: tensor}, path)
    weights = WeightFile("index.json", "safetensors", tuple(path.name for path in paths))
    found = load_weights(
        model, paths, weights, "here", own_names=lambda state, _: state, stated_in="config.json", announced={}
    )
    lines = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in paths)
    assert found == hashlib.sha256(lines.encode()).hexdigest()
    assert torch.equal(model.weight, torch.ones(1, 2))
