"""The paper's Algorithm 1 as published, beside ours: on the bundled checkpoints, and its sets from readings by hand."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from eftclip import data
from eftclip.config import ALGORITHM_NAMES, DetectConfig
from eftclip.detect import ALGORITHMS
from eftclip.detect.prompted import PromptedReadings, difference, longest_list, read_prompted
from eftclip.detect.reader import Reader
from eftclip.detect.windows import box_mask, grid
from eftclip.pipeline import CheckSetup, judge_square, prepare_check
from eftclip.runtime import ignore, never, seeded
from eftclip.triggers import Planted, draw_trigger
from eftclip.types import KINDS, Detection, NamedPart, Rate, Region, Searched, Status
from eftclip.zeroshot import probabilities

pytestmark = pytest.mark.quick
WHOLE, PATCH, CORNER = (0, 0, 100, 100), (10, 10, 26, 26), (0, 0, 40, 40)
SIDE = 7  # of the grid; a trigger in the middle lies wholly in one of its squares
PHOTOGRAPHS = ("Cat", "Coffee")


class Grid:
    """An oracle that sees squares: few, so that the tests are quick, and one of them round the middle."""

    name = "grid"

    def regions(self, image: Tensor) -> tuple[Region, ...]:
        height, width = image.shape[1:]
        boxes = grid((0, 0, width, height), SIDE, 0)
        return tuple(Region(box_mask(box, height, width), box, 1.0) for box in boxes)


@pytest.fixture(scope="module")
def prepared(bundled: Callable[[str], Path]) -> CheckSetup:
    bundled("clean")
    return prepare_check(str(bundled("badnets")), oracle="superpixel", device="cpu")


@pytest.fixture(scope="module")
def setup(prepared: CheckSetup) -> CheckSetup:
    return replace(prepared, oracle=Grid())


@pytest.fixture(scope="module")
def by_the_paper(setup: CheckSetup) -> CheckSetup:
    return replace(setup, config=DetectConfig(algorithm="paper"))


@pytest.fixture(scope="module")
def squares(setup: CheckSetup) -> Tensor:
    paths = {photo.name: photo.path for photo in data.bundled_photographs()}
    return torch.stack([setup.clip.preprocess.square(data.read_picture(paths[name]))[0] for name in PHOTOGRAPHS])


@pytest.fixture(scope="module")
def hijacked(setup: CheckSetup, squares: Tensor) -> Planted:
    """Photographs that the trigger makes a banana."""
    planted = draw_trigger("badnets", generator=seeded(0)).plant(squares, generator=seeded(0), position="centre")
    read = probabilities(setup.clip, planted.images, setup.classes).argmax(-1)
    assert {setup.classes.labels[int(k)] for k in read} == {"banana"}
    return planted


# --- both algorithms ---


def test_every_algorithm_that_can_be_chosen_is_there() -> None:
    assert tuple(ALGORITHMS) == ALGORITHM_NAMES
    assert ALGORITHM_NAMES[0] == DetectConfig().algorithm
    assert all(set(algorithm.kinds) <= set(KINDS) for algorithm in ALGORITHMS.values())


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_trigger_is_found_and_proven_whoever_judges(name: str, setup: CheckSetup, hijacked: Planted) -> None:
    chosen = replace(setup, config=DetectConfig(algorithm=name))
    for image, mask in zip(hijacked.images, hijacked.masks, strict=True):
        verdict = judge_square(chosen, image, seed=3)
        trigger = verdict.trigger
        assert verdict.status is Status.FOUND and trigger is not None, verdict.reason
        assert (verdict.algorithm, trigger.target_label) == (name, "banana")
        assert (trigger.mask & mask).sum() >= 0.8 * mask.sum()
        assert trigger.transplant.interval()[0] > chosen.config.transplant_threshold
        assert trigger.control == Rate(0, trigger.transplant.total)
        assert len(trigger.examples) == trigger.transplant.total
        assert verdict.purified_predictions[0].label != "banana"
        assert verdict.kinds["patch"] is Searched.FOUND
        again = judge_square(chosen, image, seed=3)
        assert (again.reason, again.image_forwards) == (verdict.reason, verdict.image_forwards)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_nothing_is_found_in_a_photograph_and_what_was_looked_for_is_said(
    name: str, setup: CheckSetup, squares: Tensor
) -> None:
    verdict = judge_square(replace(setup, config=DetectConfig(algorithm=name)), squares[0])
    assert (verdict.status, verdict.algorithm, verdict.named) == (Status.NOT_FOUND, name, None), verdict.reason
    assert verdict.examined == verdict.regions >= SIDE * SIDE
    looked_for = {kind for kind, outcome in verdict.kinds.items() if outcome is not Searched.NOT_SEARCHED}
    assert looked_for == set(ALGORITHMS[name].kinds)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_cancel_is_never_a_clean_bill_whoever_judges(name: str, setup: CheckSetup, squares: Tensor) -> None:
    chosen, calls = replace(setup, config=DetectConfig(algorithm=name)), 0

    def counting() -> bool:
        nonlocal calls
        calls += 1
        return False

    assert judge_square(chosen, squares[0], cancelled=counting).status is Status.NOT_FOUND
    for stop_at in {1, 2, calls // 2, calls}:
        stopped = [*[False] * (stop_at - 1), *[True] * calls]
        verdict = judge_square(chosen, squares[0], cancelled=partial(next, iter(stopped)))
        assert verdict.status is Status.INCONCLUSIVE
        assert verdict.algorithm == name


# --- the paper's ---


def test_the_paper_names_the_label_and_its_box(by_the_paper: CheckSetup, hijacked: Planted) -> None:
    verdict = judge_square(by_the_paper, hijacked.images[0])
    assert verdict.named is not None
    assert (verdict.named.label, verdict.named.box) == ("banana", (96, 96, 128, 128))
    assert verdict.named.confidence > 0.66
    assert verdict.named.transplant is not None
    assert verdict.reason.startswith("The paper's rule names “banana”, which CLIP reads in")
    assert not verdict.difference[0].explained


def test_superpixels_are_prompted_too(prepared: CheckSetup, hijacked: Planted) -> None:
    verdict = judge_square(replace(prepared, config=DetectConfig(algorithm="paper")), hijacked.images[0])
    assert verdict.status is Status.FOUND and verdict.named is not None, verdict.reason
    assert (verdict.named.mask & hijacked.masks[0]).sum() >= 0.8 * hijacked.masks[0].sum()


def test_without_a_reference_nothing_can_be_prompted(by_the_paper: CheckSetup, hijacked: Planted) -> None:
    verdict = judge_square(replace(by_the_paper, reference=None), hijacked.images[0])
    assert verdict.status is Status.INCONCLUSIVE
    assert "only a trusted reference checkpoint can answer" in verdict.reason
    assert verdict.predictions[0].label == "banana"
    assert set(verdict.kinds.values()) == {Searched.NOT_SEARCHED}


def test_a_label_that_the_oracle_sees_is_not_named(by_the_paper: CheckSetup, hijacked: Planted) -> None:
    own = (by_the_paper.clip, by_the_paper.classes)  # sees a banana wherever a box with the trigger in it is enlarged
    whole = replace(by_the_paper, reference=own, oracle=_Whole())
    verdict = judge_square(whole, hijacked.images[0])
    assert verdict.difference[0].explained
    assert verdict.status is Status.NOT_FOUND


def test_what_is_named_and_not_proven_is_no_finding(by_the_paper: CheckSetup, hijacked: Planted) -> None:
    strict = replace(by_the_paper, config=replace(by_the_paper.config, max_area_fraction=0.005))
    verdict = judge_square(strict, hijacked.images[0])
    assert verdict.named is not None and verdict.named.transplant is None
    assert verdict.status is Status.INCONCLUSIVE
    assert verdict.kinds["patch"] is Searched.UNDECIDED
    assert "more than a trigger may" in verdict.reason


class _Whole(Grid):
    """An oracle that sees the whole picture as one thing."""

    def regions(self, image: Tensor) -> tuple[Region, ...]:
        height, width = image.shape[1:]
        return (Region(box_mask((0, 0, width, height), height, width), (0, 0, width, height), 1.0),)


def test_counts_that_do_not_decide_are_no_finding(by_the_paper: CheckSetup, hijacked: Planted) -> None:
    """Eight strangers cannot show that 95 % are taken over."""
    far = replace(by_the_paper.config, transplant_threshold=0.95, transplants=8)
    verdict = judge_square(replace(by_the_paper, config=far), hijacked.images[0])
    assert verdict.named is not None and verdict.named.transplant is not None
    assert verdict.status is Status.INCONCLUSIVE
    assert "strangers' photographs do not prove it" in verdict.reason


def test_nothing_found_can_name_nothing() -> None:
    part = NamedPart("banana", torch.ones(4, 4, dtype=torch.bool), (0, 0, 4, 4), 0.9, transplant=Rate(0, 24))
    with pytest.raises(ValueError, match="names nothing"):
        Detection(Status.NOT_FOUND, "All was examined.", named=part)


# --- its sets ---


def readings(whole: list[float], oracle: list[list[float]], again: list[list[float]]) -> PromptedReadings:
    """Three boxes: the whole picture, the patch, and a corner around it."""
    rows = [torch.tensor(values, dtype=torch.float64) for values in (whole, oracle, again)]
    return PromptedReadings(torch.arange(len(whole)), rows[0], (WHOLE, PATCH, CORNER), rows[1], rows[2], 1000)


HIJACKED = readings([0.90, 0.06, 0.001], [[0.01, 0.9, 0.0]] * 3, [[0.5, 0.3, 0.0], [0.98, 0.0, 0.0], [0.97, 0.0, 0.0]])


def test_what_clip_reads_and_the_oracle_does_not_see_is_left() -> None:
    sets = difference(HIJACKED, 3, 0.66)
    assert sets.left == (0,)
    assert sets.box is not None
    assert HIJACKED.boxes[sets.box] == PATCH, "the smallest of those that are read so"
    assert sets.listed.tolist() == pytest.approx([0.90 / 0.939, 0.06 / 0.099, 0.001 / 0.04])


def test_a_label_that_no_box_is_read_as_is_refined_away() -> None:
    weak = replace(HIJACKED, again=torch.full((3, 3), 0.01, dtype=torch.float64))
    assert difference(weak, 3, 0.66).box is None


@pytest.mark.parametrize(("theta", "left"), [(0.3, 1), (0.9, 1), (0.96, 0)])
def test_confidence_decides_what_is_listed(theta: float, left: int) -> None:
    assert len(difference(HIJACKED, 3, theta).left) == left


def test_the_length_of_the_list_decides_what_is_listed() -> None:
    both = readings([0.5, 0.45], [[0.0, 0.0]] * 3, [[0.5, 0.45]] * 3)
    assert difference(both, 1, 0.66).left == ()  # 0.5 against the 0.5 that is off the list
    assert difference(both, 2, 0.66).left == (0, 1)


def test_a_shorter_list_is_the_beginning_of_a_longer_one(setup: CheckSetup, hijacked: Planted) -> None:
    """So the curves over τ and θ come from one reading."""
    image = hijacked.images[0]
    row = probabilities(setup.clip, image[None], setup.classes)[0]
    regions = setup.oracle.regions(image)
    assert setup.reference is not None
    long, short = (
        read_prompted(Reader(setup.clip, setup.classes, ignore, never), setup.reference, image, row, regions, length)
        for length in (6, 3)
    )
    for theta in (0.3, 0.5, 0.66, 0.9):
        a, b = difference(long, 3, theta), difference(short, 3, theta)
        assert (a.left, a.box) == (b.left, b.box)
        assert torch.allclose(a.seen, b.seen)


def test_among_few_labels_confidence_is_held_against_many() -> None:
    few = replace(HIJACKED, vocabulary=12)
    assert difference(few, 3, 0.3).listed[0] == pytest.approx(0.9 / (0.9 + 0.039 * 97 / 9))


def test_half_of_the_labels_stay_off_the_list() -> None:
    assert [longest_list(count, 10) for count in (1000, 14, 2, 1)] == [10, 7, 1, 1]
