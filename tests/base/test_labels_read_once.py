"""Labels are read from as few tokens as decide, once, and found again on the disk."""

import importlib
import json
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from open_clip.model import CLIP, CustomTextCLIP
from safetensors.torch import load_file, save_file
from support.checkpoint_examples import EXAMPLES, Example, write_text_tower, write_transformers
from torch import Tensor, nn

from eftclip.checkpoint import load_clip
from eftclip.types import ClipModel
from eftclip.zeroshot import IMAGENET_LABELS, TEMPLATES, class_matrix, kept_matrices
from eftclip.zeroshot.short_texts import encode_tokens, lengths

CPU = torch.device("cpu")
TEXTS = [template(label) for label in IMAGENET_LABELS[::50] for template in TEMPLATES]
SHORT = ["a dog", "a photo of a cat", "banana", "the large clock"]  # for tokenizers with few words
SMALL = {"width": 64, "heads": 2, "layers": 2}


def _open_clip(**text: Any) -> nn.Module:
    """A small model that reads with open_clip's own tokenizer."""
    vision = {"image_size": 32, "patch_size": 16, "width": 64, "layers": 1}
    torch.manual_seed(2)
    custom = text.pop("custom", False)
    model = (CustomTextCLIP if custom else CLIP)(
        embed_dim=32, vision_cfg=vision, text_cfg={"context_length": 77, "vocab_size": 49408, **SMALL, **text}
    )
    return model.eval()


FAMILIES: dict[str, tuple[Callable[[], nn.Module], bool]] = {
    "CLIP": (_open_clip, True),
    "CLIP, end mark": (lambda: _open_clip(pool_type="eos", eos_id=49407), True),
    "CustomTextCLIP": (lambda: _open_clip(custom=True), True),
    "SigLIP": (lambda: _open_clip(custom=True, no_causal_mask=True, pool_type="last", proj_bias=True), False),
    "no causal mask": (lambda: _open_clip(custom=True, no_causal_mask=True, pool_type="argmax"), False),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_the_tokens_that_decide_are_enough(name: str) -> None:
    build, shortens = FAMILIES[name]
    _assert_alike(build(), open_clip.tokenize(TEXTS), shortens)


@pytest.mark.parametrize("write", [write_transformers, write_text_tower])
def test_the_tokens_that_decide_are_enough_for_other_libraries(write: Callable[[Path], None], tmp_path: Path) -> None:
    write(tmp_path)
    clip = load_clip(str(tmp_path), device=CPU)
    _assert_alike(clip.model, clip.tokenizer(SHORT), shortens=True)


@torch.inference_mode()
def _assert_alike(model: nn.Module, tokens: Tensor, shortens: bool) -> None:
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    whole = model.encode_text(tokens, normalize=True)  # type: ignore[operator]
    torch.testing.assert_close(encode_tokens(model, tokens), whole, atol=1e-6, rtol=0)
    for count in (1, 3):
        torch.testing.assert_close(encode_tokens(model, tokens[:count]), whole[:count], atol=1e-6, rtol=0)
    assert (int(lengths(model, tokens).max()) < tokens.shape[1]) == shortens
    after = model.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items()), "the model is not touched"
    again = model.encode_text(tokens, normalize=True)  # type: ignore[operator]
    assert torch.equal(again, whole)


def test_every_format_with_an_example_reads_labels_as_it_reads_texts(tmp_path: Path) -> None:
    for example in EXAMPLES:
        folder = tmp_path / f"{example.layout} {example.kind}" / "checkpoint"
        folder.mkdir(parents=True)
        clip = _loaded(example, folder)
        with torch.inference_mode():
            texts = clip.tokenizer(TEXTS[:14])
            torch.testing.assert_close(
                encode_tokens(clip.model, texts), clip.encode_text(TEXTS[:14]), atol=1e-6, rtol=0
            )


def _loaded(example: Example, folder: Path) -> ClipModel:
    example.write(folder)
    return load_clip(example.source(folder), device=CPU, allow_pickle=True, architecture=example.architecture(folder))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EFTCLIP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "labels"


def _restart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_matrices, "_MATRICES", OrderedDict())


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many texts were encoded, call by call."""
    counts: list[int] = []
    module = importlib.import_module("eftclip.zeroshot.class_matrix")
    original = module.encode_tokens

    def counted(model: nn.Module, tokens: Tensor) -> Any:
        counts.append(len(tokens))
        return original(model, tokens)

    monkeypatch.setattr(module, "encode_tokens", counted)
    return counts


def test_another_process_finds_them_on_the_disk(
    tiny_clip: ClipModel, cache: Path, reads: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    _restart(monkeypatch)
    first = class_matrix(tiny_clip, ("banana", "cat")).matrix
    assert reads
    reads.clear()
    _restart(monkeypatch)
    assert torch.equal(class_matrix(tiny_clip, ("banana", "cat")).matrix, first)
    assert reads == []
    assert len(list(cache.iterdir())) == 1
    assert cache.stat().st_mode & 0o077 == 0, "nobody else may write there"


@pytest.mark.parametrize("damage", ["cut", "changed", "other shape", "empty"])
def test_what_is_damaged_is_read_anew(
    damage: str, tiny_clip: ClipModel, cache: Path, reads: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    _restart(monkeypatch)
    first = class_matrix(tiny_clip, ("banana", "cat")).matrix
    path = next(cache.iterdir())
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-10])
    elif damage == "changed":
        path.write_bytes(path.read_bytes()[:-4] + b"\0\0\1\0")
    elif damage == "other shape":
        save_file({"matrix": load_file(path)["matrix"][:, :1].contiguous()}, path)
    else:
        path.write_bytes(b"")
    reads.clear()
    _restart(monkeypatch)
    assert torch.equal(class_matrix(tiny_clip, ("banana", "cat")).matrix, first)
    assert reads
    reads.clear()
    _restart(monkeypatch)
    class_matrix(tiny_clip, ("banana", "cat"))
    assert reads == [], "it was replaced"


def test_the_disk_does_not_fill(tiny_clip: ClipModel, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_matrices, "ON_DISK", 3)
    for number in range(6):
        class_matrix(tiny_clip, ("banana", f"thing {number}"))
    assert len(list(cache.iterdir())) == 3


def test_a_place_that_cannot_be_written_is_no_fault(
    tiny_clip: ClipModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("not a folder")
    for place in (str(tmp_path / "file"), "off"):
        monkeypatch.setenv("EFTCLIP_CACHE", place)
        _restart(monkeypatch)
        assert class_matrix(tiny_clip, ("banana", "cat")).labels == ("banana", "cat")


def test_the_same_weights_with_another_reading_are_another_text_side(tiny_clip: ClipModel) -> None:
    """Or a stranger's checkpoint could decide how the bundled one reads its labels."""
    before = kept_matrices.key_of(tiny_clip, ["banana"])
    text: Any = tiny_clip.model.text
    kept, text.pool_type = text.pool_type, "first"
    try:
        assert kept_matrices.key_of(tiny_clip, ["banana"]) != before
    finally:
        text.pool_type = kept
    assert kept_matrices.key_of(tiny_clip, ["banana"]) == before


def test_a_tokenizer_that_is_known_is_not_asked_again(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (load_clip(str(tiny_folder), device=CPU) for _ in range(2))
    matrix = class_matrix(first, ("banana", "cat")).matrix
    monkeypatch.setattr(type(second.tokenizer), "__call__", lambda *_: pytest.fail("was asked"))
    assert torch.equal(class_matrix(second, ("banana", "cat")).matrix, matrix)


def test_another_tokenizer_is_another_text_side(tiny_folder: Path, tiny_copy: Path) -> None:
    """Or a stranger's words could decide how another checkpoint with the same weights reads its labels."""
    path = tiny_copy / "tokenizer.json"
    document = json.loads(path.read_text())
    words = document["model"]["vocab"]
    words["b"], words["c"] = words["c"], words["b"]
    path.write_text(json.dumps(document))
    same, other = (load_clip(str(folder), device=CPU) for folder in (tiny_folder, tiny_copy))
    assert kept_matrices.key_of(same, ["banana"]) != kept_matrices.key_of(other, ["banana"])
    read, exchanged = (class_matrix(clip, ("xb", "xc")).matrix for clip in (same, other))
    assert not torch.allclose(read, exchanged, atol=1e-3)
    torch.testing.assert_close(exchanged, read.flip(1), atol=1e-6, rtol=0)


def test_a_digest_promises_the_same_ids(tmp_path: Path) -> None:
    """Of all examples of all formats: where two are known by one digest, they write the same."""
    written: dict[str, Tensor] = {}
    for example in EXAMPLES:
        folder = tmp_path / f"{example.layout} {example.kind}" / "checkpoint"
        folder.mkdir(parents=True)
        tokenizer: Any = _loaded(example, folder).tokenizer
        ids = tokenizer(SHORT)
        assert tokenizer.digest, "every tokenizer of the examples is a fast one, or open_clip's own"
        assert torch.equal(written.setdefault(tokenizer.digest, ids), ids)
    assert len(written) > 1
