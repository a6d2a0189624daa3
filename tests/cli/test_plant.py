import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from support.verdicts import write_picture

from eftclip import data
from eftclip.cli import main
from eftclip.preprocess import Preprocess
from eftclip.runtime import seeded
from eftclip.triggers import draw_trigger


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _plant(*arguments: object) -> int:
    return main(["plant", *map(str, arguments)])


def test_what_is_planted_is_what_the_model_sees(tmp_path: Path) -> None:
    source = write_picture(tmp_path / "in" / "a.jpg", 300, 200)
    before = source.read_bytes()
    out = tmp_path / "out"
    assert _plant(source, "--trigger", "badnets", "--position", "bottom-right", "--seed", 3, "--out", out) == 0
    document = _read(out / "planted.json")
    [item] = document.pop("items")
    assert document == {
        "schema_version": 1,
        "kind": "plant",
        "trigger": "badnets",
        "seed": 3,
        "patch_px": 16,
        "image_px": 224,
    }
    assert item == {
        "image": "a.png",
        "source": str(source),
        "box_xyxy": [208, 208, 224, 224],
        "trigger": "badnets",
        "position": "bottom-right",
    }
    model = Preprocess(224, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    seen, _ = model.square(data.read_picture(out / "a.png"))
    trigger = draw_trigger("badnets", generator=seeded(3))
    original, _ = model.square(data.read_picture(source))
    expected = trigger.plant(original[None], generator=seeded(0), position="bottom-right").images[0]
    assert torch.allclose(seen, expected, atol=1e-6), "every pixel of the trigger arrives"
    assert source.read_bytes() == before


@pytest.mark.parametrize("name", ["blend_noise", "wanet", "wanet_smooth", "filter"])
def test_what_covers_the_square_has_no_size(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = write_picture(tmp_path / "a.png", 300, 200), tmp_path / "out"
    assert _plant(source, "--trigger", name, "--seed", 3, "--out", out) == 0
    document = _read(out / "planted.json")
    assert document["patch_px"] is None
    assert document["items"][0]["box_xyxy"] == [0, 0, 224, 224]
    assert document["items"][0]["position"] == "whole picture"
    for option in (["--patch-px", 8], ["--position", "centre"]):
        assert _plant(source, "--trigger", name, *option, "--out", tmp_path / "other") == 2
        assert "covers the whole picture" in capsys.readouterr().err


def test_every_option_of_plant_arrives(tmp_path: Path) -> None:
    source, out, copy = write_picture(tmp_path / "a.png"), tmp_path / "out", tmp_path / "copy" / "p.json"
    arguments = ["--trigger", "stripes", "--position", "centre", "--patch-px", 8, "--image-px", 96, "--seed", 5]
    assert _plant(source, *arguments, "--out", out, "--json", copy, "--device", "cpu") == 0
    document = _read(copy)
    assert document == _read(out / "planted.json")
    assert (document["patch_px"], document["image_px"], document["seed"]) == (8, 96, 5)
    assert document["items"][0]["box_xyxy"] == [44, 44, 52, 52]
    with Image.open(out / "a.png") as picture:
        assert picture.size == (96, 96)


def test_random_places_follow_the_seed(tmp_path: Path) -> None:
    for n in range(4):
        write_picture(tmp_path / "in" / f"{n}.png", seed=n)

    def boxes(seed: int, name: str) -> list[list[int]]:
        assert _plant(tmp_path / "in", "--trigger", "yellow", "--seed", seed, "--out", tmp_path / name) == 0
        return [item["box_xyxy"] for item in _read(tmp_path / name / "planted.json")["items"]]

    first = boxes(1, "x")
    assert first == boxes(1, "y")
    assert first != boxes(2, "z")
    assert len({tuple(box) for box in first}) == 4


def test_folders_keep_their_structure_and_names_do_not_clash(tmp_path: Path) -> None:
    for name in ("in/a.png", "in/a.jpg", "in/sub/a.png", "other/a.png", "other/A.webp"):
        write_picture(tmp_path / name)
    arguments = [tmp_path / "in", tmp_path / "other", tmp_path / "in" / "a.png"]
    assert _plant(*arguments, "--trigger", "yellow", "--out", tmp_path / "out") == 0
    images = [item["image"] for item in _read(tmp_path / "out" / "planted.json")["items"]]
    assert sorted(images) == sorted(["a.png", "a-2.png", "sub/a.png", "A-3.png", "a-4.png"])
    assert {str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.png")} == set(images)


def test_nothing_of_the_users_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_picture(tmp_path / "in" / "a.png")
    before = source.read_bytes()
    assert _plant(source, "--trigger", "yellow", "--out", tmp_path / "in") == 2
    assert "inside the output folder" in capsys.readouterr().err
    write_picture(tmp_path / "full" / "b.png")
    assert _plant(source, "--trigger", "yellow", "--out", tmp_path / "full") == 2
    assert "did not write" in capsys.readouterr().err
    assert _plant(source, "--trigger", "yellow", "--out", source) == 2
    assert source.read_bytes() == before
    again = ["--trigger", "yellow", "--out", tmp_path / "out"]
    assert (_plant(source, *again), _plant(source, *again)) == (0, 0)


def test_pictures_that_cannot_be_planted_in_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_picture(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "text.jpg").write_text("this is not a picture")
    assert _plant(tmp_path / "in", "--trigger", "yellow", "--out", tmp_path / "out") == 2
    said = capsys.readouterr()
    assert "text.jpg is not a picture" in said.err
    assert "1 planted" in said.out
    assert len(_read(tmp_path / "out" / "planted.json")["items"]) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["--trigger", "moon"], "Unknown trigger 'moon'"),
        (["--patch-px", "3"], "4 to 112"),
        (["--image-px", "9"], "32 and 1024"),
        (["--image-px", "40", "--patch-px", "64"], "does not fit"),
        (["--device", "abacus"], "abacus"),
    ],
)
def test_what_cannot_be_planted_is_one_sentence(
    change: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_picture(tmp_path / "a.png")
    assert _plant(source, "--trigger", "yellow", "--out", tmp_path / "out", *change) == 2
    errors = capsys.readouterr().err
    assert said in errors
    assert errors.count("\n") == 1
    assert not (tmp_path / "out").exists()
