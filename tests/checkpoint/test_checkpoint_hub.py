"""Checkpoints from the Hub: the real client against a local server that speaks the Hub's protocol."""

from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from support import pulling
from support.hub import GOOD_TOKEN, Hub
from support.pulling import REPO, WEIGHTS, downloaded, load, refused, snapshot

from eftclip.checkpoint import inspect
from eftclip.errors import CheckpointError

hub, folder = pulling.hub, pulling.folder  # fixtures


def test_a_branch_is_pinned_to_its_commit_and_loads_like_the_folder(hub: Hub, folder: Path) -> None:
    commit = hub.push(REPO, folder)
    clip, local = load(f"hf:{REPO}"), load(str(folder))
    assert (clip.ref.repo_id, clip.ref.revision, clip.ref.source) == (REPO, commit, f"hf:{REPO}")
    assert clip.ref.sha256 == local.ref.sha256
    assert torch.equal(clip.encode_text(["a dog"]), local.encode_text(["a dog"]))


def test_only_allowed_files_are_downloaded(hub: Hub, folder: Path) -> None:
    hub.push(REPO, folder)
    load(f"hf:{REPO}")
    assert downloaded(hub) == {
        "open_clip_config.json",
        WEIGHTS,
        "tokenizer.json",
        "tokenizer_config.json",
    }


def test_inspecting_downloads_no_weights(hub: Hub, folder: Path) -> None:
    commit = hub.push(REPO, folder)
    report = inspect(f"hf:{REPO}@main")
    assert not any("safetensors" in name for name in downloaded(hub))
    assert (report.repo_id, report.revision, report.folder) == (REPO, commit, None)
    assert (report.weight_file, report.format, report.licence) == (
        WEIGHTS,
        "safetensors",
        "apache-2.0",
    )
    assert report.files[WEIGHTS] == (folder / WEIGHTS).stat().st_size
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
    online = load(f"hf:{REPO}@{commit}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    offline = load(f"hf:{REPO}@{commit}")
    assert offline.ref == online.ref


@pytest.mark.parametrize("trouble", ["offline", "gone", "broken", "bad token"])
def test_a_branch_in_the_cache_is_not_passed_off_as_fresh(
    hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    commit = hub.push(REPO, folder)
    load()
    token = "hf_wrong" if trouble == "bad token" else None
    if trouble == "offline":
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    if trouble == "gone":
        hub.close()
    if trouble == "broken":
        hub.broken = 500
    sentence = refused(token=token)
    assert sentence.endswith(f"may be old, and is used when its commit is named: hf:{REPO}@{commit}.")
    named = sentence.removesuffix(".").rpartition(" ")[2]
    assert load(named, token=token).ref.revision == commit


def test_visitors_of_a_page_are_not_told_what_else_lies_on_its_machine(hub: Hub, folder: Path) -> None:
    hub.push(REPO, folder)
    load()
    hub.close()
    assert "could not be had from the Hub" in (sentence := refused(token=False))  # type: ignore[arg-type]
    assert "copy on this machine" not in sentence


def test_a_half_downloaded_commit_says_so_offline_and_is_completed_online(
    hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = hub.push(REPO, folder)
    inspect(f"hf:{REPO}")
    assert not (snapshot(commit) / WEIGHTS).exists()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    sentence = refused(f"hf:{REPO}@{commit}")
    assert f"{REPO}@{commit[:12]} is not all on this machine: go online; of this commit only a part is" in sentence
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    assert load(f"hf:{REPO}@{commit}").ref.revision == commit


def test_private_and_gated_repositories_open_with_a_token(hub: Hub, folder: Path) -> None:
    hub.push(REPO, folder)
    hub.repositories[REPO].private = True
    with pytest.raises(CheckpointError, match=r"shows no model repository friends/tiny.*private"):
        load(f"hf:{REPO}")
    hub.repositories[REPO].private, hub.repositories[REPO].gated = False, True
    with pytest.raises(CheckpointError, match="friends/tiny is gated"):
        load(f"hf:{REPO}")
    assert load(f"hf:{REPO}", token=GOOD_TOKEN).ref.repo_id == REPO


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
    for attempt in (load, inspect):
        with pytest.raises(CheckpointError, match=message) as caught:
            attempt(source)
        assert "\n" not in str(caught.value)


def test_a_pickle_on_the_hub_is_not_even_downloaded(hub: Hub, folder: Path) -> None:
    (folder / WEIGHTS).rename(folder / "open_clip_pytorch_model.bin")
    hub.push(REPO, folder)
    with pytest.raises(CheckpointError, match="only as a pickle"):
        load(f"hf:{REPO}")
    assert "open_clip_pytorch_model.bin" not in downloaded(hub)
    assert "only as a pickle" in inspect(f"hf:{REPO}").problems[0]


def test_a_refused_configuration_stops_before_the_weights_are_downloaded(hub: Hub, folder: Path) -> None:
    text = (folder / "open_clip_config.json").read_text()
    (folder / "open_clip_config.json").write_text(text.replace('"width": 128', '"hf_model_name": "a/b"'))
    hub.push(REPO, folder)
    with pytest.raises(CheckpointError, match="hf_model_name"):
        load(f"hf:{REPO}")
    assert downloaded(hub) <= {"open_clip_config.json", "tokenizer_config.json"}


def test_a_repository_that_is_no_checkpoint(hub: Hub, folder: Path) -> None:
    (folder / "open_clip_config.json").unlink()
    hub.push(REPO, folder)
    with pytest.raises(CheckpointError, match=r"open_clip_config\.json or config\.json is missing.*found .*README\.md"):
        load(f"hf:{REPO}")


def test_a_page_that_others_can_reach_asks_nobody_for_a_token(hub: Hub, folder: Path) -> None:
    hub.push(REPO, folder)
    for change in ({"private": True}, {"private": False, "gated": True}):
        vars(hub.repositories[REPO]).update(change)
        with pytest.raises(CheckpointError, match=r"machine of your own, as this page uses nobody's token") as caught:
            load(token=False)  # type: ignore[arg-type]
        assert "HF_TOKEN" not in str(caught.value)
