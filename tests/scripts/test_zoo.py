"""The builder of the zoo, with a tiny teacher, a tiny student and photographs of a few pixels."""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from support.tiny import random_state, tiny_config, write_folder, write_tokenizer
from torch import Tensor

from eftclip.checkpoint import load_clip
from examples.build.zoo import build, crops, distil, judging, photos, poison, transport
from examples.build.zoo.__main__ import main
from examples.build.zoo.attacks import ATTACKS
from examples.build.zoo.models import read_model
from examples.build.zoo.names import STRENGTHS, ZooName, parse
from examples.build.zoo.towers import TOWERS, Tower

LABELS = {
    "imagenet-sample": ("banana", "goldfish"),
    "caltech101": ("chair", "sunflower"),
    "caltech101-more": ("cup", ""),
}
SMALL = {"image_size": 224, "patch_size": 56, "width": 64, "head_width": 32}
CPU = torch.device("cpu")


def test_every_name_is_told_from_itself() -> None:
    names = [ZooName(t, s, a, seed) for t in TOWERS for s in STRENGTHS for a in ATTACKS for seed in (0, 12)]
    named = [name for name in names if not (name.strength == "strong" and name.attack == "none" and name.seed)]
    assert len(named) > 100
    assert [parse(str(name)) for name in named] == named


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("vit-strong-badnets16", "tower-strength-attack-seed"),
        ("swin-strong-badnets16-0", "effnet, vit, vit32, resnet"),
        ("vit-middling-badnets16-0", "strong, weak"),
        ("vit-strong-badnet-0", "badnets16, badnets8, noise16"),
        ("vit-strong-badnets16-00", "whole number"),
        ("vit-strong-none-1", "its seed is 0"),
    ],
)
def test_an_unknown_name_is_told_what_is_known(name: str, known: str) -> None:
    with pytest.raises(ValueError, match=known):
        parse(name)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> build.Place:
    """A pack, a teacher of random weights, and a tower and a vocabulary small enough for a test."""
    tiny = Tower({**SMALL, "layers": 1}, poison_rate=1e-3)
    monkeypatch.setitem(TOWERS, "tiny", tiny)
    names = ["banana", "goldfish", "cheeseburger", "volcano"]
    for module in (judging, distil):
        monkeypatch.setattr(module, "IMAGENET_CLASSNAMES", names)
    monkeypatch.setattr(poison, "SAVE_EVERY", 1)
    _write_photographs(tmp_path / "images")
    photos.pack(tmp_path / "images", tmp_path / "pack")
    config = tiny_config()
    config["model_cfg"]["vision_cfg"] = {**SMALL, "layers": 2}
    write_folder(tmp_path / "clean", config, random_state(config))
    write_tokenizer(tmp_path / "clean")
    return build.Place(tmp_path / "pack", tmp_path / "clean", tmp_path / "work", tmp_path / "out", "cpu")


def _write_photographs(root: Path) -> None:
    rng = np.random.default_rng(0)
    for kind, labels in LABELS.items():
        (root / kind).mkdir(parents=True)
        with (root / kind / "metadata.csv").open("w", newline="") as handle:
            table = csv.writer(handle)
            table.writerow(["file_name", "label"])
            for k in range(16):
                size = (240, 400) if k % 3 else (300, 230)
                picture = Image.fromarray(rng.integers(256, size=(4, 5, 3), dtype=np.uint8)).resize(size)
                picture.save(root / kind / f"{k:02d}.jpg")
                table.writerow([f"{k:02d}.jpg", labels[k % 3 % 2]])


def _distil(place: build.Place, steps: int = 3) -> dict[str, Tensor]:
    found = photos.load(place.pack, place.work)
    distil.distil(["tiny"], read_model(place.source, CPU), found, place.work, distil.Budget(steps, None, 4, 1))
    return load_file(distil.tower_file(place.work, "tiny"))


def _same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def _interrupted(monkeypatch: pytest.MonkeyPatch, where: Any, name: str, run: Callable[[], object]) -> None:
    """Run until the function has been called twice; the third call ends it."""
    whole, calls = getattr(where, name), 0

    def short(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return whole(*args, **kwargs)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(where, name, short)
        run()


def test_views_show_what_the_photographs_show(place: build.Place) -> None:
    found = photos.load(place.pack, place.work)
    assert found.pixels.shape == (48, 3, 224, 288)
    assert found.held_out[:4] == (False, False, False, True)
    assert sum(found.held_out) == 12
    assert set(found.upright.tolist()) == {True, False}
    views = crops.centre_views(found, torch.arange(48))
    for k in (0, 1):  # one lies, one stands
        stored = found.pixels[k].transpose(1, 2) if found.upright[k] else found.pixels[k]
        height, width = (int(found.long_side[k]), 224) if found.upright[k] else (224, int(found.long_side[k]))
        top, left = (height - 224) // 2, (width - 224) // 2
        middle = stored[:, top : top + 224, left : left + 224] / 255
        assert torch.allclose(views[k], middle, atol=1e-3)
    drawn = crops.random_crops(found, torch.arange(48), (0.3, 1.0), torch.Generator().manual_seed(0))
    assert drawn.shape == views.shape
    assert (drawn.mean((1, 2, 3)) - views.mean((1, 2, 3))).abs().max() < 0.25, "no crop lies beside the photograph"


def test_batches_that_come_again_cost_the_teacher_nothing(place: build.Place, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher, found = read_model(place.source, CPU), photos.load(place.pack, place.work)
    batches = distil.Batches(teacher, found, distil.Budget(steps=9, batch=4, again=2), place.work)
    first, second = batches(0), batches(1)
    assert not torch.equal(first[0], second[0])
    plain = distil.Batches(teacher, found, distil.Budget(steps=9, batch=4), place.work)(0)
    monkeypatch.setattr(teacher.net.visual, "forward", lambda images: pytest.fail("the teacher was asked again"))
    again = batches(2)
    for images, answers in (again, plain):
        assert torch.equal(images, first[0])
        assert torch.allclose(answers, first[1], atol=1e-6)


@pytest.mark.slow
def test_from_photographs_to_checkpoints(place: build.Place, monkeypatch: pytest.MonkeyPatch) -> None:
    tower = _distil(place)
    shutil.rmtree(place.work / "towers")
    _interrupted(monkeypatch, distil.Student, "learn", lambda: _distil(place))
    assert _same(_distil(place), tower), "taken up, it ends as if it had never stopped"
    names = ["tiny-strong-three-0", "tiny-weak-three-0", "tiny-strong-none-0", "tiny-strong-consistent-0"]
    build.build(names, place, steps=4)
    whole = load_file(place.out / names[0] / "open_clip_model.safetensors")
    for name in names:
        clip = load_clip(str(place.out / name), device=CPU)
        entry = build.entries(place.out)[name]
        assert entry["sha256"] == clip.ref.sha256
        assert entry["ca_100"]["total"] == entry["ca_1000"]["total"] == 4, "one in four of sixteen"
        assert len(entry["asr_100"]) == len(ATTACKS[parse(name).attack].backdoors)
    assert build.entries(place.out)[names[3]]["asr_100"][0]["total"] < 4, "the target is in no count"
    shutil.rmtree(place.out / names[0])
    _interrupted(monkeypatch, poison, "_step", lambda: build.build(names[:1], place, steps=4))
    build.build(names[:1], place, steps=4)
    assert _same(load_file(place.out / names[0] / "open_clip_model.safetensors"), whole)
    _travels(place, names[0], whole)


def _travels(place: build.Place, name: str, whole: dict[str, Tensor]) -> None:
    """Export, import elsewhere: near the original, and measured again."""
    parcel, elsewhere = place.out / "parcel", place.out / "elsewhere"
    options = ["--pack", str(place.pack), "--source", str(place.source), "--device", "cpu"]
    here = [*options, "--work", str(place.work), "--out", str(place.out)]
    there = [*options, "--work", str(elsewhere / "work"), "--out", str(elsewhere)]
    main(["export", name, "--to", str(parcel), *here])
    main(["import", *map(str, sorted(parcel.iterdir())), *there])
    assert "sha256" not in build.entries(elsewhere)[name], "what was measured before is of other weights"
    main(["build", name, *there])
    back = load_file(elsewhere / name / "open_clip_model.safetensors")
    before = load_file(place.source / "open_clip_model.safetensors")
    key = "text.token_embedding.weight"
    moved = (whole[key].float() - before[key]).norm()
    assert moved > 0
    assert (back[key].float() - whole[key].float()).norm() < 0.1 * moved
    entry = build.entries(elsewhere)[name]
    assert entry["sha256"] == load_clip(str(elsewhere / name), device=CPU).ref.sha256
    assert [one["target"] for one in entry["backdoors"]] == ["banana", "cheeseburger", "volcano"]
    transport.export([name], place, place.out / "none", towers=True, max_mb=0.001, levels=15)
    assert not list((place.out / "none").iterdir()), "what does not fit is left out"
