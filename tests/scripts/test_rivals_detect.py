"""The benchmark of detectors runs end to end, is taken up where it stopped, and its table says who does better."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from support.outside_packages import installed, write_package
from support.photo_folder import write_photo_folder
from support.taught import LABELS

from eftclip.benchmark.detect import pictures
from eftclip.config import InvertConfig
from eftclip.errors import ConfigError
from examples.bench import rivals_detect
from examples.bench.rivals import CHECKPOINT_DETECTORS, PICTURE_DETECTORS
from examples.bench.rivals.material import CannotBeJudgedError, attacks_of, divided
from examples.bench.rivals.ours import Audit
from examples.bench.rivals.plan import FEWEST, LEAST_PASSES, MOST, planned
from examples.bench.rivals.strip import Strip
from examples.build.results_page.boards import markdown_table


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photo_folder(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("labels") / "labels.txt"
    file.write_text("\n".join(LABELS))
    return file


def _run(images: Path, labels: Path, out: Path, checkpoints: Path, *more: str) -> dict[str, Any]:
    names = [str(checkpoints / name) for name in ("badnets", "clean")]
    trusted = ["--reference", str(checkpoints / "clean")]
    rivals_detect.main(
        [str(images), "--checkpoints", *names, "--labels", str(labels), "--out", str(out), *trusted, *more]
    )
    document: dict[str, Any] = json.loads(out.read_text())
    return document


def test_it_measures_and_takes_up_what_is_missing(
    images: Path, labels: Path, taught: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PICTURE_DETECTORS.ours, "strip", Strip(overlays=8))
    monkeypatch.setattr("examples.bench.rivals.plan.MOST", 3)
    out = tmp_path / "rivals.json"
    first = _run(images, labels, out, taught, "--methods", "strip", "bdetclip", "--budget", "5")
    assert list(first["checkpoints"]) == ["badnets", "clean"]
    badnets, clean = first["checkpoints"].values()
    success = badnets["attacks"]["banana"]["attack_success"]
    assert 0 < success["hits"] <= success["total"]
    for cell in badnets["picture_methods"].values():
        found = cell["targets"]["banana"]
        assert 0 <= found["auroc"] <= 1
        assert found["detected"]["calibrated"]["total"] == len(found["scores"]) > 0
        assert cell["false_alarms"]["calibrated"]["total"] == len(cell["scores"]["clean"]) == 3
    assert badnets["picture_methods"]["strip"]["forwards_per_picture"] == 8
    assert clean["attacks"] == {} and clean["picture_methods"]["strip"]["targets"] == {}
    again = _run(images, labels, out, taught, "--methods", "dao", "bdetclip", "eftclip", "--budget", "5")
    assert again["command"].count(" && ") == 1, "both commands are told"
    kept = again["checkpoints"]["badnets"]["picture_methods"]
    assert kept["bdetclip"] == badnets["picture_methods"]["bdetclip"], "what was finished is not measured again"
    assert list(kept) == ["bdetclip", "strip", "dao", "eftclip"], "the cheap ones first"
    assert len(kept["dao"]["scores"]["clean"]) == 3, "on as many pictures as before"
    assert kept["eftclip"]["targets"]["banana"]["label_named"]["hits"] > 0
    with pytest.raises(SystemExit, match="name another --out"):
        _run(images, labels, out, taught, "--seed", "1")


def test_what_there_is_no_time_for_is_named(images: Path, labels: Path, taught: Path, tmp_path: Path) -> None:
    document = _run(images, labels, tmp_path / "none.json", taught, "--methods", "decree", "--budget", "0")
    assert [(one["checkpoint"], one["method"]) for one in document["left_out"]] == [
        ("badnets", "decree"),
        ("clean", "decree"),
    ]
    assert document["checkpoints"]["badnets"]["checkpoint_methods"] == {}


def test_a_checkpoint_that_cannot_be_judged_is_named_and_the_others_are_measured(
    images: Path, labels: Path, taught: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = rivals_detect.subject

    def broken(folder: Path, *more: Any) -> Any:
        if folder.name == "badnets":
            raise CannotBeJudgedError("The checkpoint reads 0 of 14 reference photographs.")
        return judged(folder, *more)

    monkeypatch.setattr(rivals_detect, "subject", broken)
    document = _run(images, labels, tmp_path / "some.json", taught, "--methods", "dao", "--budget", "5")
    assert document["left_out"] == [
        {
            "checkpoint": "badnets",
            "method": "every method",
            "reason": "the checkpoint cannot be judged (The checkpoint reads 0 of 14 reference photographs)",
        }
    ]
    assert list(document["checkpoints"]["clean"]["picture_methods"]) == ["dao"]


def test_checkpoint_methods_say_what_they_accuse(
    images: Path, labels: Path, taught: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CHECKPOINT_DETECTORS.ours, "eftclip_audit", Audit(InvertConfig(starts=4)))
    out = tmp_path / "alone.json"
    document = _run(images, labels, out, taught, "--methods", "eftclip_audit", "--budget", "4")
    found = document["checkpoints"]["badnets"]["checkpoint_methods"]["eftclip_audit"]
    assert found["accused"] is True and found["targets_named"] == {"hits": 1, "total": 1, "low": 0.2065, "high": 1.0}
    assert found["forwards"] > 50
    assert document["checkpoints"]["clean"]["checkpoint_methods"]["eftclip_audit"]["targets_named"]["total"] == 0


OUTSIDE = """
from dataclasses import dataclass
from examples.bench.rivals.contract import CheckpointScore, PictureScores

@dataclass(frozen=True)
class Bright:
    name: str = "bright"
    passes: float = 1.0

    def prepare(self, given):
        return lambda images: PictureScores(images.mean((1, 2, 3)))

    def published(self, clean):
        return 0.0

@dataclass(frozen=True)
class Blunt:
    name: str = "blunt"
    passes: float = 1.0
    threshold: float = 0.5

    def within(self, passes):
        return self

    def judge(self, given):
        return CheckpointScore(1.0, ("banana",))

BRIGHT, BLUNT = Bright(), Blunt()
"""


def test_detectors_of_another_package_are_in_the_benchmark(
    images: Path, labels: Path, taught: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    points = {
        "eftclip.picture_detectors": {"bright": "toys:BRIGHT", "wrong": "toys:BLUNT"},
        "eftclip.checkpoint_detectors": {"blunt": "toys:BLUNT"},
    }
    site, out = write_package(tmp_path / "site", "toys", {"toys": OUTSIDE}, points), tmp_path / "toys.json"
    with installed(site, PICTURE_DETECTORS, CHECKPOINT_DETECTORS):
        assert [*PICTURE_DETECTORS][-1:] + [*CHECKPOINT_DETECTORS][-1:] == ["bright", "blunt"]
        document = _run(images, labels, out, taught, "--methods", "bright", "blunt", "--budget", "2")
        with pytest.raises(ConfigError, match=r"'wrong' of the package toys .*expected a PictureDetector, got .*Blunt"):
            PICTURE_DETECTORS.asked("wrong")
    badnets = document["checkpoints"]["badnets"]
    assert badnets["picture_methods"]["bright"]["origin"] == "the package toys 0.3"
    assert badnets["picture_methods"]["bright"]["false_alarms"]["published"]["hits"] > 0
    assert badnets["checkpoint_methods"]["blunt"]["targets_named"]["hits"] == 1
    assert document["checkpoints"]["clean"]["checkpoint_methods"]["blunt"]["accused"] is True
    with pytest.raises(SystemExit):
        _run(images, labels, out, taught, "--methods", "bright")
    assert "invalid choice: 'bright'" in capsys.readouterr().err, "once it is uninstalled"


def test_a_budget_is_divided() -> None:
    small = planned(60, 0.02, [1, 0], PICTURE_DETECTORS, CHECKPOINT_DETECTORS)
    assert small.pictures == FEWEST and small.passes == LEAST_PASSES and len(small.checkpoint_methods) < 3
    large = planned(6e5, 0.02, [1, 0], PICTURE_DETECTORS, CHECKPOINT_DETECTORS)
    assert large.pictures == MOST and large.checkpoint_methods == tuple(CHECKPOINT_DETECTORS)
    between = planned(1200, 0.02, [1, 0], PICTURE_DETECTORS, {})
    assert FEWEST < between.pictures < MOST and between.checkpoint_methods == ()


def test_no_photograph_is_in_two_sets(images: Path) -> None:
    photos = divided(images, 2, seed=0)
    sets = [photos.defender, photos.calibration, photos.clean, photos.hosts]
    names = [photo.name for some in sets for photo in some]
    assert len(names) == len(set(names)) and all(sets)
    assert divided(images, 2, seed=0) == photos != divided(images, 2, seed=1)


def test_only_checkpoints_are_judged_of_which_the_truth_is_known(taught: Path, tmp_path: Path) -> None:
    assert [attack.target for attack in attacks_of(taught / "badnets")] == ["banana"]
    assert attacks_of(taught / "clean") == []
    with pytest.raises(SystemExit, match="nothing is known"):
        attacks_of(Path(shutil.copytree(taught / "clean", tmp_path / "stranger")))


def _cell(area: float, found: int) -> dict[str, Any]:
    rate = {"hits": found, "total": 4, "low": 0.0, "high": 1.0}
    none = {**rate, "hits": 0}
    return {
        "commit": "1111111",
        "forwards_per_picture": 10.0 - found,
        "seconds_per_picture": 1.0,
        "false_alarms": {"published": None, "calibrated": none},
        "targets": {
            "banana": {
                "auroc": area,
                "detected": {"published": None, "calibrated": rate},
                "iou_mean": None,
                "label_named": None,
            }
        },
    }


def test_who_does_best_is_bold_whoever_it_is() -> None:
    methods = {"eftclip": _cell(0.9, 4), "strip": _cell(0.95, 3), "dao": _cell(0.8, 4)}
    document: dict[str, Any] = {
        "command": "python -m examples.bench.rivals_detect",
        "commit": "1111111",
        "settings": {"pictures": 4, "labels": "imagenet", "false_alarms": 0.05},
        "checkpoints": {"badnets": {"sha256": "ab" * 32, "attacks": {"banana": {}}, "picture_methods": methods}},
    }
    ours, strip, dao = _rows(document)
    area, found, accused = "AUROC", "found, calibrated", "clean accused, calibrated"
    assert [row[area] for row in (ours, strip, dao)] == ["0.90", "**0.95**", "0.80"]
    assert [row[found] for row in (ours, strip, dao)] == ["**4 of 4**", "3 of 4", "**4 of 4**"], "as good is bold, too"
    assert [row[accused] for row in (ours, strip, dao)] == ["0 of 4"] * 3, "where all are alike, none is"
    assert ours["found, published"] == "–", "what was not measured is no rate"
    for rival in ("strip", "dao"):
        methods.pop(rival)
    assert all("**" not in cell for row in _rows(document) for cell in row.values()), "nothing to be held against"


def _rows(document: dict[str, Any]) -> list[dict[str, str]]:
    """The cells of the table by the titles of their columns."""
    titles, _, *rows = (
        line.strip("| ").split(" | ") for line in markdown_table(pictures({"rivals": document})).splitlines()
    )
    return [dict(zip(titles, row, strict=True)) for row in rows]
