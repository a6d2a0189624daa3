"""Checkpoints from the Hub: the real client against a local server that speaks the Hub's protocol."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hub import GOOD_TOKEN, Hub, lead_to
from huggingface_hub import constants

from eftclip.checkpoint import inspect, load_clip
from eftclip.errors import CheckpointError
from eftclip.types import ClipModel

CPU = torch.device("cpu")
REPO = "friends/tiny"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A Hub of its own with an empty cache; the suite's offline switch is lifted for this test."""
    server = Hub()
    lead_to(server, monkeypatch, tmp_path)
    yield server
    server.close()


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    """A copy of the tiny checkpoint with things in it that must never be downloaded."""
    copy = tmp_path / "repository"
    shutil.copytree(tiny_folder, copy)
    (copy / "modeling_tiny.py").write_text("raise SystemExit('this must never run')")
    (copy / "extra").mkdir()
    (copy / "extra" / "open_clip_config.json").write_text("{}")
    return copy


def _load(source: str, **options: str) -> ClipModel:
    return load_clip(source, device=CPU, **options)  # type: ignore[arg-type]


def _downloaded(hub: Hub) -> set[str]:
    return {line.split("/", 5)[-1] for line in hub.requests if line.startswith("GET") and "/resolve/" in line}


def test_a_branch_is_pinned_to_its_commit_and_loads_like_the_folder(hub: Hub, folder: Path) -> None:
    commit = hub.push(REPO, folder)
    clip, local = _load(f"hf:{REPO}"), _load(str(folder))
    assert (clip.ref.repo_id, clip.ref.revision, clip.ref.source) == (REPO, commit, f"hf:{REPO}")
    assert clip.ref.sha256 == local.ref.sha256
    assert torch.equal(clip.encode_text(["a dog"]), local.encode_text(["a dog"]))


def test_only_allowed_files_are_downloaded(hub: Hub, folder: Path) -> None:
    hub.push(REPO, folder)
    _load(f"hf:{REPO}")
    assert _downloaded(hub) == {
        "open_clip_config.json",
        "open_clip_model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }


def test_inspecting_downloads_no_weights(hub: Hub, folder: Path) -> None:
    commit = hub.push(REPO, folder)
    report = inspect(f"hf:{REPO}@main")
    assert not any("safetensors" in name for name in _downloaded(hub))
    assert (report.repo_id, report.revision, report.folder) == (REPO, commit, None)
    assert (report.weight_file, report.format, report.licence) == (
        "open_clip_model.safetensors",
        "safetensors",
        "apache-2.0",
    )
    assert report.files["open_clip_model.safetensors"] == (folder / "open_clip_model.safetensors").stat().st_size
    assert report.problems == ()


def test_tags_branches_and_digits_lead_to_the_commit_they_name(hub: Hub, folder: Path) -> None:
    first = hub.push(REPO, folder, branch="v1/tag")
    (folder / "README.md").write_text("a second commit")
    second = hub.push(REPO, folder)
    assert inspect(f"hf:{REPO}@v1/tag").revision == first
    assert inspect(f"hf:{REPO}@{first[:8]}").revision == first
    assert inspect(f"hf:{REPO}@{second}").revision == second


def test_a_pinned_commit_needs_no_hub_once_it_is_here(hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = hub.push(REPO, folder)
    online = _load(f"hf:{REPO}@{commit}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    offline = _load(f"hf:{REPO}@{commit}")
    assert offline.ref == online.ref


@pytest.mark.parametrize("trouble", ["offline", "gone", "broken", "bad token"])
def test_a_branch_in_the_cache_is_not_passed_off_as_fresh(
    hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    commit = hub.push(REPO, folder)
    _load(f"hf:{REPO}")
    token = "hf_wrong" if trouble == "bad token" else None
    if trouble == "offline":
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    if trouble == "gone":
        hub.close()
    if trouble == "broken":
        hub.broken = 500
    with pytest.raises(CheckpointError, match=r"only when its commit is pinned"):
        load_clip(f"hf:{REPO}", device=CPU, token=token)
    assert load_clip(f"hf:{REPO}@{commit}", device=CPU, token=token).ref.revision == commit


def test_a_pinned_commit_whose_weights_were_never_here(hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = hub.push(REPO, folder)
    inspect(f"hf:{REPO}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError, match="as far as it is on this machine; the Hub did not answer"):
        _load(f"hf:{REPO}@{commit}")


def test_spoiled_downloads_are_noticed(hub: Hub, folder: Path) -> None:
    hub.push(REPO, folder)
    hub.spoiled.add("open_clip_model.safetensors")
    with pytest.raises(CheckpointError, match="not the file that the Hub announced"):
        _load(f"hf:{REPO}")


def test_private_and_gated_repositories_open_with_a_token(hub: Hub, folder: Path) -> None:
    hub.push(REPO, folder)
    hub.repositories[REPO].private = True
    with pytest.raises(CheckpointError, match=r"shows no model repository friends/tiny.*private"):
        _load(f"hf:{REPO}")
    hub.repositories[REPO].private, hub.repositories[REPO].gated = False, True
    with pytest.raises(CheckpointError, match="friends/tiny is gated"):
        _load(f"hf:{REPO}")
    assert _load(f"hf:{REPO}", token=GOOD_TOKEN).ref.repo_id == REPO


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("hf:friends/nobody", "shows no model repository friends/nobody"),
        ("hf:friends/tiny@v9", "has no revision 'v9'"),
        ("hf:friends/tiny@" + "0" * 40, "has no revision '0000"),
        ("hf:tiny", "does not name a Hub repository"),
        ("hf:friends/tiny@", "does not name a Hub repository"),
        ("hf:", "does not name a Hub repository"),
        ("hf:../../etc/passwd", "does not name a Hub repository"),
        ("hf:a/b?c", "does not name a Hub repository"),
        ("hf:friends/bad--name", "cannot be the name of a Hub repository"),
    ],
)
def test_sources_that_lead_nowhere(hub: Hub, folder: Path, source: str, message: str) -> None:
    hub.push(REPO, folder)
    for attempt in (_load, inspect):
        with pytest.raises(CheckpointError, match=message) as caught:
            attempt(source)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("status", "message"), [(401, "refused the token"), (403, "refused the token"), (429, "429")])
def test_refusals_say_what_to_do(hub: Hub, status: int, message: str) -> None:
    hub.broken = status
    with pytest.raises(CheckpointError, match=message):
        _load(f"hf:{REPO}")


def test_a_pickle_on_the_hub_is_not_even_downloaded(hub: Hub, folder: Path) -> None:
    (folder / "open_clip_model.safetensors").rename(folder / "open_clip_pytorch_model.bin")
    hub.push(REPO, folder)
    with pytest.raises(CheckpointError, match="only as a pickle"):
        _load(f"hf:{REPO}")
    assert "open_clip_pytorch_model.bin" not in _downloaded(hub)
    assert "only as a pickle" in inspect(f"hf:{REPO}").problems[0]


def test_a_refused_configuration_stops_before_the_weights_are_downloaded(hub: Hub, folder: Path) -> None:
    text = (folder / "open_clip_config.json").read_text()
    (folder / "open_clip_config.json").write_text(text.replace('"width": 128', '"hf_model_name": "a/b"'))
    hub.push(REPO, folder)
    with pytest.raises(CheckpointError, match="hf_model_name"):
        _load(f"hf:{REPO}")
    assert _downloaded(hub) <= {"open_clip_config.json", "tokenizer_config.json"}


def test_a_repository_that_is_no_checkpoint(hub: Hub, folder: Path) -> None:
    (folder / "open_clip_config.json").unlink()
    hub.push(REPO, folder)
    with pytest.raises(CheckpointError, match=r"open_clip_config\.json is missing.*found .*README\.md"):
        _load(f"hf:{REPO}")
