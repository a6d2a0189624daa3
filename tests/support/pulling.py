"""What tests of pulling share: a Hub with an empty cache in front of it, and a repository with traps in it."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from support.hub import Hub, lead_to

from eftclip.checkpoint import load_clip
from eftclip.errors import CheckpointError
from eftclip.types import ClipModel

CPU = torch.device("cpu")
REPO = "friends/tiny"
WEIGHTS = "open_clip_model.safetensors"


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


def load(source: str = f"hf:{REPO}", *, token: str | None = None, max_gb: float | None = None) -> ClipModel:
    """The checkpoint on the CPU."""
    return load_clip(source, device=CPU, token=token, max_gb=max_gb)


def refused(source: str = f"hf:{REPO}", *, token: str | None = None, max_gb: float | None = None) -> str:
    """The one sentence with which a checkpoint is refused."""
    with pytest.raises(CheckpointError) as caught:
        load(source, token=token, max_gb=max_gb)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert len(sentence) < 500
    assert sentence.endswith(".")
    return sentence


def downloaded(hub: Hub) -> set[str]:
    """Names of the files whose bytes were asked for; a range at their beginning is only a look."""
    asked = [line for line, extent in hub.extents if not re.fullmatch(r"bytes=[08]-\d+", extent)]
    return {line.split("/", 5)[-1] for line in asked if line.startswith("GET") and "/resolve/" in line}


def snapshot(commit: str, repo: str = REPO) -> Path:
    """Where the cache keeps the files of a commit."""
    return Path(constants.HF_HUB_CACHE) / f"models--{repo.replace('/', '--')}" / "snapshots" / commit
