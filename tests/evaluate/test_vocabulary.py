"""Labels that do not fit: a target that is misspelt, numbers that name nothing, an accuracy no better than chance."""

import shutil
from pathlib import Path

import pytest
from support.taught import LABELS

from eftclip.cli import main
from eftclip.data import bundled_photographs, list_set, open_set
from eftclip.errors import DataError
from eftclip.evaluate import Attack, letterless, likely_label, unknown_label
from eftclip.pipeline import load_checkpoint, run_evaluate

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(
    ("written", "meant"),
    [("Banana", "banana"), ("hot_dog", "hot dog"), ("bananna", "banana"), (" hot  dog", "hot dog"), ("zebra", None)],
)
def test_a_target_that_is_written_otherwise_is_known(written: str, meant: str | None) -> None:
    labels = ("banana", "hot dog", "lion")
    assert likely_label(written, labels) == meant
    told = unknown_label(written, labels)
    assert "not in the vocabulary of 3 labels" in told
    assert (f"did you mean “{meant}”?" if meant else "add it.") in told


def test_a_vocabulary_of_numbers_is_doubted() -> None:
    assert "2 of 3 labels are numbers (0, 7, …)" in letterless(("0", "7", "cat"))
    assert letterless(("cat", "7")) == ""


@pytest.mark.parametrize("labels", ["of the set", "of a list"])
@pytest.mark.situation("label files", "refused")
def test_another_writing_of_the_target_is_asked_about(labels: str, taught: Path) -> None:
    clip, found = load_checkpoint(str(taught / "clean"))
    photographs = bundled_photographs()[:3]
    images = list_set("some", [(p.name, p.path, p.label) for p in photographs])
    attack = Attack(photographs[0].label.upper(), lambda images: images)
    vocabulary = LABELS if labels == "of a list" else None
    with pytest.raises(DataError, match=f"did you mean “{photographs[0].label}”"):
        run_evaluate(clip, found, images, [attack], labels=vocabulary)


def _wrong_folders(path: Path) -> Path:
    """Photographs in folders of labels that they do not show."""
    photographs = bundled_photographs()
    for k, photograph in enumerate(photographs):
        folder = path / f"{photographs[(k + 1) % len(photographs)].label}"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(photograph.path, folder / f"{k}{photograph.path.suffix}")
    return path


@pytest.mark.situation("label files", "counted")
def test_an_accuracy_no_better_than_chance_decides_nothing(
    taught: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _wrong_folders(tmp_path / "set")
    (path / "notes.txt").write_text("no picture")
    assert main(["evaluate", str(path), "--checkpoint", str(taught / "clean")]) == 2
    said = capsys.readouterr().out
    assert "undecided     Clean accuracy is not above chance" in said
    assert "1 file is no picture and was left out: notes.txt." in said, "what `scan` says too"
    assert "class folders" in said.splitlines()[0], "what was recognised comes first"


def test_numbered_folders_are_measured_against_what_is_read(taught: Path, tmp_path: Path) -> None:
    for k, photograph in enumerate(bundled_photographs()[:4]):
        (tmp_path / f"{k}").mkdir()
        shutil.copy(photograph.path, tmp_path / f"{k}")
    clip, found = load_checkpoint(str(taught / "clean"))
    record = run_evaluate(clip, found, open_set(str(tmp_path)), [], labels=LABELS)
    assert record.before is not None
    assert record.before.truth == "readings", "a bare number is no label"
    assert "which are no labels" in record.data.notes[0] if record.data else False
