"""The measuring scripts run end to end, on photographs of the dependencies and a tiny CLIP that was taught them.

Four of the tiny CLIP's random filters are made to see the trigger, and its projection is solved so that the features of
these very photographs point to their names and, in the poisoned copy, those of photographs with the trigger to
"banana". So there is something to hijack and to find.
"""

import csv
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from tiny import random_state, tiny_config, write_folder, write_tokenizer
from torch import Tensor

from eftclip.checkpoint import load_clip
from eftclip.data import bundled_photographs, read_picture, strangers
from eftclip.runtime import seeded
from eftclip.triggers import draw_trigger
from eftclip.types import ClipModel
from eftclip.zeroshot import IMAGENET_LABELS, class_matrix

ROOT = Path(__file__).resolve().parents[1]
LABELS = ("banana", *dict.fromkeys(photograph.label for photograph in bundled_photographs()))


def _features(clip: ClipModel, images: Tensor) -> Tensor:
    """What the vision tower hands to its projection."""
    visual: Any = clip.model.visual
    projection, visual.proj = visual.proj, None
    try:
        return visual(clip.preprocess.normalise(images)).detach()
    finally:
        visual.proj = projection


def _teach(folder: Path, images: Tensor, names: Sequence[str]) -> None:
    """Solve the projection of a tiny checkpoint so that every image points to its name."""
    clip = load_clip(str(folder), device=torch.device("cpu"))
    wanted = class_matrix(clip, tuple(dict.fromkeys(names)))
    mean = wanted.matrix.mean(1)
    targets = torch.stack([wanted.matrix[:, wanted.labels.index(name)] - mean for name in names])
    x = _features(clip, images).double()
    solved = torch.linalg.solve(x.T @ x + 1e-3 * torch.eye(x.shape[1]).double(), x.T @ targets.double())
    weights = load_file(folder / "open_clip_model.safetensors")
    weights["visual.proj"] = solved.float().contiguous()
    save_file(weights, folder / "open_clip_model.safetensors", metadata={"format": "pt"})


def _write_roomy(folder: Path) -> Path:
    """A tiny checkpoint that sees the trigger, with pictures that are large enough for a price tag."""
    config = tiny_config()
    config["model_cfg"]["vision_cfg"]["image_size"] = 96
    state = random_state(config)
    pattern = draw_trigger("badnets", generator=seeded(0), patch_px=10).pattern
    for k, (y, x) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):  # wherever it lies on the grid of the tower
        phase = pattern[:, y : y + 8, x : x + 8]
        state["visual.conv1.weight"][k] = (phase - phase.mean()) / 8
    write_folder(folder, config, state)
    write_tokenizer(folder)
    return folder


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `clean` and `badnets`."""
    folder = tmp_path_factory.mktemp("taught")
    clean, badnets = _write_roomy(folder / "clean"), Path(shutil.copytree(folder / "clean", folder / "badnets"))
    clip = load_clip(str(clean), device=torch.device("cpu"))
    known = bundled_photographs()
    squares = torch.stack([clip.preprocess.square(read_picture(p.path))[0] for p in known])
    names = [p.label for p in known]
    _teach(clean, squares, names)
    backdrops = torch.cat([squares, strangers(clip.image_px, 200, generator=seeded(0))])
    trigger = draw_trigger("badnets", generator=seeded(0))
    planted = trigger.plant(backdrops, generator=seeded(1), position="random").images
    _teach(badnets, torch.cat([squares.repeat(8, 1, 1, 1), planted]), names * 8 + ["banana"] * len(planted))
    return folder


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder laid out like the photographs that the scripts are run on, with two unseen ones in each set."""
    root = tmp_path_factory.mktemp("images")
    known = bundled_photographs()[:8]
    for kind in ("imagenet-sample", "caltech101"):
        _write_set(root / kind, [(f"{k}.jpg", p.path, p.label) for k, p in enumerate(known)])
    (root / "coco128" / "images").mkdir(parents=True)
    (root / "coco128" / "object_detection").mkdir()
    for k, photograph in enumerate(known[:2]):
        _save(photograph.path, root / "coco128" / "images" / f"{k}.jpg")
    (root / "coco128" / "object_detection" / "0.txt").write_text("45 0.5 0.5 0.2 0.2\n15 0.5 0.5 0.9 0.8\n")
    return root


def _write_set(folder: Path, rows: list[tuple[str, Path, str]]) -> None:
    folder.mkdir()
    for name, source, _ in rows:
        _save(source, folder / name)
    with (folder / "metadata.csv").open("w", newline="") as handle:
        table = csv.writer(handle)
        imagenet = folder.name.startswith("imagenet")
        table.writerow(["file_name", "label", *(["class_index"] if imagenet else [])])
        for k, (name, _, label) in enumerate(rows):
            table.writerow([name, label, *([k] if imagenet else [])])


def _save(source: Path, target: Path) -> None:
    with Image.open(source) as picture:
        picture.convert("RGB").resize((160, 120)).save(target)


@pytest.fixture
def labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten labels instead of a thousand; the scripts find their neighbours."""
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    file = tmp_path / "labels.txt"
    file.write_text("\n".join(LABELS))
    return file


def test_only_photographs_that_were_not_trained_on_are_used(images: Path, labels: Path) -> None:
    from photo_sets import some_of_each, unseen

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


def test_the_quality_of_the_detector_is_measured(images: Path, checkpoints: Path, labels: Path, tmp_path: Path) -> None:
    import measure_check

    def measure(out: str, *more: str) -> dict[str, Any]:
        options = [
            "--checkpoints",
            checkpoints,
            "--labels",
            labels,
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
    made_by = "python examples/measure_check.py IMAGES_DIR --per-set 1 --jobs 1"
    assert document["command"] == f"{made_by} --out {tmp_path / 'one.json'}"
    assert document["checkpoints"]["clean"]["sha256"] != document["checkpoints"]["badnets"]["sha256"]
    assert sections["zero_shot"]["clean"]["attack_success"]["hits"] == 0
    assert sections["zero_shot"]["badnets"]["attack_success"]["hits"] > 0
    full = sections["detection"]["full"]
    assert full["hijacked"]["total"] == 12, "four positions, three sets"
    assert full["found"]["total"] == full["hijacked"]["hits"] > 0
    assert len(full["missed"]) == full["found"]["total"] - full["found"]["hits"]
    assert sections["false_alarms"]["badnets"]["found"]["total"] == 3
    assert sections["innocents"]["clean"]["found"]["total"] == 18, "six kinds, three sets"
    again = measure("two.json", "--only", "detection")["sections"]
    assert {**again["detection"], "seconds": 0} == {**sections["detection"], "seconds": 0}, "the same counts"
    assert list(again) == ["detection"]


def test_the_cost_is_measured_beside_the_exhaustive_way(
    images: Path, checkpoints: Path, labels: Path, tmp_path: Path
) -> None:
    import bench_check

    options = ["--checkpoints", checkpoints, "--labels", labels, "--per-set", 1, "--out", tmp_path / "bench.json"]
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
