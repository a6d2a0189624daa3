"""Checkpoints that are broken, inconsistent or malicious: each is refused in one clear sentence, and nothing runs."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from support.tiny import VOCABULARY, change_config, random_state, refusal, tiny_config, write_folder, write_tokenizer

from eftclip.checkpoint import inspect, load_clip
from eftclip.checkpoint.weights import read
from eftclip.errors import CheckpointError

WEIGHTS, CONFIG = "open_clip_model.safetensors", "open_clip_config.json"
State = dict[str, torch.Tensor]


def _change_weights(tiny_copy: Path, change: Callable[[State], object]) -> None:
    state = load_file(tiny_copy / WEIGHTS)
    change(state)
    save_file(state, tiny_copy / WEIGHTS)


def test_a_missing_folder(tmp_path: Path) -> None:
    assert "nowhere' does not exist" in refusal(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match="does not exist"):
        inspect(str(tmp_path / "nowhere"))


@pytest.mark.parametrize("source", ["", "x" * 5000, "no\0where", "~nobody-of-this-name/clip"])
def test_a_source_that_cannot_be_a_folder(source: str) -> None:
    assert refusal(source).startswith("The checkpoint ")
    assert refusal(source).endswith("; give a folder, a weight file, or hf:org/name.")


def test_a_file_in_place_of_a_folder(tiny_copy: Path) -> None:
    """A weight file is one of its folder; any other file is none."""
    assert "is a file, but none of .safetensors" in refusal(tiny_copy / CONFIG)
    clip = load_clip(str(tiny_copy / WEIGHTS), device=torch.device("cpu"))
    assert clip.ref.sha256 == load_clip(str(tiny_copy), device=torch.device("cpu")).ref.sha256


def test_a_folder_without_configuration_lists_what_was_found(tiny_copy: Path) -> None:
    (tiny_copy / CONFIG).unlink()
    assert "open_clip_config.json or config.json is missing" in (sentence := refusal(tiny_copy))
    assert "README.md, open_clip_model.safetensors, tokenizer.json" in sentence


def test_an_empty_folder(tmp_path: Path) -> None:
    assert "found nothing" in refusal(tmp_path)


def test_missing_weights(tiny_copy: Path) -> None:
    (tiny_copy / WEIGHTS).unlink()
    assert "no weights were found (open_clip_model.safetensors is expected)" in refusal(tiny_copy)
    report = inspect(str(tiny_copy))
    assert (report.weight_file, report.format) == (None, None)
    assert "no weights were found" in report.problems[0]


@pytest.mark.parametrize("key", ["auto_map", "trust_remote_code"])
def test_code_in_the_folder_is_never_run(tiny_copy: Path, tmp_path: Path, key: str) -> None:
    """The tokenizer's configuration points to a Python file of the tiny_copy."""
    mark = tmp_path / "it ran"
    (tiny_copy / "evil.py").write_text(f"open({str(mark)!r}, 'w')")
    config = json.loads((tiny_copy / "tokenizer_config.json").read_text())
    config[key] = {"AutoTokenizer": ["evil.Tokenizer", "evil.Tokenizer"]}
    (tiny_copy / "tokenizer_config.json").write_text(json.dumps(config))
    assert f"asks to run code that comes with the checkpoint ({key})" in refusal(tiny_copy)
    assert "asks to run code" in inspect(str(tiny_copy)).problems[0]
    assert not mark.exists()


def test_code_named_by_a_model_configuration_is_never_run(tiny_copy: Path, tmp_path: Path) -> None:
    """A tokenizer without a class of its own is looked up in config.json, which may name code, too."""
    mark = tmp_path / "it ran"
    (tiny_copy / "evil.py").write_text(f"open({str(mark)!r}, 'w')")
    (tiny_copy / "tokenizer_config.json").unlink()
    document = {"model_type": "evil", "auto_map": {"AutoConfig": "evil.C", "AutoTokenizer": ["evil.T", "evil.T"]}}
    (tiny_copy / "config.json").write_text(json.dumps(document))
    assert "the tokenizer cannot be used" in refusal(tiny_copy)
    assert not mark.exists()


class _Evil:
    """Unpickled carelessly, it makes a tiny_copy."""

    def __init__(self, mark: Path) -> None:
        self.mark = str(mark)

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (self.mark,)


@pytest.fixture
def pickled(tiny_copy: Path) -> Path:
    """The weights as a pickle."""
    torch.save({"state_dict": load_file(tiny_copy / WEIGHTS)}, tiny_copy / "open_clip_pytorch_model.bin")
    (tiny_copy / WEIGHTS).unlink()
    return tiny_copy


def _tensors(folder: Path) -> dict[str, torch.Tensor]:
    tensors: dict[str, torch.Tensor] = torch.load(folder / "open_clip_pytorch_model.bin")["state_dict"]
    return tensors


def test_a_pickle_needs_insisting(pickled: Path) -> None:
    assert "only as a pickle (open_clip_pytorch_model.bin)" in (sentence := refusal(pickled))
    assert "--allow-pickle" in sentence
    report = inspect(str(pickled))
    assert report.format == "pickle"
    assert "only as a pickle" in report.problems[0]
    ref = load_clip(str(pickled), device=torch.device("cpu"), allow_pickle=True).ref
    assert (ref.format, ref.file) == ("pickle", "open_clip_pytorch_model.bin")


def test_a_malicious_pickle_is_not_run_even_for_those_who_insist(pickled: Path, tmp_path: Path) -> None:
    mark, state = tmp_path / "it ran", _tensors(pickled)
    torch.save({"state_dict": {"x": torch.zeros(1), "y": _Evil(mark)}}, pickled / "open_clip_pytorch_model.bin")
    assert "1 unknown (x)" in refusal(pickled, allow_pickle=True)
    assert not mark.exists()
    torch.save({**state, "y": _Evil(mark)}, pickled / "open_clip_pytorch_model.bin")
    load_clip(str(pickled), device=torch.device("cpu"), allow_pickle=True)
    assert not mark.exists()


def test_an_old_pickle_that_would_run_code_is_refused(pickled: Path, tmp_path: Path) -> None:
    mark, state = tmp_path / "it ran", _tensors(pickled)
    for content in ({**state, "y": _Evil(mark)}, state):
        torch.save(content, pickled / "open_clip_pytorch_model.bin", _use_new_zipfile_serialization=False)
        if content is not state:
            assert "could run code; it was not loaded" in refusal(pickled, allow_pickle=True)
    assert not mark.exists()
    load_clip(str(pickled), device=torch.device("cpu"), allow_pickle=True)


@pytest.mark.parametrize("content", [[1, 2], {"a": 3}, {1: torch.zeros(1)}, torch.zeros(3)])
def test_a_pickle_of_something_else(pickled: Path, content: object) -> None:
    torch.save(content, pickled / "open_clip_pytorch_model.bin")
    assert "not a table of named tensors" in refusal(pickled, allow_pickle=True)


def test_a_pickle_is_ignored_beside_safetensors(tiny_copy: Path, tmp_path: Path) -> None:
    torch.save(_Evil(tmp_path / "it ran"), tiny_copy / "open_clip_pytorch_model.bin")
    assert load_clip(str(tiny_copy), device=torch.device("cpu"), allow_pickle=True).ref.format == "safetensors"


@pytest.mark.parametrize("cut", [0, 5, 1000, -1000])
def test_truncated_weights(tiny_copy: Path, cut: int) -> None:
    (tiny_copy / WEIGHTS).write_bytes((tiny_copy / WEIGHTS).read_bytes()[:cut])
    assert f"{WEIGHTS} is damaged or cut short" in refusal(tiny_copy)
    assert "damaged or cut short" in inspect(str(tiny_copy)).problems[0]


def test_weights_that_change_while_they_are_read(tiny_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Safetensors are read through a window on the file: what is hashed and what is loaded could differ."""

    def meddle(path: Path) -> State:
        state = load_file(path)
        with path.open("r+b") as handle:
            handle.seek(-4, os.SEEK_END)
            handle.write(b"\0\0\0\0")
        return state

    monkeypatch.setattr(read, "load_file", meddle)
    assert "changed while it was being read" in refusal(tiny_copy)


def test_weights_in_a_file_that_only_claims_to_be_safetensors(tiny_copy: Path, tmp_path: Path) -> None:
    torch.save(_Evil(tmp_path / "it ran"), tiny_copy / WEIGHTS)
    assert "damaged or cut short" in refusal(tiny_copy, allow_pickle=True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.pop("visual.proj"), "tensors: 1 missing (visual.proj)"),
        (lambda s: s.update(extra=torch.zeros(1)), "tensors: 1 unknown (extra)"),
        (lambda s: s.update({"visual.proj": torch.zeros(3, 4)}), "(visual.proj: float32[3, 4] instead of"),
        (lambda s: s.update({"visual.proj": s["visual.proj"].to(torch.int8)}), "(visual.proj: int8[96, 64] instead of"),
        (lambda s: s["visual.proj"].fill_(torch.nan), "infinite values or NaN; tensors: 1 (visual.proj)"),
        (
            lambda s: s["text.ln_final.bias"][0].fill_(torch.inf),
            "infinite values or NaN; tensors: 1 (text.ln_final.bias)",
        ),
        (lambda s: s.clear(), " missing (logit_scale, "),
    ],
)
def test_weights_that_do_not_fit(tiny_copy: Path, change: Callable[[State], object], words: str) -> None:
    _change_weights(tiny_copy, change)
    assert words in (sentence := refusal(tiny_copy))
    assert WEIGHTS in sentence


def test_an_architecture_that_is_not_the_weights(tiny_copy: Path) -> None:
    """custom_text is wrong here: half of the names differ, and only the first few are told."""
    change_config(tiny_copy, lambda config: config["model_cfg"].update(custom_text=False))
    assert "does not fit the architecture" in (sentence := refusal(tiny_copy))
    assert len(sentence) < 600


def test_a_picture_size_that_the_tower_cannot_take(tmp_path: Path) -> None:
    """Timm's towers have a size of their own; the configuration may claim another."""
    config = tiny_config()
    config["model_cfg"]["vision_cfg"] = {"timm_model_name": "vit_tiny_patch16_224", "image_size": 96, "timm_pool": ""}
    write_folder(tmp_path, config, random_state(config))
    write_tokenizer(tmp_path)
    assert "cannot read a 96 px picture" in refusal(tmp_path)


def test_a_tokenizer_of_the_wrong_size(tiny_copy: Path) -> None:
    write_tokenizer(tiny_copy, words=VOCABULARY + 50)
    assert f"the tokenizer has {VOCABULARY + 50} words, but the text tower knows only {VOCABULARY}" in refusal(
        tiny_copy
    )


def test_open_clip_s_own_tokenizer_with_another_vocabulary(tiny_copy: Path) -> None:
    change_config(tiny_copy, lambda config: config["model_cfg"]["text_cfg"].pop("hf_tokenizer_name"))
    assert f"knows {VOCABULARY} ids, but without hf_tokenizer_name" in refusal(tiny_copy)


def test_a_tokenizer_that_is_not_there(tiny_copy: Path) -> None:
    (tiny_copy / "tokenizer.json").unlink()
    assert "names the tokenizer 'tiny/tokenizer', but its files are not here" in refusal(tiny_copy)


@pytest.mark.parametrize("text", ["", "{}", "not json"])
def test_a_damaged_tokenizer(tiny_copy: Path, text: str) -> None:
    (tiny_copy / "tokenizer.json").write_text(text)
    assert "the tokenizer cannot be used" in refusal(tiny_copy)


def test_an_added_word_beyond_the_vocabulary_is_noticed_when_it_is_read(tiny_copy: Path) -> None:
    document = json.loads((tiny_copy / "tokenizer.json").read_text())
    word = {"id": VOCABULARY, "content": "<new>", "special": True}
    document["added_tokens"].append(word | dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False))
    (tiny_copy / "tokenizer.json").write_text(json.dumps(document))
    clip = load_clip(str(tiny_copy), device=torch.device("cpu"))
    clip.encode_text(["a dog"])
    with pytest.raises(CheckpointError, match=f"writes the id {VOCABULARY}"):
        clip.encode_text(["a <new> dog"])
