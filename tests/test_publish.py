"""A mended checkpoint to the Hub and back: the real client against a local server, and everything that can go wrong."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hub import Hub, lead_to
from hub_faults import Fault
from hub_writing import WritableHub, Written
from huggingface_hub import ModelCard, ModelCardData
from poisoned import poisoned_set
from taught import LABELS, shaded

from eftclip.checkpoint import load_clip
from eftclip.cli import main
from eftclip.cli.publish import read_record
from eftclip.errors import PublishError
from eftclip.pipeline import prepare_check
from eftclip.publish import Staged, bound_requests, doubts, publish, stage
from eftclip.report import model_card
from eftclip.runtime import seeded
from eftclip.triggers import draw_trigger

CPU = torch.device("cpu")
REPO = "friends/mended"
TOKEN = "hf_good"


@pytest.fixture(params=["lfs", "xet"])
def hub(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[WritableHub]:
    """A Hub of its own, over each of the two ways that large files go."""
    xet = request.param == "xet"
    (tmp_path / "xet").mkdir()
    server = WritableHub(tmp_path / "xet" if xet else None)
    lead_to(server, monkeypatch, tmp_path, xet=xet)
    yield server
    server.close()


def rate(hits: int, total: int = 300) -> dict[str, Any]:
    return {"hits": hits, "total": total, "low": 0.0, "high": 1.0}


def measured(clean: int, attack: int) -> dict[str, Any]:
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
    sha256 = load_clip(str(home), device=CPU).ref.sha256
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
    card = model_card(document, licence="mit", repo_id=REPO, pictures=("triggers.png",))
    return stage(home, tmp_path / "staged", REPO, document, card)


def files_of(hub: Hub, repo: str = REPO, revision: str = "main") -> set[str]:
    repository = hub.repositories[repo]
    return set(repository.commits[repository.refs[revision]]) - {".gitattributes"}


# --- What is published -------------------------------------------------------------------------------------------


def test_only_what_is_meant_for_others_is_staged(staged: Staged) -> None:
    assert {path.name for path in staged.folder.iterdir()} == {
        "open_clip_model.safetensors",
        "open_clip_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "triggers.png",
        "README.md",
        "rectify.json",
    }
    texts = [path.read_text() for path in staged.folder.iterdir() if path.suffix in (".md", ".json")]
    assert not any("my_child" in text or "/home/me" in text for text in texts)
    assert json.loads((staged.folder / "rectify.json").read_text())["data"]["source"] == "photos"


def test_the_card_tells_machines_and_people(staged: Staged) -> None:
    card = ModelCard.load(staged.folder / "README.md")
    assert card.data.license == "mit"
    results = {result.metric_type: result for result in card.data.eval_results or []}
    assert results["attack_success_rate"].metric_value == 0
    assert results["agreement"].metric_value == 0.9, "readings without labels are not called accuracy"
    assert "290 of 300" in str(results["attack_success_rate"].metric_name)
    assert "Few pictures" in card.text
    assert "<script>" not in card.text
    assert "![The triggers" in card.text


def test_text_of_a_stranger_cannot_break_out_of_the_front_matter(document: dict[str, Any]) -> None:
    document["after"]["pictures"] = "x\n---\nlicense: evil\n"
    card = ModelCard(model_card(document, licence="mit: [\n---", repo_id=REPO))
    assert isinstance(card.data, ModelCardData)
    assert card.data.license == "mit: [\n---"
    assert (card.data.eval_results or [])[0].dataset_name.startswith("x\n---")


@pytest.mark.parametrize("name", ["noslash", "a/b/c", "../x/y", "a/..", "a/b--c", "a/b.git", "https://x/y", "a/ b", ""])
def test_names_that_cannot_be(name: str, home: Path, document: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(PublishError, match=r"cannot be the name of a Hub repository: write org/name"):
        stage(home, tmp_path / "x", name, document, "")


def test_weights_that_were_not_measured_are_refused(home: Path, document: dict[str, Any], tmp_path: Path) -> None:
    document["rectified"]["sha256"] = "1" * 64
    with pytest.raises(PublishError, match=r"those that were measured are 111111111111…; rectify again"):
        stage(home, tmp_path / "x", REPO, document, "")
    with pytest.raises(PublishError, match="holds no finished rectification"):
        stage(tmp_path, tmp_path / "x", REPO, document, "")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, ""),
        ({"after": measured(270, 100)}, "The trigger still works: ASR is 100 of 300, before 290 of 300"),
        ({"after": measured(100, 0)}, "It reads differently than before: 100 of 300"),
        (
            {"before": measured(280, 290) | {"truth": "labels"}, "after": measured(260, 0) | {"truth": "labels"}},
            "CA is 260",
        ),
        ({"after": None}, "was not measured"),
        ({"status": "inconclusive"}, "was not decided"),
        ({"rectified": {"stopped": "cancelled"}}, "stopped before its end"),
    ],
)
def test_what_speaks_against_publishing(change: dict[str, Any], says: str, document: dict[str, Any]) -> None:
    found = doubts({**document, **change})
    assert (says in " ".join(found)) if says else found == ()


# --- The way to the Hub ------------------------------------------------------------------------------------------


def test_a_new_repository_is_filled_at_once_and_loads(
    hub: WritableHub, staged: Staged, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = publish(staged, token=TOKEN)
    assert not done.pull_request
    assert done.url == f"{hub.url}/{REPO}"
    assert files_of(hub) == {path.name for path in staged.folder.iterdir()}
    assert len(hub.repositories[REPO].commits) == 2, "the first, and one with everything"
    if hub.store is not None:
        assert list(hub.store.rglob("*.mdb")), "the weights went through the store"
        pass
    ours = load_clip(f"hf:{REPO}@{done.revision}", device=CPU)
    assert ours.ref.sha256 == done.sha256 == staged.weights_sha256


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


@pytest.mark.parametrize(
    ("what", "status", "says"),
    [
        ("POST /api/repos/create", 409, "exists, and this token may not see it"),
        ("POST /api/repos/create", 500, "answered 500"),
        ("POST /api/repos/create", 429, "asks to wait"),
        ("POST /api/models/.*/commit", 412, "changed by somebody else"),
        ("POST /api/models/.*/commit", 403, "may not write"),
        ("POST /api/models/.*/paths-info", 500, "could not be compared"),
        ("POST /api/models/.*/preupload", 404, "shows no repository"),
        ("GET /api/models/friends/mended$", 500, "answered 500"),
    ],
)
def test_whatever_the_hub_answers_nothing_is_left(
    hub: WritableHub, staged: Staged, what: str, status: int, says: str
) -> None:
    hub.faults.append(Fault(what, status=status, times=20))
    with pytest.raises(PublishError, match=says) as failed:
        publish(staged, token=TOKEN)
    assert REPO not in hub.repositories
    assert "Nothing" in str(failed.value)
    assert TOKEN not in str(failed.value)
    hub.faults.clear()
    assert publish(staged, token=TOKEN).sha256 == staged.weights_sha256, "and the next attempt succeeds"


def test_an_answer_that_is_lost_is_asked_for(hub: WritableHub, staged: Staged) -> None:
    hub.faults.append(Fault("POST /api/models/.*/commit", lost=True))
    assert publish(staged, token=TOKEN).sha256 == staged.weights_sha256
    assert "README.md" in files_of(hub)


def test_a_repository_whose_making_was_not_answered_is_taken_away(hub: WritableHub, staged: Staged) -> None:
    hub.faults.append(Fault("POST /api/repos/create", lost=True))
    with pytest.raises(PublishError, match=r"broke off .* Nothing is left"):
        publish(staged, token=TOKEN)
    assert REPO not in hub.repositories


def test_wrong_bytes_of_the_right_length_are_noticed(hub: WritableHub, staged: Staged) -> None:
    hub.spoil = {"open_clip_model.safetensors"}
    with pytest.raises(PublishError, match=r"not what was sent \(open_clip_model.safetensors\)\. Nothing is left"):
        publish(staged, token=TOKEN)
    assert REPO not in hub.repositories
    hub.spoil = {"rectify.json"}
    with pytest.raises(PublishError, match=r"not what was sent \(rectify.json\)"):
        publish(staged, token=TOKEN)


def test_a_spoiled_pull_request_is_closed(hub: WritableHub, staged: Staged, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "README.md").write_text("Theirs.")
    hub.push(REPO, tmp_path / "theirs")
    hub.repositories[REPO] = Written(**vars(hub.repositories[REPO]))
    hub.spoil = {"open_clip_model.safetensors"}
    with pytest.raises(PublishError, match="The pull request was closed; friends/mended is as it was"):
        publish(staged, token=TOKEN)
    assert [one.status for one in hub.repositories[REPO].pulls] == ["closed"]  # type: ignore[attr-defined]


def test_a_hub_that_dies_says_what_is_left(hub: WritableHub, staged: Staged) -> None:
    hub.faults += [Fault("POST /api/models/.*/commit", dead=True, times=20), Fault("DELETE", dead=True, times=20)]
    hub.faults.append(Fault("GET /api/models/.*", dead=True, times=0))
    with pytest.raises(PublishError, match=r"An empty repository friends/mended may be left .* publish to it again"):
        publish(staged, token=TOKEN)
    hub.faults.clear()
    assert not publish(staged, token=TOKEN).pull_request, "publishing again fills it"


def test_a_hub_that_hangs_is_not_waited_for(hub: WritableHub, staged: Staged) -> None:
    bound_requests(0.3)
    try:
        hub.faults.append(Fault("POST /api/repos/create", hang_s=1.0))
        with pytest.raises(PublishError, match="did not answer"):
            publish(staged, token=TOKEN)
    finally:
        bound_requests()


def test_a_cancel_leaves_nothing(hub: WritableHub, staged: Staged) -> None:
    asked: list[bool] = []

    def second_time() -> bool:
        asked.append(True)
        return len(asked) == 2

    with pytest.raises(PublishError, match=r"Stopped; nothing was published\. Nothing is left"):
        publish(staged, token=TOKEN, cancelled=second_time)
    assert REPO not in hub.repositories


# --- As typed ----------------------------------------------------------------------------------------------------


@pytest.fixture
def signed_in(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    return TOKEN


def test_a_folder_is_published_as_typed(
    hub: WritableHub, home: Path, document: dict[str, Any], signed_in: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "rectify.json").write_text(json.dumps(document))
    assert main(["publish", str(home), REPO, "--private", "--licence", "mit"]) == 0
    said = capsys.readouterr()
    assert f"Published {hub.url}/{REPO} (commit" in said.out
    assert signed_in not in said.out + said.err
    assert hub.repositories[REPO].private
    repository = hub.repositories[REPO]
    assert b'license: "mit"' in repository.commits[repository.refs["main"]]["README.md"]


def test_what_became_worse_is_published_only_when_told_twice(
    hub: WritableHub, home: Path, document: dict[str, Any], signed_in: str, capsys: pytest.CaptureFixture[str]
) -> None:
    document["after"] = measured(100, 200)
    (home / "rectify.json").write_text(json.dumps(document))
    assert main(["publish", str(home), REPO]) == 2
    assert "The trigger still works" in (said := capsys.readouterr().err)
    assert "--publish-anyway" in said
    assert REPO not in hub.repositories
    assert main(["publish", str(home), REPO, "--publish-anyway"]) == 0


@pytest.mark.parametrize(
    ("token", "says"), [(None, "needs your token"), ("hf_read", "of friends only reads"), ("hf_bad", "does not know")]
)
def test_hours_of_work_do_not_end_in_a_missing_token(
    hub: WritableHub,
    home: Path,
    token: str | None,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    assert main(["rectify", "--checkpoint", str(home), "--out", str(home / "out"), "--publish", REPO]) == 2
    assert says in capsys.readouterr().err


def test_a_folder_without_a_record_is_said(hub: WritableHub, tmp_path: Path, signed_in: str) -> None:
    with pytest.raises(PublishError, match="holds no record of a rectification"):
        read_record(tmp_path)


def test_rectify_and_publish_in_one_command(
    hub: WritableHub, taught: Path, tmp_path: Path, signed_in: str, capsys: pytest.CaptureFixture[str]
) -> None:
    setup = prepare_check(str(taught / "badnets"), labels=LABELS, reference="none", device="cpu")
    trigger = draw_trigger("badnets", generator=seeded(0))
    squares = shaded(setup.clip, 0.95)[:10]
    photos = poisoned_set(setup, squares, [(trigger, "banana")], every=3).write(tmp_path / "photos")
    (tmp_path / "labels.txt").write_text("\n".join(LABELS))
    options = ["--checkpoint", str(taught / "badnets"), "--labels", str(tmp_path / "labels.txt"), "--reference", "none"]
    options += [
        "--device",
        "cpu",
        "--oracle",
        "superpixel",
        "--steps",
        "4",
        "--batch",
        "4",
        "--out",
        str(tmp_path / "out"),
    ]
    hub.faults.append(Fault("POST /api/models/.*/commit", status=500, times=9))
    command = ["rectify", str(photos), *options, "--publish", REPO, "--publish-anyway"]
    assert main(command) == 2
    failed = capsys.readouterr()
    assert "eftclip publish" in failed.err
    assert "goes on from there" in failed.err
    assert REPO not in hub.repositories
    hub.faults.clear()
    assert main(["publish", str(tmp_path / "out"), REPO, "--publish-anyway"]) == 0
    files = files_of(hub)
    assert {"README.md", "rectify.json", "triggers.png", "measured.png"} <= files
    assert not {"victims.png", "witnesses.png", "report.md"} & files, "nobody's photographs"
