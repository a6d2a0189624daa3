"""A result file that is missing or broken costs its own rows, and is named."""

import json
import shutil
from pathlib import Path

import pytest

from eftclip.benchmark import BOARDS, Section, read_document, read_sections, results_folder
from eftclip.benchmark import files as module
from eftclip.errors import ResultsError

pytestmark = pytest.mark.quick


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The committed files that leaderboards are made of, to be spoilt."""
    for beginning in BOARDS:
        for file in results_folder().glob(f"{beginning}*.json"):
            shutil.copy(file, tmp_path)
    return tmp_path


def _sections(folder: Path) -> dict[str, Section]:
    return {section.name: section for section in read_sections(folder)}


def test_committed_files_are_without_fault(folder: Path) -> None:
    sections = _sections(folder)
    assert list(sections) == list(BOARDS)
    assert all(section.boards and not section.faults for section in sections.values())
    assert all(board.rows for section in sections.values() for board in section.boards)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"schema_version": 1, ', "is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
        ('{"x": NaN}', "NaN is no number of JSON"),
        ("[]", "holds a list, and an object was expected"),
        ("{}", "is not built as expected (KeyError"),
        ('{"checkpoints": 3, "settings": [], "command": "", "commit": ""}', "is not built as expected"),
        ("\ud800", "is not valid JSON"),
    ],
    ids=["cut off", "deep", "nan", "list", "empty", "other types", "not utf-8"],
)
def test_a_broken_file_costs_its_own_table(folder: Path, text: str, told: str) -> None:
    (folder / "rivals_detect.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    sections = _sections(folder)
    assert sections["rivals_detect"].boards == ()
    (fault,) = sections["rivals_detect"].faults
    assert fault.startswith("rivals_detect.json") and told in fault and len(fault) < 400
    assert sections["rivals_rectify"].boards and not sections["rivals_rectify"].faults


def test_impossible_counts_are_a_fault(folder: Path) -> None:
    file = folder / "rivals_rectify.json"
    document = json.loads(file.read_text())
    entry = next(iter(document["checkpoints"].values()))
    next(iter(entry["rows"].values()))["kept"]["hits"] = 101
    file.write_text(json.dumps(document))
    assert "101 of 100" in _sections(folder)["rivals_rectify"].faults[0]


def test_one_broken_file_spoils_no_other_of_its_section(folder: Path) -> None:
    before = len(_sections(folder)["zoo_"].boards[0].rows)
    (folder / "zoo_zz.json").write_text("{")
    section = _sections(folder)["zoo_"]
    assert len(section.boards[0].rows) == before
    assert section.faults[0].startswith("zoo_zz.json is not valid JSON")


def test_a_missing_file_is_named(folder: Path) -> None:
    for file in folder.glob("rivals_rectify*.json"):
        file.unlink()
    section = _sections(folder)["rivals_rectify"]
    assert section.faults == ("There is no result file rivals_rectify*.json in examples/results.",)
    with pytest.raises(ResultsError, match=r"none\.json cannot be read"):
        read_document(folder / "none.json")


def test_what_is_too_large_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 10)
    with pytest.raises(ResultsError, match="at most 10 are read"):
        read_document(folder / "rivals_detect.json")


def test_another_file_of_the_kind_adds_its_rows(folder: Path) -> None:
    before = len(_sections(folder)["rivals_detect"].boards[0].rows)
    shutil.copy(folder / "rivals_detect.json", folder / "rivals_detect_more.json")
    board = _sections(folder)["rivals_detect"].boards[0]
    assert len(board.rows) == 2 * before
    assert [one.file for one in board.sources] == ["rivals_detect.json", "rivals_detect_more.json"]
