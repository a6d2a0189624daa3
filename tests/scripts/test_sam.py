"""The script that trains a small Segment Anything: what it asks, what it answers, and the file that it writes."""

import csv
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from segment_anything.modeling import Sam

from eftclip.data import bundled_photographs
from eftclip.oracles import load_oracle
from examples.build.sam import training
from examples.build.sam.__main__ import main, save, started
from examples.build.sam.cutouts import colours, drawn
from examples.build.sam.losses import ious, mask_losses
from examples.build.sam.network import Size, build, decode, encode
from examples.build.sam.photographs import Album, listed, outlined, segmented_within
from examples.build.sam.prompts import asked, boxes_of, for_encoder, point_in
from examples.build.sam.regions import STORED_PX, Source, hierarchy, segmented
from examples.build.sam.scenes import FIRST_THING, coarser, scenes
from examples.build.sam.training import Plan, trained

CPU = torch.device("cpu")
SMALL = Size(side_px=64, width=48, depth=2, channels=32, decoder_mlp=40, quality_hidden=16)
OUTLINES = "15 0.25 0.25 0.75 0.25 0.75 0.75 0.25 0.75\n45 0.4 0.4 0.6 0.4 0.6 0.6 0.4 0.6\n0 0.1 0.1\n"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `imagenet-sample/` and a `coco128/` with outlines."""
    root = tmp_path_factory.mktemp("images")
    photographs = root / "imagenet-sample"
    coco = root / "coco128"
    for folder in (photographs, coco / "images", coco / "instance_segmentation"):
        folder.mkdir(parents=True)
    with (photographs / "metadata.csv").open("w", newline="") as handle:
        rows = csv.writer(handle)
        rows.writerow(["file_name", "label"])
        for k, photo in enumerate(bundled_photographs()[:8]):
            with Image.open(photo.path) as picture:
                picture.convert("RGB").resize((160, 120)).save(photographs / f"{k}.jpg")
            rows.writerow([f"{k}.jpg", photo.label])
    for k in range(4):
        (coco / "images" / f"{k}.jpg").write_bytes((photographs / f"{k}.jpg").read_bytes())
        (coco / "instance_segmentation" / f"{k}.txt").write_text(OUTLINES)
    return root


@pytest.fixture(scope="module")
def album(images: Path) -> Album:
    sources = [*outlined(images / "coco128", held_out=False)[:1], *listed(images / "imagenet-sample")[:2]]
    return Album.of(sources, segmented_within(sources, jobs=1, within_s=60), CPU)


def _sam() -> Sam:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build(SMALL).eval()


def test_prompts_of_many_pictures_at_once_are_answered_as_by_sam_itself() -> None:
    sam, side = _sam(), SMALL.side_px
    generator = torch.Generator().manual_seed(1)
    pictures = torch.rand(2, 3, side, side, generator=generator)
    points = torch.rand(4, 2, 2, generator=generator) * side
    labels = torch.tensor([[1.0, 0.0]]).expand(4, 2)
    boxes = torch.tensor([[4.0, 8.0, 40.0, 50.0]]).expand(4, 4)
    masks = torch.randn(4, 1, side // 4, side // 4, generator=generator)
    asked_with: list[dict[str, Any]] = [
        {"points": (points, labels)},
        {"boxes": boxes},
        {"points": (points, labels), "boxes": boxes},
    ]
    with torch.no_grad():
        embeddings = encode(sam, pictures).repeat_interleave(2, 0)
        for prompts in [*asked_with, {"points": (points, labels), "masks": masks}]:
            logits, quality = decode(sam, embeddings, **prompts)
            for k, picture in enumerate(pictures):
                own = slice(2 * k, 2 * k + 2)
                record = {"image": picture * 255, "original_size": (side, side)}
                if "points" in prompts:
                    record |= {"point_coords": points[own], "point_labels": labels[own]}
                record |= {"boxes": boxes[own]} if "boxes" in prompts else {}
                record |= {"mask_inputs": masks[own]} if "masks" in prompts else {}
                for several, part in ((True, slice(1, None)), (False, slice(0, 1))):
                    answer = sam([record], multimask_output=several)[0]
                    assert torch.allclose(logits[own, part], answer["low_res_logits"], atol=1e-5)
                    assert torch.allclose(quality[own, part], answer["iou_predictions"], atol=1e-5)


def test_the_network_is_trained_saved_and_loaded_by_the_oracle(images: Path, tmp_path: Path) -> None:
    small = "--side 64 --width 48 --depth 2 --batch 2 --per-picture 2 --steps 2 --jobs 1 --device cpu"
    written = []
    main(["pack", str(images), str(tmp_path / "packed")])
    assert len(list((tmp_path / "packed" / "images").glob("*.webp"))) == 4
    for name, pictures in (("one", 1), ("two", 0)):
        scoring = f"--scored 1 --score-batches {pictures} --score-pictures {pictures}"
        folders = [str(tmp_path / "packed"), str(images / "imagenet-sample"), "--out", str(tmp_path / name)]
        main(["train", *folders, *small.split(), *scoring.split()])
        written.append(torch.load(tmp_path / name / "sam_small.pth", weights_only=True))
    assert all(torch.equal(value, written[1][key]) for key, value in written[0].items()), "the same from the same seed"
    document = json.loads((tmp_path / "one" / "sam_small.json").read_text())
    assert document["training"]["steps"] == 2 and document["trained_on"]["outlined"] == ["0", "1", "2"]
    assert document["trained_on"]["photographs"] == 5, "three in four of eight, one of them kept for scoring"
    assert set(document["kept_aside"]["one_point"]) == {"regions", "things", "outlined_objects"}
    path = tmp_path / "one" / "sam_small.pth"
    oracle = load_oracle("sam", device=CPU, weights=path)
    assert oracle.name == "sam:48x2"
    assert oracle.regions(torch.rand(3, 32, 32))


def _small_plan(**changed: Any) -> Plan:
    return replace(
        Plan(steps=4, seconds=1e9, batch=1, per_picture=2, mask_px=16, box_every=2, again_every=2), **changed
    )


def test_a_training_that_was_killed_goes_on_as_if_it_never_was(
    album: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sams = [_sam(), _sam(), _sam()]
    whole = trained(sams[0], album, _small_plan(), generator=torch.Generator().manual_seed(0))
    kept, lesson = tmp_path / "training.pt", training.lesson

    def killed(*args: Any) -> Any:
        if args[4] == 2:  # the step
            raise KeyboardInterrupt
        return lesson(*args)

    monkeypatch.setattr(training, "lesson", killed)
    with pytest.raises(KeyboardInterrupt):
        trained(sams[1], album, _small_plan(), generator=torch.Generator().manual_seed(0), kept=kept, every_s=0)
    monkeypatch.undo()
    again = trained(sams[2], album, _small_plan(), generator=torch.Generator().manual_seed(9), kept=kept)
    assert (again["steps"], again["first_loss"], again["loss"]) == (4, whole["first_loss"], whole["loss"])
    assert again["seconds"] > 0 and again["cpu_seconds"] > 0
    one, other = sams[0].state_dict(), sams[2].state_dict()
    assert all(torch.equal(value, other[key]) for key, value in one.items())
    with pytest.raises(SystemExit, match="another plan"):
        trained(_sam(), album, _small_plan(rate=1.0), generator=torch.Generator(), kept=kept)


def test_a_training_ends_when_its_time_is_over(album: Album) -> None:
    done = trained(_sam(), album, _small_plan(steps=10**9, seconds=0.01), generator=torch.Generator().manual_seed(0))
    assert done["steps"] == 1


def test_a_training_starts_from_weights_with_the_record_that_belongs_to_them(tmp_path: Path) -> None:
    path, sam, other = tmp_path / "sam_small.pth", _sam(), build(SMALL)
    save(sam, path)
    made = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "training": {"steps": 7}}
    path.with_suffix(".json").write_text(json.dumps(made))
    before = started(other, path)
    assert before["sha256"] == made["sha256"] and before["training"] == {"steps": 7}
    assert all(torch.equal(value, other.state_dict()[key]) for key, value in sam.state_dict().items())
    path.with_suffix(".json").write_text(json.dumps({"sha256": "0" * 64}))
    with pytest.raises(SystemExit, match="about another file"):
        started(other, path)


def test_masks_can_be_compared_on_fewer_pixels(album: Album) -> None:
    generator = torch.Generator().manual_seed(0)
    parts = scenes(album, torch.arange(3), generator).parts
    fewer = coarser(parts, 56)
    assert coarser(parts, 224) is parts
    assert torch.equal(fewer, parts[:, :, 2::4, 2::4])
    questions = asked(fewer, 8, generator, thing_weight=1e6)
    x, y = questions.points.long().unbind(1)
    held = fewer[questions.pictures, 0, y, x]
    pasted = (fewer >= FIRST_THING).flatten(1).any(1)[questions.pictures]
    assert pasted.any() and (held[pasted] >= FIRST_THING).all(), "a large weight asks for pasted things alone"
    places = for_encoder(torch.tensor([[0.0, 55.0]]), 224, 56)
    assert places.tolist() == [[1.5, 221.5]], "the middle of four pixels"


def test_the_loss_tells_right_masks_from_wrong_ones() -> None:
    wanted = torch.zeros(1, 8, 8, dtype=torch.bool)
    wanted[:, 2:6, 2:6] = True
    good, bad = torch.where(wanted, 5.0, -5.0)[:, None], torch.where(wanted, -5.0, 5.0)[:, None]
    losses = mask_losses(torch.cat([good, bad], 1), wanted)[0]
    assert losses[0] < 0.1 < 1 < losses[1]
    nothing = torch.full_like(good, -5.0)
    assert mask_losses(nothing, wanted, 1.0) > 2 * 0.6931, "“nothing” is worse than not knowing"
    shared = ious(torch.cat([good, bad], 1), torch.stack([wanted, torch.zeros_like(wanted)], 1))[0]
    assert torch.equal(shared, torch.tensor([[1.0, 0.0], [0.0, 0.0]]))


def test_photographs_kept_aside_are_never_listed(images: Path, tmp_path: Path) -> None:
    assert [s.path.name for s in listed(images / "imagenet-sample")] == [f"{k}.jpg" for k in (0, 1, 2, 4, 5, 6)]
    assert [s.path.stem for s in outlined(images / "coco128", held_out=True)] == ["3"]
    rows = ["file_name,split,held_out", "a.jpg,train,", "b.jpg,val,0", "c.jpg,train,true", "gone.jpg,,"]
    (tmp_path / "metadata.csv").write_text("\n".join(rows))
    for name in "abc":
        (tmp_path / f"{name}.jpg").touch()
    assert [s.path.name for s in listed(tmp_path)] == ["a.jpg"]


def test_regions_cover_a_photograph_and_outlines_are_kept(images: Path) -> None:
    (source,) = outlined(images / "coco128", held_out=False)[:1]
    plain, drawn_on = segmented(Source(source.path)), segmented(source)
    assert plain.leaves.min() > 0, "every pixel belongs to a region"
    numbers = [len(np.unique(table[plain.leaves])) for table in plain.levels]
    assert numbers == sorted(numbers, reverse=True) and numbers[2] <= 10
    objects = drawn_on.levels[2][drawn_on.leaves]
    middle = STORED_PX // 2
    inner, outer = objects[middle, middle], objects[middle, STORED_PX // 4]
    assert inner and outer and inner != outer and not objects[2, 2]
    assert set(np.unique(objects).tolist()) == {0, 1, 2}, "the one without an area is none"


def test_neighbours_that_are_alike_are_merged_first() -> None:
    pixels = np.zeros((4, 9, 3), np.uint8)
    pixels[:, 3:6], pixels[:, 6:] = 10, 200
    segments = np.repeat(np.arange(3), 3)[None].repeat(4, 0)
    three, two, one = hierarchy(pixels, segments, (3, 2, 1))
    assert len(set(three.tolist())) == 3
    assert two[0] == two[1] != two[2]
    assert len(set(one.tolist())) == 1


def test_scenes_and_questions_fit_together(album: Album) -> None:
    generator = torch.Generator().manual_seed(0)
    scene = scenes(album, torch.arange(3), generator)
    assert scene.pictures.shape == scene.parts.shape and scene.pictures.min() >= 0 and scene.pictures.max() <= 1
    assert (scene.parts >= FIRST_THING).any(), "something is pasted"
    questions = asked(scene.parts, 8, generator)
    x, y = questions.points.long().unbind(1)
    n = torch.arange(24)
    assert questions.masks[n, y, x].all(), "the point lies in the region"
    assert questions.also[n, :, y, x].any(1).all()
    exactly = (questions.also == questions.masks[:, None]).flatten(2).all(2)
    assert exactly.any(1).all(), "one of the levels is the one that was asked for"
    boxes = boxes_of(questions.masks, generator)
    assert (boxes[:, 2:] > boxes[:, :2] - 1).all() and boxes.min() >= 0 and boxes.max() <= 224
    assert point_in(torch.zeros(1, 4, 4, dtype=torch.bool), generator).shape == (1, 2), "any where there is none"


def test_nothing_pasted_looks_like_a_published_trigger(album: Album) -> None:
    generator = torch.Generator().manual_seed(0)
    found = colours(20_000, generator)
    white, yellow = (found > 0.85).all(1), (found[:, :2] > 0.85).all(1) & (found[:, 2] < 0.4)
    assert not (white | yellow).any()
    surface, mask = drawn(album, 64, 224, generator)
    assert surface.shape == (64, 3, 224, 224) and mask.dtype == torch.bool
    sizes = mask.flatten(1).sum(1)
    assert (sizes > 0).float().mean() > 0.8 and sizes.max() <= 81 * 81
