"""`scan`, `rectify` and `evaluate` as typed, on a tiny backdoored CLIP: exit codes, files, and taking up again."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from PIL import Image
from support import forked
from support.poisoned import poisoned_set
from support.taught import LABELS, shaded

from eftclip.checkpoint import load_clip
from eftclip.cli import main
from eftclip.data import bundled_photographs
from eftclip.pipeline import CheckSetup, prepare_check
from eftclip.runtime import seeded
from eftclip.triggers import draw_trigger

Run = Callable[..., int]
IN_BLOCKS = Path(__file__).resolve().parents[1] / "support" / "in_blocks.py"
BLOCK = 8


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("labels") / "labels.txt"
    path.write_text("\n".join(LABELS))
    return path


@pytest.fixture(scope="module")
def setup(taught: Path) -> CheckSetup:
    return prepare_check(str(taught / "badnets"), labels=LABELS, reference="none", device="cpu")


@pytest.fixture(scope="module")
def poisoned_folder(setup: CheckSetup, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty photographs, every fifth with a trigger, and a file that is no picture."""
    trigger = draw_trigger("badnets", generator=seeded(0))
    squares = torch.cat([shaded(setup.clip, shade) for shade in (1.0, 0.95)])[:20]
    folder = poisoned_set(setup, squares, [(trigger, "banana")]).write(tmp_path_factory.mktemp("sets") / "poisoned")
    (folder / "broken.jpg").write_text("not a picture")
    return folder


@pytest.fixture(scope="module")
def clean_folder(setup: CheckSetup, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return poisoned_set(setup, shaded(setup.clip, 0.95)[:8], []).write(tmp_path_factory.mktemp("sets") / "clean")


@pytest.fixture
def run(taught: Path, labels: Path) -> Run:
    """Run a command on the tiny backdoored CLIP and give its exit code."""

    def command(name: str, *more: object) -> int:
        known = ["--checkpoint", taught / "badnets", "--device", "cpu"]
        judges = ["--labels", labels, "--oracle", "superpixel", "--reference", taught / "clean"]
        return main([str(part) for part in (name, *more, *known, *(judges if name != "evaluate" else ()))])

    return command


def _json(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text())
    return document


# --- scan ---


def test_a_scan_names_everything_and_writes_what_was_asked_for(
    run: Run, poisoned_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, other = tmp_path / "out", tmp_path / "other" / "scan.json"
    assert run("scan", poisoned_folder, "--out", out, "--json", other) == 1
    document = _json(other)
    assert (document["schema_version"], document["kind"], document["status"]) == (1, "scan", "found")
    assert document["affected_labels"] == ["banana"]
    assert {victim["shown_label"] for victim in document["victims"]} == {"banana"}
    assert document["victims"][0]["image"].endswith(".png")
    assert document["coverage"]["corrupt"] == 1
    assert "broken.jpg" in [fault["image"] for fault in document["faults"] if fault["kind"] == "corrupt"]
    family = document["families"][0]
    assert family["transplant"]["hits"] > 0
    assert Image.open(other.parent / family["exemplars"][0]).mode == "RGBA"
    assert (out / "report.md").read_text().startswith("# Scan of a data set")
    assert {path.name for path in out.glob("*.png")} == {"triggers.png", "victims.png"}
    said = capsys.readouterr().out
    assert "TRIGGER" in said
    assert "forces “banana”" in said
    assert "broken.jpg" in said


def test_a_check_by_the_papers_algorithm_says_so(
    run: Run, clean_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = sorted(clean_folder.glob("*.png"))[0]
    out = tmp_path / "check"
    code = run("check", picture, "--algorithm", "paper", "--out", out)
    document = _json(out / "check.json")
    [result] = document["results"]
    assert (document["config"]["algorithm"], result["algorithm"]) == ("paper", "paper")
    assert code == {"found": 1, "not_found": 0, "inconclusive": 2}[result["status"]]
    assert "paper's rule" in result["reason"]
    assert "Algorithm: paper." in capsys.readouterr().out
    assert "the paper's Algorithm 1 as published" in (out / "report.md").read_text()


def test_a_scan_by_the_papers_algorithm_claims_no_more_than_that_looked_for(
    run: Run, clean_folder: Path, tmp_path: Path
) -> None:
    run("scan", clean_folder, "--out", tmp_path, "--algorithm", "paper", "--search", "every")
    document = _json(tmp_path / "scan.json")
    assert document["config"]["detect"]["algorithm"] == "paper"
    assert document["coverage"]["searched"] > 0
    assert document["kinds"]["pattern"] == document["kinds"]["colour"] == "not_searched"
    assert document["kinds"]["patch"] != "not_searched"
    assert "the paper's Algorithm 1 as published" in (tmp_path / "report.md").read_text()


def test_the_curated_set_is_exported_as_a_data_set(run: Run, poisoned_folder: Path, tmp_path: Path) -> None:
    assert run("scan", poisoned_folder, "--out", tmp_path, "--budget", 16) == 1
    with (tmp_path / "curated" / "metadata.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 16
    assert {row["role"] for row in rows} == {"victim", "control"}
    assert all(row["reason"].endswith(".") for row in rows)
    for row in rows:
        assert Image.open(tmp_path / "curated" / row["file_name"]).size == (96, 96)


def test_a_folder_without_a_trigger_exits_0(run: Run, clean_folder: Path, tmp_path: Path) -> None:
    assert run("scan", clean_folder, "--json", tmp_path / "scan.json") == 0
    document = _json(tmp_path / "scan.json")
    assert (document["status"], document["families"], document["victims"]) == ("not_found", [], [])
    assert "curated" not in document


def test_a_scan_of_suspicious_samples_alone_cannot_acquit(run: Run, clean_folder: Path) -> None:
    assert run("scan", clean_folder, "--search", "suspicious") == 2


def test_the_same_command_takes_up_a_scan(
    run: Run, poisoned_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eftclip.identify.scanner.BLOCK", 4)
    assert run("scan", poisoned_folder, "--out", tmp_path) == 1
    whole, journal = _json(tmp_path / "scan.json"), tmp_path / "scan.journal"
    lines = journal.read_text().splitlines(keepends=True)
    assert len(lines) == 7, "a header and six blocks"
    journal.write_text("".join(lines[:3]))
    read: list[str] = []
    monkeypatch.setattr("eftclip.identify.reading._read", _counting(read))
    assert run("scan", poisoned_folder, "--out", tmp_path) == 1
    again = _json(tmp_path / "scan.json")
    assert {**again, "costs": None} == {**whole, "costs": None}
    assert len(read) == 13, "eight of twenty-one were done"


@pytest.mark.slow
def test_two_processes_that_torchrun_starts_find_what_one_finds(
    run: Run, taught: Path, labels: Path, poisoned_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eftclip.identify.scanner.BLOCK", BLOCK)
    assert run("scan", poisoned_folder, "--json", tmp_path / "one.json") == 1
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", str(IN_BLOCKS), str(BLOCK)]
    options = ["--checkpoint", taught / "badnets", "--device", "cpu", "--labels", labels, "--oracle", "superpixel"]
    command = ["scan", poisoned_folder, *options, "--reference", taught / "clean", "--json", tmp_path / "two.json"]
    command += ["--out", tmp_path / "two"]  # with a journal, which only the leading one writes
    done = forked.run([*launcher, *command], apart=True)
    one, two = _json(tmp_path / "one.json"), _json(tmp_path / "two.json")
    assert (one["processes"], two["processes"]) == (1, 2), done.stderr
    exempt = {"processes": None, "costs": None, "families": None}
    assert {**two, **exempt} == {**one, **exempt}
    assert [family["transplant"] for family in two["families"]] == [family["transplant"] for family in one["families"]]
    assert _forwards(two) == _forwards(one)
    assert done.stdout.count("forces “banana”") == len(two["families"]), "only the leading process speaks"


def _forwards(document: dict[str, Any]) -> dict[str, int]:
    return {cost["stage"]: cost["image_forwards"] for cost in document["costs"]}


def _counting(read: list[str]) -> Callable[..., Any]:
    from eftclip.identify import reading

    original = reading._read

    def counted(entry: Any, decode: Any) -> Any:
        read.append(entry.name)
        return original(entry, decode)

    return counted


def test_another_scan_in_the_same_folder_is_refused(
    run: Run, poisoned_folder: Path, clean_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("scan", clean_folder, "--out", tmp_path) == 0
    assert run("scan", poisoned_folder, "--out", tmp_path) == 2
    assert "another scan" in capsys.readouterr().err


@pytest.mark.parametrize("data", ["nowhere", "empty"])
def test_nothing_to_scan_is_an_error_and_never_clean(
    data: str, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert run("scan", tmp_path / data) == 2
    assert capsys.readouterr().err.count("\n") == 1


# --- rectify ---


@pytest.fixture(scope="module")
def options(taught: Path, labels: Path) -> list[object]:
    """The tiny backdoored CLIP and its judges."""
    known = ["--checkpoint", taught / "badnets", "--device", "cpu", "--labels", labels, "--oracle", "superpixel"]
    return [*known, "--reference", taught / "clean"]


@pytest.fixture(scope="module")
def scanned(options: list[object], poisoned_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a scan."""
    out = tmp_path_factory.mktemp("scanned") / "out"
    assert main([str(part) for part in ("scan", poisoned_folder, "--out", out, *options)]) == 1
    return out


@pytest.fixture(scope="module")
def mended(
    options: list[object], scanned: Path, poisoned_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder of a rectification."""
    out = tmp_path_factory.mktemp("mended") / "out"
    fast = ["--steps", "8", "--batch", "8", "--check-every", "4", "--learning-rate", "1e-3"]
    typed = ("rectify", poisoned_folder, "--scanned", scanned, "--out", out, *options, *fast)
    assert main([str(part) for part in typed]) == 1
    return out


def test_pictures_that_were_scanned_are_not_scanned_again(
    run: Run, scanned: Path, poisoned_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = (scanned / "scan.journal").read_bytes()
    read: list[str] = []
    monkeypatch.setattr("eftclip.identify.reading._read", _counting(read))
    fast = ["--steps", 1, "--batch", 4, "--measured", 40]
    assert run("rectify", poisoned_folder, "--scanned", scanned, "--out", tmp_path, *fast) == 1
    assert read == []
    found, before = _json(tmp_path / "rectify.json"), _json(scanned / "scan.json")
    assert [found[part] for part in ("families", "victims")] == [before[part] for part in ("families", "victims")]
    assert (scanned / "scan.journal").read_bytes() == journal


def test_a_scan_that_is_none_or_of_something_else_is_not_gone_on_from(
    run: Run, scanned: Path, clean_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(*typed: object) -> str:
        assert run("rectify", *typed, "--out", tmp_path / "out") == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        return said

    assert "--scanned is the scan of a data set; name that DATA too." in told("--scanned", scanned)
    assert f"{tmp_path} holds no scan; `eftclip scan DATA --out" in told(clean_folder, "--scanned", tmp_path)
    assert not (tmp_path / "out").exists(), "nothing was begun"
    told_apart = told(clean_folder, "--scanned", scanned)
    assert f"{scanned / 'scan.journal'} is the journal of another scan" in told_apart
    assert not (tmp_path / "out" / "work" / "scan.journal").exists(), "without it the command works"


def test_the_folder_is_a_checkpoint_that_open_clip_loads(mended: Path, taught: Path) -> None:
    document = _json(mended / "rectify.json")
    assert document["kind"] == "rectify"
    clip = load_clip(str(mended), device=torch.device("cpu"))
    assert clip.ref.sha256 == document["rectified"]["sha256"] != document["checkpoint"]["sha256"]
    assert document["checkpoint"]["sha256"] == load_clip(str(taught / "badnets")).ref.sha256, "the input is untouched"
    open_clip.create_model_from_pretrained(f"local-dir:{mended}")


def test_before_and_after_are_measured_with_counts(mended: Path) -> None:
    document = _json(mended / "rectify.json")
    assert document["attack"] == document["after"]["attack"]
    assert document["before"]["attack"]["total"] == document["after"]["attack"]["total"] > 0
    assert document["after"]["attack"]["hits"] < document["before"]["attack"]["hits"]
    assert document["before"]["victims"]["hits"] > document["after"]["victims"]["hits"]
    for rate in (document["clean"], document["attack"], document["poisoned"]):
        assert set(rate) == {"hits", "total", "low", "high"}
    assert [cost["stage"] for cost in document["costs"]] == [
        "scan",
        "curate",
        "measure before",
        "rectify",
        "write",
        "measure after",
    ]
    assert document["costs"][3]["image_steps"] == document["rectified"]["image_steps"] == 8 * 16
    assert [look["step"] for look in document["rectified"]["history"]] == [4, 8]
    assert [path.name for path in (mended / "work").iterdir()] == ["scan.journal"], "what was only for a kill is gone"


def test_a_rival_is_chosen_by_name_and_named_in_record_card_and_report(
    run: Run, scanned: Path, poisoned_folder: Path, tmp_path: Path
) -> None:
    fast = ["--method", "fineprune", "--own", "drop=0.5", "--steps", 2, "--batch", 4, "--scanned", scanned]
    assert run("rectify", poisoned_folder, "--out", tmp_path, *fast) == 1
    document = _json(tmp_path / "rectify.json")
    done, config = document["rectified"], document["config"]["rectify"]
    assert (done["method"], done["trains_text"], done["stopped"], done["steps"]) == ("fineprune", True, "steps", 2)
    assert (config["own"], config["steps"], config["learning_rate"]) == ("drop=0.5", 2, 1e-5)
    assert "channels of transformer.resblocks" in done["remark"]
    for text in ((tmp_path / "README.md").read_text(), (tmp_path / "report.md").read_text()):
        assert "Method `fineprune`" in text and "channels of transformer" in text


def test_a_card_a_report_and_pictures_go_with_it(mended: Path) -> None:
    card = (mended / "README.md").read_text()
    assert card.startswith('---\nlibrary_name: "open_clip"\n')
    assert "banana" in card
    assert _json(mended / "rectify.json")["rectified"]["sha256"] in card
    assert "does not say that the checkpoint has none" in card
    assert (mended / "report.md").read_text().startswith("# Rectification of a CLIP checkpoint")
    pictures = {path.name for path in mended.glob("*.png")}
    assert pictures == {"triggers.png", "victims.png", "curve.png", "measured.png", "witnesses.png"}


def test_with_nothing_found_nothing_is_changed(run: Run, clean_folder: Path, tmp_path: Path) -> None:
    assert run("rectify", clean_folder, "--out", tmp_path, "--json", tmp_path / "r.json") == 0
    assert not (tmp_path / "open_clip_model.safetensors").exists()
    assert "nothing to rectify" in _json(tmp_path / "r.json")["conclusion"]


@pytest.mark.quick
def test_a_checkpoint_alone_is_audited(run: Run, tmp_path: Path) -> None:
    """No data set: its bundled photographs are scanned, then a trigger is looked for in the weights."""
    fast = ["--steps", "4", "--batch", "4", "--check-every", "4", "--measured", "40"]
    fast += ["--audit-steps", "20", "--audit-patience", "1", "--audit-exemplars", "1"]
    code = run("rectify", "--out", tmp_path, *fast)
    document = _json(tmp_path / "rectify.json")
    assert document["data"] is None
    assert [cost["stage"] for cost in document["costs"]][:2] == ["scan", "invert"]
    assert document["coverage"]["read"] == len(bundled_photographs())
    assert all(family["origin"] == "inverted" for family in document["families"])
    assert all(len(family["exemplars"]) == 1 for family in document["families"])
    assert bool(document["families"]) == (tmp_path / "open_clip_model.safetensors").exists() == (code == 1)


# --- evaluate ---


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets") / "labelled"
    folder.mkdir()
    with (folder / "metadata.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["file_name", "label"])
        for k, photograph in enumerate(bundled_photographs()):
            shutil.copy(photograph.path, folder / f"{k}{photograph.path.suffix}")
            table.writerow([f"{k}{photograph.path.suffix}", photograph.label])
    return folder


def test_an_evaluation_measures_ca_asr_and_pa(
    run: Run, labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    attack = ["--trigger", "badnets", "--target", "banana"]
    assert run("evaluate", labelled, *attack, "--json", tmp_path / "e.json", "--out", tmp_path / "out") == 0
    document = _json(tmp_path / "e.json")
    assert document["kind"] == "evaluate"
    assert document["clean"]["total"] == document["attack"]["total"] == len(bundled_photographs())
    assert document["attack"]["hits"] > document["poisoned"]["hits"]
    assert document["before"]["truth"] == "labels"
    assert document["labels"] == {"count": len(LABELS), "source": "the set"}
    assert any("Only 14 pictures" in doubt for doubt in document["before"]["warnings"])
    assert (tmp_path / "out" / "measured.png").is_file()
    said = capsys.readouterr().out
    assert "ASR" in said
    assert "Only 14 pictures" in said


def test_an_evaluation_without_a_trigger_measures_ca(run: Run, labelled: Path, tmp_path: Path) -> None:
    assert run("evaluate", labelled, "--json", tmp_path / "e.json") == 0
    assert _json(tmp_path / "e.json")["attack"]["total"] == 0


def test_a_rebound_is_measured_after_innocent_fine_tuning(run: Run, labelled: Path, tmp_path: Path) -> None:
    attack = ["--trigger", "badnets", "--target", "banana", "--rebound", labelled, "--rebound-steps", "2"]
    assert run("evaluate", labelled, *attack, "--json", tmp_path / "e.json") == 0
    document = _json(tmp_path / "e.json")
    assert document["rebound"]["attack"]["total"] == document["before"]["attack"]["total"]
    assert [cost["stage"] for cost in document["costs"]] == ["measure", "fine-tune", "measure rebound"]


def test_a_set_without_labels_is_measured_against_its_readings(run: Run, clean_folder: Path, labels: Path) -> None:
    assert run("evaluate", clean_folder, "--labels", labels, "--trigger", "badnets", "--target", "banana") == 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--trigger", "badnets"], "needs its --target"),
        (["--trigger", "magic", "--target", "banana"], "Unknown trigger"),
        (["--trigger", "badnets", "--target", "banana", "--patch-px", "2"], "4 to 112"),
    ],
)
def test_what_cannot_be_evaluated_is_said(
    options: list[str], says: str, run: Run, labelled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("evaluate", labelled, *options) == 2
    assert says in capsys.readouterr().err
