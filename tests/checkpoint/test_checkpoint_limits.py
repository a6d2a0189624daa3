"""How much of a stranger's repository is downloaded, read or built at all; nothing in it is trusted."""

import json
import time
from pathlib import Path

import pytest
from support import pulling
from support.hub import Hub
from support.pulling import REPO, WEIGHTS, downloaded, load, refused
from support.tiny import change_config, refusal

from eftclip.checkpoint import inspect
from eftclip.cli import main
from eftclip.errors import CheckpointError
from eftclip.pipeline import prepare_check

hub, folder = pulling.hub, pulling.folder  # fixtures
CONFIG, TOKENIZER = "open_clip_config.json", "tokenizer_config.json"


# --- Weights -----------------------------------------------------------------------------------------------------


def test_weights_above_the_limit_are_not_downloaded(hub: Hub, folder: Path) -> None:
    hub.push(REPO, folder)
    hub.claimed[WEIGHTS] = 12_300_000_000
    sentence = refused(max_gb=3)
    assert f"{WEIGHTS} has 12.30 GB, and no more than 3 GB are loaded here" in sentence
    assert sentence.endswith(f"where nothing is limited: `eftclip check … --checkpoint hf:{REPO}`.")
    assert downloaded(hub) == {CONFIG, TOKENIZER}
    assert inspect(f"hf:{REPO}", max_gb=3).problems == (sentence,)
    [problem] = inspect(f"hf:{REPO}").problems
    assert "damaged" in problem, "without a limit it is seen that its header does not account for such a size"
    hub.claimed.clear()
    assert inspect(f"hf:{REPO}").problems == ()
    assert load(max_gb=0.01).ref.repo_id == REPO


def test_the_limit_holds_for_folders_and_for_what_a_check_needs(tiny_folder: Path) -> None:
    with pytest.raises(CheckpointError, match=r"has 0\.00 GB, and no more than 0\.001 GB are loaded here"):
        prepare_check(str(tiny_folder), max_gb=0.001)


def test_an_architecture_that_would_fill_the_memory_is_not_built(hub: Hub, folder: Path) -> None:
    """Some 100 GB of weights, asked for by a configuration of a few bytes."""
    change_config(folder, lambda config: config["model_cfg"]["vision_cfg"].update(width=16_384, layers=8))
    hub.push(REPO, folder)
    started = time.monotonic()
    sentence = refused()
    assert "weights, more than a file of" in sentence
    assert time.monotonic() - started < 20, "which it would take to draw so many numbers"
    assert WEIGHTS not in downloaded(hub)


def test_a_picture_of_too_many_patches_is_not_read(tiny_copy: Path) -> None:
    """Attention takes their square in time: a checkpoint of a megabyte could keep a machine busy for a day."""
    change_config(tiny_copy, lambda config: config["model_cfg"]["vision_cfg"].update(image_size=2048, patch_size=2))
    assert "1024 × 1024 patches, and at most 64 × 64 are read" in refusal(tiny_copy)


# --- Texts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [CONFIG, TOKENIZER, "tokenizer.json"])
def test_a_huge_text_file_is_not_even_downloaded(hub: Hub, folder: Path, name: str) -> None:
    hub.push(REPO, folder)
    hub.claimed[name] = 500_000_000
    assert f"{name} has 500 MB, and of such a file no more than" in refused()
    assert name not in downloaded(hub)
    problems = inspect(f"hf:{REPO}").problems
    assert len(problems) == 1
    assert f"{name} has 500 MB" in problems[0]
    assert name not in downloaded(hub)


def test_a_huge_card_says_nothing_and_hinders_nothing(hub: Hub, folder: Path) -> None:
    (folder / "README.md").write_text("A card without front matter, so the Hub states no licence.")
    hub.push(REPO, folder)
    hub.claimed["README.md"] = 500_000_000
    report = inspect(f"hf:{REPO}")
    assert (report.licence, report.problems) == (None, ())
    assert "README.md" not in downloaded(hub)


def test_a_huge_text_file_in_a_folder_is_not_read(tiny_copy: Path) -> None:
    with (tiny_copy / CONFIG).open("ab") as handle:
        handle.truncate(500_000_000)  # a file with a hole: it takes no room
    assert f"{CONFIG} has 500 MB" in refusal(tiny_copy)
    assert f"{CONFIG} has 500 MB" in inspect(str(tiny_copy)).problems[0]


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: mit\n---\n", "mit"),
        ('---\ntags: [x]\nlicense: "cc-by-nc-4.0"\n---\nText', "cc-by-nc-4.0"),
        ("---\nlicense: mit\n", None),
        ("license: mit\n---\n", None),
        ("---\nlicense: mit; <script>\n---\n", None),
        ("", None),
        ("---\n" + "license: mit \n" * 80_000, None),
        ("---\n" + "license: <b>\n" * 70_000 + "---\n", None),
    ],
    ids=["plain", "quoted", "without an end", "without a start", "with more", "empty", "endless", "long"],
)
def test_the_licence_of_a_folder_is_what_its_card_states(tiny_copy: Path, card: str, licence: str | None) -> None:
    (tiny_copy / "README.md").write_text(card)
    assert inspect(str(tiny_copy)).licence == licence


@pytest.mark.parametrize("stated", ["[mit, apache-2.0]", "{a: b}", "<b>", "12", "x" + "y" * 90])
def test_a_licence_that_the_hub_passes_on_unread_is_not_shown(hub: Hub, folder: Path, stated: str) -> None:
    (folder / "README.md").write_text(f"---\nlicense: {stated}\n---\n")
    hub.push(REPO, folder)
    assert inspect(f"hf:{REPO}").licence in (None, "12")


@pytest.mark.parametrize("trap", ["ignore_metadata_errors: true", "self: 1", "model-index: [1, 2]", "tags: {a: 1}"])
def test_a_card_that_makes_the_client_stumble_is_one_sentence_at_most(hub: Hub, folder: Path, trap: str) -> None:
    (folder / "README.md").write_text(f"---\nlicense: mit\n{trap}\n---\n")
    hub.push(REPO, folder)
    try:
        assert load().ref.repo_id == REPO
    except CheckpointError as error:
        assert "could not be had from the Hub" in str(error)


# --- Names -------------------------------------------------------------------------------------------------------


def test_names_that_lead_elsewhere_are_not_followed(hub: Hub, folder: Path) -> None:
    commit = hub.push(REPO, folder)
    files = hub.repositories[REPO].commits[commit]
    for name in ("../evil.safetensors", "/etc/evil.safetensors", "..\\evil.safetensors", "a/b.safetensors", ".."):
        files[name] = files[WEIGHTS]
    del files[WEIGHTS]
    assert "no weights were found" in refused()
    assert not any("evil" in line for line in hub.requests)
    assert not any("evil" in name for name in inspect(f"hf:{REPO}").files)


def test_names_with_line_breaks_stay_on_one_line(hub: Hub, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commit = hub.push(REPO, folder)
    files = hub.repositories[REPO].commits[commit]
    del files[WEIGHTS]
    files["a\n\x1b[2Jb" + "c" * 300] = b""
    sentence = refused()
    assert "a��[2Jb" in sentence
    assert main(["inspect", f"hf:{REPO}"]) == 2
    assert "\x1b" not in capsys.readouterr().out


def test_a_repository_of_a_hundred_thousand_files(hub: Hub, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commit = hub.push(REPO, folder)
    files = hub.repositories[REPO].commits[commit]
    files.update({f"{k:06}.txt": b"" for k in range(100_000)})
    assert load().ref.revision == commit
    assert main(["inspect", f"hf:{REPO}"]) == 0
    said = capsys.readouterr().out
    assert WEIGHTS in said
    assert "and 99,8" in said
    assert said.count("\n") < 250
    del files[WEIGHTS]
    assert "more." in refused()


# --- The tokenizer's own settings --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"tokenizer_class": "BertTokenizer", "vocab": "/etc/hostname"},
        {"tokenizer_class": "BertTokenizer", "vocab": "secret.txt"},
        {"tokenizer_class": "CLIPTokenizer", "vocab": "/dev/zero", "merges": "/dev/zero"},
        {"tokenizer_class": "BertTokenizer", "init_inputs": ["/dev/zero"]},
        {"fast_tokenizer_files": ["tokenizer.json", "../elsewhere/tokenizer.4.0.0.json"]},
        {"sp_model_kwargs": {"model_file": "/dev/zero"}},
        {"mecab_kwargs": {"mecab_option": "-d /etc"}},
        {"gguf_file": "x"},
    ],
)
def test_a_tokenizer_opens_no_other_file_of_this_machine(tiny_copy: Path, settings: dict[str, object]) -> None:
    """Transformers hands these to a class that opens them; /dev/zero alone would fill the memory."""
    document = json.loads((tiny_copy / TOKENIZER).read_text())
    (tiny_copy / TOKENIZER).write_text(json.dumps({**document, **settings}))
    assert f"{TOKENIZER} asks to open another file" in refusal(tiny_copy)
    assert "asks to open another file" in inspect(str(tiny_copy)).problems[0]


def test_settings_of_published_tokenizers_pass(tiny_copy: Path) -> None:
    """Paths of the author's machine stand in many; they are not followed."""
    document = json.loads((tiny_copy / TOKENIZER).read_text())
    usual: dict[str, object] = {
        "name_or_path": "/home/author/checkpoints/clip",
        "special_tokens_map_file": "/home/author/.cache/special_tokens_map.json",
        "tokenizer_file": None,
        "additional_special_tokens": ["<a/b>"],
        "chat_template": "{{ a / b }}",
        "errors": "replace",
        "sp_model_kwargs": {},
        "clean_up_tokenization_spaces": True,
    }
    (tiny_copy / TOKENIZER).write_text(json.dumps({**usual, **document}))
    assert load(str(tiny_copy)).encode_text(["a dog"]).shape[0] == 1
