"""Publishing as typed: `eftclip publish`, and `eftclip rectify … --publish`."""

import json
from pathlib import Path
from typing import Any

import pytest
from support import publishing
from support.hub_faults import Fault
from support.hub_writing import WritableHub
from support.poisoned import poisoned_set
from support.publishing import REPO, files_of, measured
from support.taught import LABELS, shaded

from eftclip.cli import main
from eftclip.cli.publish import read_record
from eftclip.errors import PublishError
from eftclip.pipeline import prepare_check
from eftclip.runtime import seeded
from eftclip.triggers import draw_trigger

hub, home, document = publishing.hub, publishing.home, publishing.document  # fixtures
signed_in = publishing.signed_in


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
