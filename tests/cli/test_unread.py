"""What cannot be read leaves nothing decided, unless the user allows for it: `check` and `evaluate`."""

import json
from pathlib import Path
from typing import Any

import pytest
from support.packed import folder, png
from support.taught import LABELS

from eftclip.cli import main
from eftclip.data import bundled_photographs, list_pictures
from eftclip.pipeline import Attack, load_checkpoint, run_evaluate
from eftclip.report import run_document, run_markdown

BANANA = Attack("banana", lambda images: images)


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Two photographs in folders that are their labels, one that is cut off, and one that is hidden."""
    by_name = {p.name: p for p in bundled_photographs()}
    files = {f"{by_name[name].label}/{name}.png": by_name[name].path.read_bytes() for name in ("Cat", "Coffee")}
    return folder(tmp_path / "set", files)


def _break(photographs: Path) -> Path:
    return folder(photographs, {"cat/torn.jpg": b"\xff\xd8\xff torn", "cat/.hidden": png(1)})


def test_a_check_exits_2_when_anything_below_its_folder_was_not_read(
    photographs: Path, taught: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "labels.txt").write_text("\n".join(LABELS))
    known = ["--checkpoint", str(taught / "clean"), "--labels", str(tmp_path / "labels.txt"), "--reference", "none"]
    command = ["check", str(_break(photographs)), *known, "--oracle", "superpixel", "--json", str(tmp_path / "c.json")]
    assert main(command) == 2
    said = capsys.readouterr().out
    assert "2 of 4 samples were not read (1 damaged or of no kind that is read" in said
    assert ".hidden is hidden and was left out" in said
    account: dict[str, Any] = json.loads((tmp_path / "c.json").read_text())["account"]
    assert (account["held"], account["judged"], account["unread"], account["allowed_unread"]) == (4, 2, 2, 0)
    assert main([*command, "--allow-unread", "1"]) == 2
    capsys.readouterr()
    assert main([*command, "--allow-unread", "2"]) == 0
    assert "which was allowed" in capsys.readouterr().out
    assert len(list_pictures([photographs])) == 3


def test_an_evaluation_with_unread_pictures_decides_nothing(photographs: Path, taught: Path) -> None:
    from eftclip.data import open_set

    clip, found = load_checkpoint(str(taught / "clean"))
    images = open_set(str(_break(photographs)))
    record = run_evaluate(clip, found, images, [BANANA], labels=LABELS)
    assert "2 of 4 samples were not read" in record.undecided
    document = run_document(record)
    assert (document["status"], document["account"]["judged"]) == ("inconclusive", 2)
    assert {fault["kind"] for fault in document["faults"]} == {"corrupt", "left_out"}
    assert "**Inconclusive.**" in run_markdown(document)
    allowed = run_evaluate(clip, found, images, [BANANA], labels=LABELS, allow_unread=2)
    assert "not read" not in allowed.undecided
    assert any("2 of 4 samples were not read" in doubt for doubt in run_document(allowed)["before"]["warnings"])
