"""Algorithm 1 on the bundled checkpoints, and on the tiny one where only the honesty of the verdict counts."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from support.tiny import CLASSES
from torch import Tensor

from eftclip import data
from eftclip.config import DetectConfig
from eftclip.detect import detect, read_hosts
from eftclip.oracles import load_oracle
from eftclip.pipeline import CheckSetup, prepare_check
from eftclip.runtime import seeded
from eftclip.triggers import POSITIONS, Planted, Position, draw_trigger
from eftclip.types import ClassMatrix, ClipModel, Detection, Status
from eftclip.zeroshot import probabilities

Squares = dict[str, Tensor]
Bundled = Callable[[str], Path]
PHOTOGRAPHS = ("Cat", "Coffee", "Rocket", "Pagoda", "Astronaut")


@pytest.fixture(scope="module")
def setup(bundled: Bundled) -> CheckSetup:
    """The poisoned bundled checkpoint, ImageNet's labels, the clean one as reference."""
    bundled("clean")
    return prepare_check(str(bundled("badnets")), oracle="superpixel", device="cpu")


@pytest.fixture(scope="module")
def squares(setup: CheckSetup) -> Squares:
    """Photographs that ship in dependencies, as the model sees them: name to `(3, 224, 224)`."""
    return {p.name: setup.clip.preprocess.square(data.read_picture(p.path))[0] for p in data.bundled_photographs()}


def judge(setup: CheckSetup, image: Tensor, **how: Any) -> Detection:
    """A verdict with everything as the product does it, but for `how`."""
    how = {"hosts": setup.hosts, "reference": setup.reference, "generator": seeded(0)} | how
    config = how.pop("config", setup.config)
    return detect(setup.clip, image, setup.classes, setup.oracle, config, **how)


def planted(
    squares: Squares, name: str, position: Position = "random", *, patch_px: int = 16, seed: int = 0
) -> Planted:
    trigger = draw_trigger("badnets", generator=seeded(0), patch_px=patch_px)
    return trigger.plant(squares[name][None], generator=seeded(seed), position=position)


def overlap(a: Tensor, b: Tensor) -> float:
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize("position", POSITIONS)
def test_a_trigger_is_found_wherever_it_is(setup: CheckSetup, squares: Squares, position: Position) -> None:
    found, hijacked, ious = 0, 0, []
    for name in PHOTOGRAPHS:
        copy = planted(squares, name, position)
        verdict = judge(setup, copy.images[0])
        if verdict.predictions[0].label != "banana":
            continue
        hijacked += 1
        found += verdict.status is Status.FOUND and verdict.trigger.target_label == "banana"
        ious.append(overlap(verdict.trigger.mask, copy.masks[0]) if verdict.trigger else 0.0)
        assert verdict.purified_predictions[0].label != "banana"
    assert hijacked >= 3
    assert found == hijacked
    assert sum(ious) / len(ious) >= 0.8


def test_clean_photographs_are_not_accused_and_searched_completely(setup: CheckSetup, squares: Squares) -> None:
    for name, image in squares.items():
        verdict = judge(setup, image)
        assert verdict.status is Status.NOT_FOUND, (name, verdict.reason)
        assert verdict.examined == verdict.regions > 20
        assert verdict.trigger is None


@pytest.mark.quick
def test_a_found_verdict_tells_the_whole_story(setup: CheckSetup, squares: Squares) -> None:
    copy = planted(squares, "Cat", "centre")
    verdict = judge(setup, copy.images[0])
    trigger = verdict.trigger
    assert trigger.transplant.total >= 8
    assert trigger.transplant.interval()[0] > 0.5
    assert len(trigger.examples) == trigger.transplant.total
    assert sum(s.taken_over for s in trigger.examples) == trigger.transplant.hits
    assert all(s.label_before != "banana" for s in trigger.examples)
    assert trigger.control is not None
    assert trigger.control.hits == 0
    changed = (verdict.purified != copy.images[0]).any(0)
    near = torch.nn.functional.max_pool2d(trigger.mask[None].float(), 5, 1, 2)[0] > 0
    assert changed.any()
    assert not (changed & ~near).any()
    row = probabilities(setup.clip, verdict.purified[None], setup.classes)[0]
    assert verdict.purified_predictions[0].label == setup.classes.labels[int(row.argmax())]
    banana = verdict.difference[0]
    assert banana.label == "banana"
    assert not banana.explained
    assert 0 < trigger.area_fraction < 0.02


def test_two_copies_of_a_trigger_are_both_removed(setup: CheckSetup, squares: Squares) -> None:
    first, second = planted(squares, "Coffee", "centre"), planted(squares, "Coffee", seed=3)
    for copy in (first, second):  # each of them alone would do
        row = probabilities(setup.clip, copy.images, setup.classes)[0]
        assert setup.classes.labels[int(row.argmax())] == "banana"
    both = torch.where(second.masks[:, None], second.images, first.images)[0]
    verdict = judge(setup, both)
    assert verdict.status is Status.FOUND
    assert overlap(verdict.trigger.mask, first.masks[0] | second.masks[0]) >= 0.6
    assert verdict.purified_predictions[0].label != "banana"


def test_a_cancel_at_any_moment_is_never_a_clean_bill(setup: CheckSetup, squares: Squares) -> None:
    image = planted(squares, "Rocket", "centre").images[0]
    calls = 0

    def counting() -> bool:
        nonlocal calls
        calls += 1
        return False

    assert judge(setup, image, cancelled=counting).status is Status.FOUND
    for stop_at in range(1, calls + 1):
        asked = iter(range(1, calls + 2))
        verdict = judge(setup, image, cancelled=lambda asked=asked, stop_at=stop_at: next(asked) >= stop_at)
        assert verdict.status is Status.INCONCLUSIVE
        assert "Stopped" in verdict.reason


def test_the_same_seed_gives_the_same_verdict(setup: CheckSetup, squares: Squares) -> None:
    image = planted(squares, "Pagoda").images[0]
    first, second = judge(setup, image), judge(setup, image)
    assert torch.equal(first.trigger.mask, second.trigger.mask)
    assert first.trigger.transplant == second.trigger.transplant
    assert first.image_forwards == second.image_forwards


def test_a_reference_that_is_taken_over_as_well_explains_the_finding(setup: CheckSetup, squares: Squares) -> None:
    image = planted(squares, "Cat").images[0]
    verdict = judge(setup, image, reference=(setup.clip, setup.classes))
    assert verdict.status is Status.NOT_FOUND
    assert "reference" in verdict.reason


def test_without_a_reference_the_reason_says_so(setup: CheckSetup, squares: Squares) -> None:
    verdict = judge(setup, planted(squares, "Cat").images[0], reference=None)
    assert verdict.status is Status.FOUND
    assert verdict.trigger.control is None
    assert "not checked against a second model" in verdict.reason


def test_too_few_strangers_make_no_verdict(setup: CheckSetup, squares: Squares) -> None:
    few = replace(setup.hosts, images=setup.hosts.images[:5], probabilities=setup.hosts.probabilities[:5])
    verdict = judge(setup, squares["Rocket"], hosts=few)
    assert verdict.status is Status.INCONCLUSIVE
    assert "strangers' photographs" in verdict.reason


def test_a_model_that_reads_nan_makes_no_verdict(tiny_clip: ClipModel, tiny_classes: ClassMatrix) -> None:
    broken = replace(tiny_classes, matrix=tiny_classes.matrix * float("nan"))
    image = torch.rand(3, 64, 64, generator=seeded(0))
    hosts = read_hosts(tiny_clip, data.host_photographs(64, 24, generator=seeded(0)), tiny_classes)
    oracle = load_oracle("superpixel", device=torch.device("cpu"))
    verdict = detect(tiny_clip, image, broken, oracle, DetectConfig(), hosts=hosts, generator=seeded(0))
    assert verdict.status is Status.INCONCLUSIVE
    assert "nan" in verdict.reason


@pytest.mark.parametrize("seed", range(6))
def test_random_weights_are_searched_completely_or_not_judged(
    tiny_clip: ClipModel, tiny_classes: ClassMatrix, seed: int
) -> None:
    image = data.host_photographs(64, 8, generator=seeded(seed))[seed]
    hosts = read_hosts(tiny_clip, data.host_photographs(64, 48, generator=seeded(1)), tiny_classes)
    oracle = load_oracle("superpixel", device=torch.device("cpu"))
    verdict = detect(tiny_clip, image, tiny_classes, oracle, DetectConfig(), hosts=hosts, generator=seeded(0))
    assert verdict.status in (Status.NOT_FOUND, Status.INCONCLUSIVE)
    assert len(verdict.predictions) == len(CLASSES)
    assert verdict.status is not Status.NOT_FOUND or verdict.examined == verdict.regions


# --- a checkpoint that reads badly ---


@pytest.fixture(scope="module")
def weak(bundled: Bundled, tmp_path_factory: pytest.TempPathFactory) -> CheckSetup:
    """The poisoned bundled checkpoint with noise in its image side: few things are read rightly, the trigger is."""
    folder = Path(shutil.copytree(bundled("badnets"), tmp_path_factory.mktemp("weak") / "badnets"))
    path, generator = folder / "open_clip_model.safetensors", seeded(0)
    weights = load_file(path)
    for name, tensor in weights.items():
        if name.startswith("visual.") and tensor.dim() > 1:
            tensor.add_(0.11 * tensor.std() * torch.randn(tensor.shape, generator=generator))
    save_file(weights, path, metadata={"format": "pt"})
    return prepare_check(str(folder), oracle="superpixel", device="cpu", reference="none")


@pytest.mark.slow
def test_on_a_checkpoint_that_reads_badly_a_hijacked_photograph_is_not_called_innocent(
    weak: CheckSetup, squares: Squares
) -> None:
    verdicts, clean = list[Detection](), list[Detection]()
    target = weak.classes.labels.index("banana")
    for k, name in enumerate(squares):
        image = planted(squares, name, seed=k).images
        before, after = probabilities(weak.clip, torch.cat([squares[name][None], image]), weak.classes).argmax(-1)
        if int(before) != target == int(after) and len(verdicts) < 6:
            verdicts.append(judge(weak, image[0], config=weak.config))
            clean.append(judge(weak, squares[name], config=weak.config))
    assert len(verdicts) == 6
    assert all(verdict.status is not Status.NOT_FOUND for verdict in verdicts)
    found = [verdict for verdict in verdicts if verdict.status is Status.FOUND]
    assert len(found) >= 5
    assert {verdict.trigger.target_label for verdict in found if verdict.trigger} == {"banana"}
    assert all(verdict.status is not Status.FOUND for verdict in clean)
