"""The contract of a checkpoint format, held by each that is listed: what is added to `FORMATS` is tested here."""

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from support.checkpoint_examples import EXAMPLES, Example, Read
from support.hostile_pickles import RAN
from torch import nn

from eftclip.checkpoint import CheckpointReport, inspect, load_clip, save_clip
from eftclip.checkpoint.formats import FORMATS, CheckpointFormat, format_of
from eftclip.checkpoint.source import Listing, locate
from eftclip.checkpoint.weights import WeightFile, load_weights
from eftclip.errors import CheckpointError
from eftclip.types import ClipModel

CPU = torch.device("cpu")
TEXTS = ("a photo of a dog", "banana", "a small traffic light")
each_example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: f"{one.layout}, {one.kind}")


@pytest.fixture
def layout(example: Example) -> CheckpointFormat:
    return next(one for one in FORMATS if one.name == example.layout)


@pytest.fixture
def folder(example: Example, tmp_path: Path) -> Path:
    """A whole checkpoint of the format."""
    path = tmp_path / "checkpoint"
    path.mkdir()
    example.write(path)
    return path


@pytest.fixture
def listing(example: Example, folder: Path) -> Listing:
    return locate(example.source(folder), architecture=example.architecture(folder))


def _load(example: Example, folder: Path) -> ClipModel:
    return load_clip(example.source(folder), device=CPU, allow_pickle=True, architecture=example.architecture(folder))


def _look(example: Example, folder: Path, *, allow_pickle: bool = True) -> CheckpointReport:
    return inspect(example.source(folder), allow_pickle=allow_pickle, architecture=example.architecture(folder))


def _refusal(example: Example, folder: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        _load(example, folder)
    return str(caught.value)


def _pictures(side: int) -> torch.Tensor:
    return torch.rand(3, 3, side, side, generator=torch.Generator().manual_seed(7))


def _assert_read_alike(clip: ClipModel, read: Read, folder: Path) -> None:
    pictures = _pictures(clip.image_px)
    images, texts = read(folder, pictures, TEXTS)
    with torch.inference_mode():
        torch.testing.assert_close(clip.encode_images(pictures), images, atol=1e-5, rtol=0)
        torch.testing.assert_close(clip.encode_text(TEXTS), texts, atol=1e-5, rtol=0)


def test_every_format_has_a_name_of_its_own_and_an_example() -> None:
    assert len({layout.name for layout in FORMATS}) == len(FORMATS)
    assert {layout.name for layout in FORMATS} == {example.layout for example in EXAMPLES}


@each_example
def test_it_is_recognised_by_itself_and_by_no_other(layout: CheckpointFormat, listing: Listing) -> None:
    assert [one.name for one in FORMATS if one.recognises(listing)] == [layout.name]
    assert format_of(listing) is layout
    assert not layout.recognises(Listing("elsewhere", {"README.md": 10, "picture.png": 10}))


@each_example
def test_it_is_described_without_its_weights(
    layout: CheckpointFormat, example: Example, listing: Listing, folder: Path
) -> None:
    for name in layout.weights(listing, folder).files:
        (folder / name).unlink()
    if example.tells_itself:
        with pytest.raises(CheckpointError):
            layout.describe(listing, folder)
        return
    described = layout.describe(listing, folder)
    assert described.architecture.image_px == described.preprocess.image_px > 0
    assert described.architecture.embed_dim > 0
    assert described.doubts == ()
    assert described.stated_in


@each_example
def test_the_texts_to_describe_are_some_of_those_to_load(layout: CheckpointFormat, listing: Listing) -> None:
    wanted = layout.texts(listing)
    assert wanted.to_describe.items() <= wanted.to_load.items()
    assert all(0 < limit <= 50 for limit in wanted.to_load.values()), "MB: these are small files"


@each_example
def test_a_look_tells_of_it_and_finds_no_fault(
    layout: CheckpointFormat, example: Example, listing: Listing, folder: Path
) -> None:
    report = _look(example, folder)
    weights = layout.weights(listing, folder)
    assert (report.layout, report.weight_file, report.format) == (layout.name, weights.name, weights.format)
    assert report.architecture == layout.describe(listing, folder).architecture
    assert report.problems == ()
    careful = _look(example, folder, allow_pickle=False)
    assert (careful.problems == ()) == (weights.format == "safetensors"), "pickles need insisting"


@each_example
@pytest.mark.situation("checkpoints", "refused")
def test_a_look_sees_weights_that_do_not_fit(
    layout: CheckpointFormat, example: Example, listing: Listing, folder: Path
) -> None:
    """Of a file of the same name with other tensors."""
    weights = layout.weights(listing, folder)
    (save_file if weights.format == "safetensors" else torch.save)(
        {"logit_scale": torch.ones([]), "strange": torch.ones(2)}, folder / weights.files[0]
    )
    problems = " ".join(_look(example, folder).problems)
    assert "does not fit the architecture" in problems or "does not tell its architecture" in problems
    assert problems == _refusal(example, folder)


@each_example
@pytest.mark.situation("checkpoints", "read")
def test_it_reads_like_the_library_that_wrote_it(example: Example, folder: Path) -> None:
    clip = _load(example, folder)
    _assert_read_alike(clip, example.features, folder)
    assert clip.embed_dim == _look(example, folder).architecture.embed_dim  # type: ignore[union-attr]


@each_example
def test_it_is_told_where_the_weights_lay(example: Example, folder: Path) -> None:
    remark = _load(example, folder).ref.remark
    assert all(words in remark for words in example.remark), remark
    assert bool(remark) == bool(example.remark), remark


@each_example
def test_the_sha256_is_that_of_what_was_loaded(
    layout: CheckpointFormat, example: Example, listing: Listing, folder: Path
) -> None:
    weights = layout.weights(listing, folder)
    digests = [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in weights.files]
    lines = "".join(f"{digest}  {name}\n" for digest, name in zip(digests, weights.files, strict=True))
    expected = hashlib.sha256(lines.encode()).hexdigest() if weights.parts else digests[0]
    ref = _load(example, folder).ref
    assert (ref.file, ref.format, ref.sha256) == (weights.name, weights.format, expected)
    assert ref.layout == layout.name


@each_example
def test_it_is_saved_in_kind(layout: CheckpointFormat, example: Example, folder: Path, tmp_path: Path) -> None:
    """Changed weights and another normalisation: the library reads the saved folder as we read the changed model."""
    clip, home = _load(example, folder), tmp_path / "saved"
    generator = torch.Generator().manual_seed(11)
    for parameter in clip.model.parameters():
        if parameter.ndim > 1:
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.01)
    changed = dataclasses.replace(clip.preprocess, mean=(0.4, 0.5, 0.6))
    clip = dataclasses.replace(clip, preprocess=changed)
    sha256 = save_clip(clip, example.source(folder), home)
    assert hashlib.sha256((home / layout.saved_weights).read_bytes()).hexdigest() == sha256
    assert {path.name for path in home.iterdir()} <= {layout.saved_weights, *layout.saved_texts}
    again = load_clip(str(home), device=CPU)
    _assert_read_alike(again, example.saved, home)
    assert again.ref.sha256 == sha256
    if again.ref.layout == layout.name:  # not where weights came alone: they are saved with their architecture
        _assert_read_alike(clip, example.saved, home)
    with torch.inference_mode():
        pictures = _pictures(clip.image_px)
        # A checkpoint in half precision stays one.
        torch.testing.assert_close(again.encode_images(pictures), clip.encode_images(pictures), atol=5e-3, rtol=0)


@each_example
def test_what_names_its_repository_is_one_of_the_saved_texts(
    layout: CheckpointFormat, example: Example, folder: Path, tmp_path: Path
) -> None:
    home = tmp_path / "saved"
    save_clip(_load(example, folder), example.source(folder), home)
    texts = layout.for_repository(home, "org/mended")
    assert set(texts) <= set(layout.saved_texts)
    assert all(json.loads(text) for name, text in texts.items() if name.endswith(".json"))


@pytest.mark.parametrize(
    ("example", "number"),
    [(example, number) for example in EXAMPLES for number in range(len(example.hostile))],
    ids=lambda value: f"{value.layout}, {value.kind}" if isinstance(value, Example) else value,
)
@pytest.mark.situation("checkpoints", "refused")
def test_what_is_hostile_is_refused(example: Example, folder: Path, number: int) -> None:
    change, words = example.hostile[number]
    change(folder)
    assert words in _refusal(example, folder)
    assert any(words in problem for problem in _look(example, folder).problems)
    assert RAN == [], "nothing was run"


@each_example
@pytest.mark.situation("checkpoints", "refused")
def test_missing_weights_are_refused(
    layout: CheckpointFormat, example: Example, listing: Listing, folder: Path
) -> None:
    for name in layout.weights(listing, folder).files:
        (folder / name).unlink()
    assert example.without in _refusal(example, folder)
    if example.without.startswith("no weights"):
        assert any(example.without in problem for problem in _look(example, folder).problems)


@pytest.mark.situation("checkpoints", "read")
def test_weights_in_several_parts_are_one(tmp_path: Path) -> None:
    """The digest is that of the list that `sha256sum` prints."""
    model, state = nn.Linear(2, 1), {"weight": torch.ones(1, 2), "bias": torch.zeros(1)}
    paths = [tmp_path / f"{name}.safetensors" for name in state]
    for path, (name, tensor) in zip(paths, state.items(), strict=True):
        save_file({name: tensor}, path)
    weights = WeightFile("index.json", "safetensors", tuple(path.name for path in paths))
    found, remark = load_weights(
        model, paths, weights, "here", own_names=lambda state, _: state, stated_in="config.json", announced={}
    )
    lines = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in paths)
    assert found == hashlib.sha256(lines.encode()).hexdigest()
    assert remark == ""
    assert torch.equal(model.weight, torch.ones(1, 2))
