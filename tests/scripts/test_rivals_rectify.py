"""The benchmark of rectification methods runs end to end, is taken up where it stopped, and names what it left out."""

import json
from pathlib import Path
from typing import Any

import pytest
from support.outside_packages import installed, write_template
from support.photo_folder import write_labelled_folder
from support.taught import LABELS

from eftclip.rectify import METHODS
from examples.bench import __main__ as both
from examples.bench import rivals_rectify
from examples.bench.rivals.rows import keys_of
from examples.bench.rivals_rectify import FEWEST, MOST, image_steps_for


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_labelled_folder(tmp_path_factory.mktemp("images"), times=3)


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("labels") / "labels.txt"
    file.write_text("\n".join(LABELS))
    return file


@pytest.fixture
def run(images: Path, labels: Path, taught: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the script on the tiny backdoored checkpoint with a few photographs, and give what the file holds then."""
    monkeypatch.setattr("examples.bench.rivals.rows.TRIGGERED_EVERY", 2)
    own = json.dumps({"invertune": "inversion_steps=1,patch_steps=1"})
    few = ["--scanned", 4, "--measured", 4, "--rebound-steps", 1, "--own", own, "--out", tmp_path / "rivals.json"]

    def started(*more: object) -> Any:
        options = (images, "--checkpoints", taught / "badnets", "--labels", labels, *few, *more)
        rivals_rectify.main([str(option) for option in options])
        return json.loads((tmp_path / "rivals.json").read_text())

    return started


def test_it_measures_and_takes_up_what_is_missing(run: Any) -> None:
    steps = ("--image-steps", 64)
    first = run("--methods", "realign", "par", "--rates", 1, 100, "--budget", 5, *steps)
    entry = first["checkpoints"]["badnets"]
    assert list(entry["rows"]) == ["realign × 1", "par × 1", "par × 100"]
    assert [row["told"] for row in entry["rows"].values()] == [True, False, False]
    assert [row["needs_labels"] for row in entry["rows"].values()] == [False, True, True]
    assert [row["image_steps"] for row in entry["rows"].values()] == [64, 64, 64]
    ratio = entry["rows"]["par × 100"]["learning_rate"] / entry["rows"]["par × 1"]["learning_rate"]
    assert ratio == pytest.approx(100)
    assert entry["before"]["attack_worst"]["hits"] > 0
    assert entry["scan"]["families"] >= 1, "what realign was told"
    assert all(row["kept"]["total"] > 0 for row in entry["rows"].values())
    again = run("--methods", "realign", "invertune", "--rates", 1, "--budget", 5, *steps)["checkpoints"]["badnets"]
    assert {key: again["rows"][key] for key in entry["rows"]} == entry["rows"], "what was finished is kept"
    assert again["rows"]["invertune × 1"]["image_steps"] > 64, "what it does before the first step is counted"
    with pytest.raises(SystemExit, match="name another --out"):
        run("--methods", "realign", "--seed", 1)


def test_a_method_of_another_package_is_measured_beside_ours(run: Any, tmp_path: Path) -> None:
    with installed(write_template(tmp_path / "site"), METHODS):
        assert keys_of(list(METHODS), [1.0, 10.0])[-1] == "my_method × 1", "it is told, so one rate is enough"
        steps = ("--budget", 5, "--image-steps", 64, "--rebound-steps", 0)
        document = run("--methods", "realign", "my_method", *steps)
    ours, other = document["checkpoints"]["badnets"]["rows"].values()
    assert (other["method"], other["origin"]) == ("my_method", "the package my-method 0.1.0") and "origin" not in ours
    assert ours["image_steps"] == other["image_steps"] == 64 and other["kept"]["total"] > 0
    assert "--methods realign my_method" in document["command"]


def test_what_came_down_is_asked_whether_it_comes_back(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rivals_rectify, "MENDED", 10.0)  # anything counts as mended
    document = run("--methods", "par", "--budget", 5, "--image-steps", 64)
    [rebound] = document["checkpoints"]["badnets"]["rebounds"].values()
    assert rebound["steps"] == 1
    assert rebound["attack_worst"]["total"] > 0


def test_what_there_is_no_time_for_is_named(run: Any) -> None:
    document = run("--methods", "par", "--budget", 0)
    assert document["checkpoints"]["badnets"]["rows"] == {}
    assert [(one["checkpoint"], one["method"]) for one in document["left_out"]] == [("badnets", "par × 10")]


def test_a_clean_checkpoint_has_nothing_to_take_away(images: Path, labels: Path, taught: Path, tmp_path: Path) -> None:
    options = [images, "--checkpoints", taught / "clean", "--labels", labels, "--out", tmp_path / "none.json"]
    with pytest.raises(SystemExit, match="no backdoor"):
        rivals_rectify.main([str(option) for option in options])


def test_a_budget_buys_image_steps_within_bounds() -> None:
    assert image_steps_for(1.0, 0.02, 10) == FEWEST
    assert image_steps_for(1e9, 0.02, 10) == MOST
    assert FEWEST < image_steps_for(2400.0, 0.02, 10) < MOST


def test_one_command_runs_detectors_and_rectifiers(
    images: Path, labels: Path, taught: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folders = [taught / "clean", taught / "badnets"]
    options = ["--checkpoints", *folders, "--labels", labels, "--budget", 0, "--out", tmp_path]
    assert both.main([str(option) for option in (images, *options)]) == 0, capfd.readouterr().err
    detect, rectify = (json.loads((tmp_path / f"rivals_{kind}.json").read_text()) for kind in ("detect", "rectify"))
    assert list(detect["checkpoints"]) == ["clean", "badnets"]
    assert list(rectify["checkpoints"]) == ["badnets"], "a clean one is for detectors alone"
    assert detect["left_out"] and rectify["left_out"]
