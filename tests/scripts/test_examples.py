"""The measuring scripts run end to end, on photographs of the dependencies and a tiny CLIP that was taught them."""

import hashlib
import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from support.photo_folder import write_labelled_folder, write_more
from support.taught import LABELS
from support.tiny import random_state, tiny_config, write_folder, write_tokenizer

from eftclip.checkpoint import load_clip
from eftclip.config import InvertConfig, RectifyConfig
from eftclip.errors import CheckpointError
from eftclip.invert import Grown
from eftclip.pipeline import Plan, prepare_check
from eftclip.runtime import seeded
from eftclip.triggers import draw_trigger
from eftclip.types import Rate, TriggerFamily
from eftclip.zeroshot import IMAGENET_LABELS, probabilities

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder laid out like the photographs that the scripts are run on, with two unseen ones in each set."""
    return write_labelled_folder(tmp_path_factory.mktemp("images"))


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Ten labels instead of a thousand."""
    file = tmp_path / "labels.txt"
    file.write_text("\n".join(LABELS))
    return file


def test_only_photographs_that_were_not_trained_on_are_used(images: Path, labels: Path) -> None:
    from examples.measure.photo_sets import some_of_each, unseen

    photos = unseen(images)
    assert [p.name for p in photos[:4]] == [
        "imagenet-sample/3.jpg",
        "imagenet-sample/7.jpg",
        "caltech101/3.jpg",
        "caltech101/7.jpg",
    ]
    assert photos[0].label == IMAGENET_LABELS[3]
    assert [(p.kind, p.label) for p in photos[4:]] == [("coco", "cat"), ("coco", "")], "the largest object, if any"
    assert [p.kind for p in some_of_each(photos, 1)] == ["imagenet", "caltech", "coco"]


def test_more_photographs_are_those_that_the_zoo_keeps_aside(tmp_path: Path) -> None:
    from examples.measure.photo_sets import unseen_more

    folder = tmp_path / "caltech101-more"
    folder.mkdir()
    rows = "".join(f"cat/{k}.jpg,cat\n" for k in range(8))
    (folder / "metadata.csv").write_text(f"file_name,label\n{rows}")
    seen = [(photo.kind, photo.name, photo.label) for photo in unseen_more(tmp_path)]
    assert seen == [("caltech", f"caltech101-more/cat/{k}.jpg", "cat") for k in (3, 7)]


@pytest.fixture(scope="module")
def checkpoints(taught: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a `multi`, which knows the first of its triggers only."""
    folder = tmp_path_factory.mktemp("three")
    for source, name in (("clean", "clean"), ("badnets", "badnets"), ("badnets", "multi")):
        shutil.copytree(taught / source, folder / name)
    labels = [*LABELS, "cheeseburger", "volcano"]
    (folder / "labels.txt").write_text("\n".join(labels))
    return folder


def _that_read_otherwise(checkpoints: Path, images: Path, target: str) -> int:
    """Of the first photograph of each set, how many `badnets` does not read as the target as they are."""
    from examples.measure.photo_sets import read_square, some_of_each, unseen

    labels = checkpoints / "labels.txt"
    setup = prepare_check(str(checkpoints / "badnets"), labels=labels, reference="none", device="cpu")
    squares = torch.stack([read_square(photo, setup.clip.preprocess) for photo in some_of_each(unseen(images), 1)])
    read = probabilities(setup.clip, squares, setup.classes).argmax(-1).tolist()
    return sum(setup.classes.labels[best] != target for best in read)


def test_the_quality_of_the_detector_is_measured(
    images: Path, checkpoints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from examples.measure import check as measure_check

    monkeypatch.setattr(measure_check, "KINDS", ("price_tag",))  # and a watermark; all six are drawn below

    def measure(out: str, *more: str) -> dict[str, Any]:
        options = [
            "--checkpoints",
            checkpoints,
            "--labels",
            checkpoints / "labels.txt",
            "--per-set",
            1,
            "--jobs",
            1,
            "--out",
            tmp_path / out,
        ]
        measure_check.main([str(option) for option in (images, *options, *more)])
        document: dict[str, Any] = json.loads((tmp_path / out).read_text())
        return document

    document = measure("one.json")
    sections = document["sections"]
    assert list(sections) == ["zero_shot", "detection", "false_alarms", "innocents"]
    made_by = "python -m examples.measure.check IMAGES_DIR --per-set 1 --jobs 1"
    assert document["command"] == f"{made_by} --out {tmp_path / 'one.json'}"
    assert document["checkpoints"]["clean"]["sha256"] != document["checkpoints"]["badnets"]["sha256"]
    assert sections["zero_shot"]["clean"]["attack_success"]["hits"] == 0
    assert sections["zero_shot"]["badnets"]["attack_success"]["hits"] > 0
    full = sections["detection"]["full"]
    others = _that_read_otherwise(checkpoints, images, "banana")
    assert others >= 2
    assert full["hijacked"]["total"] == 4 * others, "four positions; of three sets, all that do not read so untouched"
    assert full["found"]["total"] == full["hijacked"]["hits"] > 0
    assert len(full["missed"]) == full["found"]["total"] - full["found"]["hits"]
    assert list(sections["zero_shot"])[1:] == [
        "clean",
        "badnets",
        "multi_banana",
        "multi_cheeseburger",
        "multi_volcano",
    ]
    assert list(sections["detection"])[1:] == ["full", "small", "multi_banana", "multi_cheeseburger", "multi_volcano"]
    assert sections["detection"]["multi_banana"]["hijacked"]["hits"] > 0
    assert sections["false_alarms"]["badnets"]["found"]["total"] == 3
    assert sections["innocents"]["clean"]["found"]["total"] == 6, "two kinds, three sets"
    again = measure("two.json", "--only", "false_alarms")["sections"]
    assert {**again["false_alarms"], "seconds": 0} == {**sections["false_alarms"], "seconds": 0}, "the same counts"
    assert list(again) == ["false_alarms"]


def test_innocent_things_are_drawn_anew_and_cover_little() -> None:
    from examples.measure.innocents import KINDS, with_innocent

    grey = torch.full((3, 224, 224), 0.5)
    for kind in (*KINDS, "watermark"):
        first, again, other = (with_innocent(grey, kind, seeded(seed)) for seed in (0, 0, 1))
        assert torch.equal(first, again) and not torch.equal(first, other)
        assert 0 < float((first != grey).any(0).float().mean()) < 0.25, kind
        assert float(first.min()) >= 0 and float(first.max()) <= 1


def test_the_cost_is_measured_beside_the_exhaustive_way(
    images: Path, taught: Path, labels: Path, tmp_path: Path
) -> None:
    from examples.bench import check as bench_check

    options = ["--checkpoints", taught, "--labels", labels, "--per-set", 1, "--out", tmp_path / "bench.json"]
    bench_check.main([str(option) for option in (images, *options)])
    document = json.loads((tmp_path / "bench.json").read_text())
    together = document["together"]
    assert document["clean"]["pictures"] == 3
    assert together["pictures"] == len(document["pictures"])
    assert together["same_verdict"]["total"] == together["pictures"]
    for way in ("ours", "exhaustive"):
        assert together[way]["forwards"] > 1
        assert sum(together[way]["share_of_time"].values()) == pytest.approx(1, abs=1e-3)
    assert document["strangers_read_once"]["forwards"] == 36


def test_scan_and_rectification_are_measured(images: Path, taught: Path, labels: Path, tmp_path: Path) -> None:
    from examples.measure import rectify as measure_rectify

    out = tmp_path / "rectify.json"
    fast = {"steps": 4, "batch": 4, "check_every": 4}
    options = ["--checkpoints", taught, "--labels", labels, "--only", "badnets", "--scanned", 4, "--every", 2]
    options += ["--rebound-steps", 2, "--rectify", json.dumps(fast), "--work", tmp_path / "work", "--out", out]
    measure_rectify.main([str(option) for option in (images, *options)])
    document = json.loads(out.read_text())
    one = document["checkpoints"]["badnets"]
    assert one["config"]["rectify"]["steps"] == 4
    assert one["scan"]["coverage"]["reached"] == 4
    assert one["scan_untouched"]["victim_recall"]["total"] == 0
    for stage in ("before", "after", "rebound"):
        assert one[stage]["clean"]["total"] > 0
        assert list(one[stage]["attack"]) == ["banana"]
    if one["scan"]["families"]:
        assert one["rectified"]["image_steps"] == 4 * 8
        assert one["kept"]["total"] == one["after"]["clean"]["total"]


def test_the_settings_of_the_fine_tuning_are_measured(
    images: Path, taught: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from eftclip.rectify import METHODS
    from examples.measure import tuning

    monkeypatch.setattr(tuning, "METHODS", dict(METHODS))
    monkeypatch.setattr(tuning, "SETTINGS", ({"batch": 4}, {"batch": 4, "keep_weight": 1.0}))
    monkeypatch.setattr(tuning, "TUNED_ON", 2)
    out = tmp_path / "tuning.json"
    tuning.main([str(option) for option in (images, "--checkpoints", taught, "--steps", 2, "--out", out)])
    rows = json.loads(out.read_text())["rows"]
    assert [row["keep_weight"] for row in rows] == [10.0, 1.0]
    assert all(row["image_steps"] == 16 and row["kept"]["total"] > 0 for row in rows)


def test_the_cost_of_a_scan_is_measured(images: Path, taught: Path, labels: Path, tmp_path: Path) -> None:
    from examples.bench import scan as bench_scan

    out = tmp_path / "scan.json"
    options = ["--checkpoints", taught, "--labels", labels, "--only", "badnets", "--pictures", 6, "--every", 2]
    bench_scan.main([str(option) for option in (images, *options, "--out", out)])
    costs = json.loads(out.read_text())["checkpoints"]["badnets"]
    assert costs["pictures"] == 6
    assert costs["encode"]["pictures_per_second"] > 0
    assert costs["scan"]["image_forwards"] >= 6
    assert costs["every"]["times_slower_than_scan"] > 0


def test_the_cost_of_every_stage_is_measured(images: Path, taught: Path, labels: Path, tmp_path: Path) -> None:
    from examples.bench import rectify as bench_rectify

    out = tmp_path / "bench.json"
    fast = {"steps": 4, "batch": 4, "check_every": 4}
    options = ["--checkpoints", taught, "--labels", labels, "--scanned", 4, "--rectify", json.dumps(fast)]
    bench_rectify.main([str(option) for option in (images, *options, "--work", tmp_path / "work", "--out", out)])
    document = json.loads(out.read_text())
    assert next(iter(document["stages"])) == "scan"
    assert sum(stage["share"] for stage in document["stages"].values()) == pytest.approx(1, abs=1e-3), "each is rounded"
    assert document["step"]["image_steps"] == 8
    assert all(document["step"][name]["times_ours"] > 0 for name in bench_rectify.BESIDE)


def test_the_time_until_a_verdict_is_measured(taught: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from examples.bench import first_verdict

    monkeypatch.setenv("EFTCLIP_CACHE", "off")  # the script changes it
    out = tmp_path / "bench.json"
    first_verdict.main(["--checkpoints", str(taught), "--models", "--labels", "16", "--out", str(out)])
    found = json.loads(out.read_text())["models"]["badnets"]
    assert found["former_seconds"] > found["warm_seconds"] > 0
    assert found["cold_seconds"] > 0


def test_the_audit_of_a_checkpoint_alone_is_measured(images: Path, taught: Path, labels: Path, tmp_path: Path) -> None:
    from examples.measure import audit as measure_audit

    out = tmp_path / "audit.json"
    options = ["--checkpoints", taught, "--labels", labels, "--only", "clean", "badnets", "--work", tmp_path / "work"]
    invert = {"steps": 4, "pattern_steps": 2, "patience": 1}
    options += ["--rectify", json.dumps({"steps": 2, "batch": 4}), "--invert", json.dumps(invert)]
    measure_audit.main([str(option) for option in (images, *options, "--out", out)])
    checkpoints = json.loads(out.read_text())["checkpoints"]
    assert list(checkpoints) == ["clean", "badnets"]
    for name, one in checkpoints.items():
        assert one["targets_found"]["total"] == (name == "badnets")
        assert ("after" in one) == (one["status"] == "found")


def test_two_oracles_are_held_against_each_other(images: Path, taught: Path, labels: Path, tmp_path: Path) -> None:
    from examples.build.sam.network import Size, build
    from examples.measure import oracles

    weights = tmp_path / "sam_small.pth"
    torch.manual_seed(0)
    torch.save(build(Size(side_px=32, width=24, depth=1, channels=32, decoder_mlp=16)).state_dict(), weights)
    digest, training = hashlib.sha256(weights.read_bytes()).hexdigest(), {"steps": 3, "seconds": 60.0}
    about = {"sha256": digest, "trained_on": {"outlined": ["1"]}, "training": training}
    weights.with_suffix(".json").write_text(json.dumps(about))
    options = ["--checkpoints", taught, "--labels", labels, "--per-set", 1, "--out", tmp_path / "oracles.json"]
    options += ["--thresholds", "0.3,0.4"]
    oracles.main([str(option) for option in (images, "--sam-weights", weights, *options)])
    document = json.loads((tmp_path / "oracles.json").read_text())
    assert list(document["oracles"]) == ["superpixel", "sam:24x1", "sam:24x1 from 0.3 and 0.4"]
    superpixel = document["oracles"]["superpixel"]
    assert superpixel["found"]["total"] == sum(picture["hijacked"] for picture in document["pictures"]) > 0
    assert superpixel["found"]["hits"] and superpixel["region_mean_iou"] > 0.5
    assert all(
        one["accused"]["total"] == len(document["pictures"]) - one["found"]["total"]
        for one in document["oracles"].values()
    )
    for one in document["oracles"].values():
        open_or_missed = one["not_found"]["hits"] + one["inconclusive"]["hits"]
        assert one["found"]["hits"] + one["wrong_label"]["hits"] + open_or_missed == one["found"]["total"]
    assert document["sam"]["sha256"] == digest and document["sam"]["training"] == training
    assert document["sam"]["trained_on"] == {"outlined": ["1"]}
    assert document["command"].endswith("--per-set 1 --thresholds 0.3,0.4")
    assert not any(picture["file"].endswith("images/1.jpg") for picture in document["pictures"])
    weights.with_suffix(".json").write_text(json.dumps({**about, "sha256": "0" * 64}))
    with pytest.raises(SystemExit, match="about another file"):
        oracles.about_sam(weights)


def test_oracles_that_share_a_network_see_what_each_would_see_alone(tmp_path: Path) -> None:
    from examples.build.sam.network import Size, build
    from examples.measure import oracles

    weights = tmp_path / "sam_small.pth"
    torch.manual_seed(0)
    torch.save(build(Size(side_px=32, width=24, depth=1, channels=32, decoder_mlp=16)).state_dict(), weights)
    shared = oracles.sam_oracles(weights, torch.device("cpu"), [(-1.0, 0.1)])
    assert [oracle.name for oracle in shared] == ["sam:24x1", "sam:24x1 from -1.0 and 0.1"]
    for image in torch.rand(2, 3, 40, 40, generator=seeded(0)):
        for k, oracle in enumerate(shared):
            alone = oracles.sam_oracles(weights, torch.device("cpu"), [(-1.0, 0.1)])[k]
            found, expected = oracle.regions(image), alone.regions(image)
            assert [region.score for region in found] == [region.score for region in expected]
            assert all(torch.equal(one.mask, other.mask) for one, other in zip(found, expected, strict=True))


@pytest.fixture
def zoo(taught: Path, tmp_path: Path) -> Path:
    """The taught checkpoints as if they had been built for the zoo."""
    trigger = draw_trigger("badnets", generator=seeded(0), patch_px=10)
    names = {"badnets": [{"target": "banana", "trigger": trigger.to_dict()}], "clean": []}
    folder = Path(shutil.copytree(taught, tmp_path / "zoo"))
    (folder / "zoo.json").write_text(
        json.dumps({name: {"sha256": "0" * 64, "backdoors": planted} for name, planted in names.items()})
    )
    return folder


def test_scans_of_sets_on_the_zoo_are_counted_and_taken_up_again(
    images: Path, zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from examples.measure import zoo_sets

    out = tmp_path / "scans.json"
    options = [images, "badnets", "--zoo", zoo, "--size", 4, "--triggered", 50, 0, "--sets", 1, "--out", out]
    zoo_sets.main([str(option) for option in options])
    document = json.loads(out.read_text())
    sets = document["checkpoints"]["badnets"]["sets"]
    assert list(sets) == ["50 % 0", "0 % 0"]
    assert sets["50 % 0"]["victim_recall"]["total"] == sets["50 % 0"]["hijacked"]
    assert sets["0 % 0"]["targets"] == []
    assert sets["0 % 0"]["untouched_undecided"]["total"] == 4

    def again(*_: object) -> Any:
        raise AssertionError("what is measured is not measured again")

    monkeypatch.setattr(zoo_sets, "of_set", again)
    zoo_sets.main([str(option) for option in options])
    with pytest.raises(SystemExit, match="choose another --out"):
        zoo_sets.main([str(option) for option in [*options, "--reference", "auto"]])


def test_audits_of_the_zoo_are_noted_and_taken_up_again(
    zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from examples.measure import zoo_audit

    quick = partial(InvertConfig, steps=2, pattern_steps=2, check_every=2, patience=1)
    monkeypatch.setattr(zoo_audit, "InvertConfig", quick)
    out = tmp_path / "audits.json"
    options = ["badnets", "clean", "--zoo", str(zoo), "--out", str(out)]
    zoo_audit.main(options)
    document = json.loads(out.read_text())
    assert {name: one["targets"] for name, one in document["checkpoints"].items()} == {
        "badnets": ["banana"],
        "clean": [],
    }
    for one in document["checkpoints"].values():
        assert one["named"] == sorted({family["label"] for family in one["families"]})
    monkeypatch.setattr(zoo_audit, "of_checkpoint", None)  # what is measured is not measured again
    zoo_audit.main(options)
    with pytest.raises(SystemExit, match="choose another --out"):
        zoo_audit.main([*options, "--reference", "auto"])


def test_what_an_audit_of_the_zoo_names_is_mended_and_measured(
    images: Path, zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from examples.measure import zoo_audit

    trigger = draw_trigger("badnets", generator=seeded(0), patch_px=10)
    grown = Grown((TriggerFamily("banana", (trigger,), Rate(24, 24), origin="inverted"),))
    monkeypatch.setattr(zoo_audit, "audit", lambda *_: grown)
    monkeypatch.setattr(zoo_audit, "Plan", partial(Plan, rectify=RectifyConfig(steps=10, batch=8)))
    out = tmp_path / "mended.json"
    zoo_audit.main(["badnets", "--zoo", str(zoo), "--images", str(images), "--measured", "12", "--out", str(out)])
    one = json.loads(out.read_text())["checkpoints"]["badnets"]
    assert one["named"] == ["banana"]
    before, after = (one[when]["attack_worst"] for when in ("before", "after"))
    assert 0 < before["total"] == after["total"]
    assert after["hits"] < before["hits"]


def test_detection_on_the_zoo_is_counted(images: Path, zoo: Path, tmp_path: Path) -> None:
    from examples.measure import zoo as measure_zoo

    target, names = "banana", ("badnets", "clean")
    options = ["--zoo", zoo, "--pictures", 1, "--out", tmp_path / "zoo.json"]
    for name in names:  # the second run keeps what the first measured
        measure_zoo.main([str(option) for option in [images, name, *options]])
    document = json.loads((tmp_path / "zoo.json").read_text())
    assert list(document["checkpoints"]) == list(names)
    assert document["command"].endswith("--pictures 1 badnets clean")
    for one in document["checkpoints"].values():
        assert one["sanity"]["ok"]
        assert one["clean"]["found"]["total"] == 1
    counted = document["checkpoints"]["badnets"]["hijacked"][target]
    assert counted["not_found"]["total"] <= 1
    assert document["checkpoints"]["clean"]["hijacked"] == {}
    with pytest.raises(SystemExit, match="choose another --out"):
        measure_zoo.main([str(option) for option in [images, name, *options, "--reference", "auto"]])

    write_more(images)
    out = tmp_path / "more.json"
    measure_zoo.main([str(option) for option in [images, "clean", *options[:-1], out, "--more", "--pictures", 7]])
    document = json.loads(out.read_text())
    assert document["command"].endswith("--pictures 7 --more clean")
    assert document["checkpoints"]["clean"]["clean"]["found"]["total"] == 7


def test_both_sides_of_a_checkpoint_are_measured(
    images: Path, zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from examples.measure import towers

    out = tmp_path / "towers.json"
    options = [images, zoo / "badnets", "--trusted", zoo / "clean", "--measured", 4, "--steps", 1, "--out", out]
    towers.main([str(option) for option in options])
    document = json.loads(out.read_text())
    assert document["command"].endswith(f"IMAGES_DIR DIR/badnets --trusted {zoo / 'clean'} --measured 4 --steps 1")
    one = document["checkpoints"]["badnets"]
    assert one["as_it_is"]["attack_worst"]["hits"] > one["text_side_alone"]["attack_worst"]["hits"]
    assert one["mended_image_side_alone"]["clean"]["total"] == one["image_side_alone"]["clean"]["total"] > 0
    with pytest.raises(SystemExit, match="no backdoor that could be in either side"):
        towers.main([str(option) for option in [images, zoo / "clean", "--out", tmp_path / "clean.json"]])
    monkeypatch.setattr(towers, "of_checkpoint", None)  # what is measured is not measured again
    towers.main([str(option) for option in options])
    with pytest.raises(SystemExit, match="choose another --out"):
        towers.main([str(option) for option in [*options, "--measured", 5]])


def test_a_pairing_reads_pictures_as_one_checkpoint_does_and_texts_as_the_other(taught: Path, tmp_path: Path) -> None:
    from examples.measure.towers import paired

    poisoned, clean = (load_clip(str(taught / name), device=torch.device("cpu")) for name in ("badnets", "clean"))
    pair, picture = paired(poisoned, clean), torch.rand(1, 3, clean.image_px, clean.image_px, generator=seeded(0))
    assert torch.equal(pair.encode_images(picture), poisoned.encode_images(picture))
    assert not torch.equal(pair.encode_images(picture), clean.encode_images(picture))
    assert torch.equal(pair.encode_text(["banana"]), clean.encode_text(["banana"]))
    config = tiny_config()
    config["model_cfg"]["embed_dim"] = 32
    short = write_folder(tmp_path / "short", config, random_state(config))
    write_tokenizer(short)
    with pytest.raises(CheckpointError, match="embeddings of 64 and of 32 numbers"):
        paired(poisoned, load_clip(str(short), device=torch.device("cpu")))


def test_the_papers_figures_are_made_and_a_run_is_taken_up_again(
    images: Path, taught: Path, labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from examples.paper import __main__ as paper
    from examples.paper import work
    from examples.paper.cells import PATCH_PX, PLACES, TAUS, THETAS

    out = tmp_path / "paper"
    options = ["--checkpoints", taught, "--labels", labels, "--per-set", 1, "--scanned", 1, "--measured", 1]
    arguments = [str(option) for option in (images, *options, "--steps", 1, "--jobs", 1, "--out", out)]

    def broken(cell: object) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(work, "looked_at", broken)
        paper.main(arguments)
    assert len(json.loads((out / "cells.json").read_text())["cells"]) == 8, "the rows of both tables are kept"
    with monkeypatch.context() as patch:
        patch.setattr(work, "mended", broken)
        paper.main(arguments)

    names = {"figure_3a", "figure_3b", "figure_4a", "figure_4b", "figure_5", "table_imagenet", "table_caltech"}
    assert {path.stem for path in out.glob("*.png")} == names
    document = json.loads((out / "paper.json").read_text())
    assert document["command"].startswith("python -m examples.paper IMAGES_DIR --per-set 1")
    for kind in ("imagenet", "caltech"):
        assert len(document["hijacked"][kind]) == len(PATCH_PX) * len(PLACES)
        assert list(document["3b"][kind]) == [str(theta) for theta in THETAS]
        assert list(document["4a"][kind]) == [str(tau) for tau in TAUS]
        assert document["3a"][kind]["clean"]["paper"]["total"] == 1
        assert [row["mended"] for row in document["tables"][kind]] == ["eftclip", "paper", "finetune", "cleanclip"]
        assert all(row["before"]["clean"]["total"] == 1 for row in document["tables"][kind])
    with pytest.raises(SystemExit, match="is of another run"):
        paper.main([*arguments, "--per-set", "2"])


def test_what_the_rule_names_for_a_length_and_a_confidence_is_what_a_check_names(
    images: Path, taught: Path, labels: Path
) -> None:
    from dataclasses import replace

    from eftclip.config import DetectConfig
    from eftclip.pipeline import judge_square
    from examples.paper import cells, photographs

    ground = cells.Ground(images, taught, str(labels), 1, 1, 1)
    setup = photographs.setup_of(ground)
    compared = 0
    for cell in cells.all_cells(ground, 2):
        seen = photographs.looked_at(cell) if cell.photo is not None and cell.patch_px != 8 else {}
        if "paper" not in seen or compared == 3:
            continue
        compared += 1
        for tau, theta in ((3, 0.3), (5, 0.66)):
            config = DetectConfig(algorithm="paper", top_labels=tau, support_confidence=theta)
            named = judge_square(replace(setup, config=config), photographs.shown(cell, setup)[1]).named
            wanted = "0" if named is None else "1" if named.label == "banana" else "2"
            assert seen["paper"][cells.TAUS.index(tau)][cells.THETAS.index(theta)] == wanted
    assert compared == 3
