"""What tests of publishing share: a folder as `rectify` leaves it, its record, and a Hub over each of its two ways."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub.utils._http import http_backoff
from support.hub import Hub, lead_to
from support.hub_writing import WritableHub

from eftclip.errors import PublishError
from eftclip.publish import Published, Staged, bound_requests, publish, stage
from eftclip.report import model_card

CPU = torch.device("cpu")
REPO = "friends/mended"
TOKEN = "hf_good"
LEFT = f"An empty repository {REPO} may be left on the Hub: publish to it again, which fills it, or delete it at "
STEPS = {  # what is asked of the Hub, in this order
    "look": rf"^GET /api/models/{REPO}$",
    "make": "^POST /api/repos/create",
    "card": "^POST /api/validate-yaml",
    "modes": "^POST /api/models/.*/preupload/",
    "batch": "^POST .*/info/lfs/objects/batch",
    "bytes": "^PUT /_lfs/",
    "verify": "^POST /_lfs/.*/verify",
    "chunks": "^GET /api/models/.*/xet-write-token/",
    "commit": "^POST /api/models/.*/commit/",
    "compare": "^POST /api/models/.*/paths-info/",
}


@pytest.fixture(params=["lfs", "xet"])
def hub(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[WritableHub]:
    """A Hub of its own, over each of the two ways that large files go."""
    xet = request.param == "xet"
    (tmp_path / "xet").mkdir()
    server = WritableHub(tmp_path / "xet" if xet else None)
    lead_to(server, monkeypatch, tmp_path, xet=xet)
    yield server
    server.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client tries as often as ever, but does not wait 1, 2, 4, 8 and 8 s in between: its own settings, lowered."""
    settings = http_backoff.__kwdefaults__ or {}
    for name in ("base_wait_time", "max_wait_time"):
        monkeypatch.setitem(settings, name, 0.01)


@pytest.fixture
def bounded(impatient: None) -> Iterator[None]:
    """The Hub is asked as the page and the command line ask it."""
    bound_requests()
    yield


@pytest.fixture
def signed_in(monkeypatch: pytest.MonkeyPatch) -> str:
    """The token of whoever sits at this machine."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    return TOKEN


@pytest.fixture
def home(tiny_folder: Path, tmp_path: Path) -> Path:
    """A folder as `rectify` leaves it, with things in it that are nobody else's business."""
    folder = tmp_path / "home"
    shutil.copytree(tiny_folder, folder)
    (folder / "curated").mkdir()
    (folder / "curated" / "my_child.png").write_bytes(b"private")
    for name in ("witnesses.png", "triggers.png", "scan.journal", "evil.py"):
        (folder / name).write_bytes(b"\x89PNG")
    return folder


@pytest.fixture
def document(home: Path) -> dict[str, Any]:
    """Of a rectification that went well."""
    sha256 = hashlib.sha256((home / "open_clip_model.safetensors").read_bytes()).hexdigest()
    return {
        "kind": "rectify",
        "conclusion": "ASR went from 290 of 300 to 0 of 300 <script>.",
        "status": "found",
        "checkpoint": {"source": "/home/me/secret/model", "repo_id": None, "revision": None, "sha256": "0" * 64},
        "data": {"source": "/home/me/photos", "kind": "folder", "revision": None, "length": 9, "notes": []},
        "families": [],
        "victims": [{"image": "my_child.png"}],
        "coverage": dict.fromkeys(
            ("reached", "read", "searched", "matched", "screened", "undecided", "corrupt", "missing", "duplicates"), 0
        )
        | {"complete": True},
        "curated": {"items": [{"image": "my_child.png"}], "budget": 64},
        "rectified": {"method": "realign", "steps": 5, "image_steps": 320, "sha256": sha256, "stopped": "steps"},
        "before": measured(300, 290),
        "after": measured(270, 0),
    }


@pytest.fixture
def staged(home: Path, document: dict[str, Any], tmp_path: Path) -> Staged:
    """The same, ready to be published."""
    card = model_card(document, licence="mit", repo_id=REPO, pictures=("triggers.png",))
    return stage(home, tmp_path / "staged", REPO, document, card)


def rate(hits: int, total: int = 300) -> dict[str, Any]:
    """A count as a document holds it."""
    return {"hits": hits, "total": total, "low": 0.0, "high": 1.0}


def measured(clean: int, attack: int) -> dict[str, Any]:
    """An evaluation as a document holds it."""
    return {
        "clean": rate(clean),
        "attack": rate(attack),
        "poisoned": rate(clean),
        "per_target": [],
        "victims": None,
        "truth": "readings",
        "pictures": "300 views",
        "warnings": ["Few pictures."],
    }


def files_of(hub: Hub, repo: str = REPO, revision: str = "main") -> set[str]:
    """Names in a repository, without what the Hub puts there."""
    repository = hub.repositories[repo]
    return set(repository.commits[repository.refs[revision]]) - {".gitattributes"}


def failed(hub: WritableHub, staged: Staged, **how: object) -> str:
    """The sentence with which publishing fails; if it says that nothing is left, nothing is."""
    with pytest.raises(PublishError) as caught:
        publish(staged, token=TOKEN, **how)  # type: ignore[arg-type]
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert TOKEN not in sentence
    assert len(sentence) < 400
    assert (REPO in hub.repositories) == ("may be left" in sentence or "is as it was" in sentence), sentence
    return sentence


def succeeds(hub: WritableHub, staged: Staged) -> Published:
    """The next attempt, when all is well again."""
    hub.faults.clear()
    done = publish(staged, token=TOKEN)
    assert (done.sha256, done.pull_request) == (staged.weights_sha256, False)
    assert files_of(hub) == {path.name for path in staged.folder.iterdir()}
    return done
