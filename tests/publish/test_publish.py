"""A mended checkpoint to the Hub and back: the real client against a local server, over both ways."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from support import publishing
from support.hub_writing import WritableHub, Written
from support.publishing import CPU, REPO, TOKEN, files_of

from eftclip.checkpoint import load_clip
from eftclip.errors import PublishError
from eftclip.publish import Staged, publish

hub, home, document, staged = publishing.hub, publishing.home, publishing.document, publishing.staged  # fixtures


def test_a_new_repository_is_filled_at_once_and_loads(hub: WritableHub, staged: Staged) -> None:
    done = publish(staged, token=TOKEN)
    assert not done.pull_request
    assert done.url == f"{hub.url}/{REPO}"
    assert files_of(hub) == {path.name for path in staged.folder.iterdir()}
    assert len(hub.repositories[REPO].commits) == 2, "the first, and one with everything"
    if hub.store is not None:
        assert list(hub.store.rglob("*.mdb")), "the weights went through the store"
    ours = load_clip(f"hf:{REPO}@{done.revision}", device=CPU)
    assert ours.ref.sha256 == done.sha256 == staged.weights_sha256
    if hub.store is not None:
        assert any("/_xet/" in line for line in hub.requests), "and came back through it"


@pytest.mark.parametrize("hub", ["lfs"], indirect=True)
def test_a_stranger_loads_it_with_plain_open_clip(hub: WritableHub, staged: Staged, tmp_path: Path) -> None:
    ours = load_clip(f"hf:{REPO}@{publish(staged, token=TOKEN).revision}", device=CPU)
    code = (
        "import open_clip, torch\n"
        f"model, _ = open_clip.create_model_from_pretrained('hf-hub:{REPO}')\n"
        f"tokens = open_clip.get_tokenizer('hf-hub:{REPO}')(['a cat'])\n"
        "torch.save(model.eval().encode_text(tokens, normalize=True).detach(), 'features.pt')\n"
    )
    stranger = {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
    }
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, **stranger}, check=True, timeout=120)
    assert torch.allclose(torch.load(tmp_path / "features.pt"), ours.encode_text(["a cat"]), atol=1e-5)


def test_a_repository_that_holds_something_gets_a_pull_request(
    hub: WritableHub, staged: Staged, tmp_path: Path
) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "README.md").write_text("Theirs.")
    before = hub.push(REPO, tmp_path / "theirs")
    hub.repositories[REPO] = Written(**vars(hub.repositories[REPO]))
    done = publish(staged, token=TOKEN)
    assert done.pull_request
    assert done.url == f"{hub.url}/{REPO}/discussions/1"
    assert hub.repositories[REPO].refs["main"] == before
    assert files_of(hub, revision="refs/pr/1") == {path.name for path in staged.folder.iterdir()}
    assert publish(staged, token=TOKEN).url == done.url, "the same weights do not ask twice"
    assert len(hub.repositories[REPO].pulls) == 1  # type: ignore[attr-defined]


def test_an_empty_repository_is_filled(hub: WritableHub, staged: Staged) -> None:
    first = "a" * 40
    hub.repositories[REPO] = Written({first: {".gitattributes": b""}}, {"main": first})
    assert not publish(staged, token=TOKEN).pull_request
    assert "README.md" in files_of(hub)


def test_a_private_one_stays_private(hub: WritableHub, staged: Staged) -> None:
    publish(staged, token=TOKEN, private=True)
    assert hub.repositories[REPO].private


@pytest.mark.parametrize(
    ("token", "says"),
    [
        ("", "needs your token"),
        ("hf_wrong", "does not know this token"),
        ("hf_other", "may not write to friends"),
        ("hf_read", "may not write to friends"),
    ],
)
def test_tokens_that_may_not(hub: WritableHub, staged: Staged, token: str, says: str) -> None:
    with pytest.raises(PublishError, match=says) as failed:
        publish(staged, token=token)
    assert REPO not in hub.repositories
    assert not token or token not in str(failed.value)


def test_a_cancel_leaves_nothing(hub: WritableHub, staged: Staged) -> None:
    asked: list[bool] = []

    def second_time() -> bool:
        asked.append(True)
        return len(asked) == 2

    with pytest.raises(PublishError, match=r"Stopped; nothing was published\. Nothing is left"):
        publish(staged, token=TOKEN, cancelled=second_time)
    assert REPO not in hub.repositories
