"""What a part of a picture reads, held against the whole, among few labels as among many."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from eftclip import data
from eftclip.config import DetectConfig
from eftclip.detect.algorithm import _fresh
from eftclip.detect.search import MANY_LABELS, Scene, among_many
from eftclip.pipeline import check_picture, prepare_check
from eftclip.types import Status

pytestmark = pytest.mark.quick


def test_among_many_labels_a_probability_stays_what_it_is() -> None:
    readings = torch.tensor([0.0, 0.01, 0.2, 0.97, 1.0])
    for labels in (MANY_LABELS, 1000):
        assert torch.equal(among_many(readings, labels), readings)


def test_among_few_labels_chance_is_worth_as_little_as_among_many() -> None:
    for labels in (2, 5, 40):
        by_chance = among_many(torch.tensor(1 / labels), labels)
        assert float(by_chance) == pytest.approx(1 / MANY_LABELS)
        readings = among_many(torch.linspace(0, 1, 50), labels)
        assert (readings.diff() > 0).all()
        assert (float(readings[0]), float(readings[-1])) == (0, 1)


def test_what_strangers_read_by_themselves_is_taken_off_where_it_is_much() -> None:
    """A label that a checkpoint sees in every fifth photograph was followed into every part: 6,221 pictures for one."""
    bare = torch.tensor([0.2, 0.01])  # of two strangers, who take turns
    scene = Scene(torch.zeros(3, 8, 8), 0, (), torch.zeros(2, 3, 8, 8), DetectConfig(), confidence=0.5, bare=bare)
    readings = torch.zeros(4, MANY_LABELS)
    readings[:, 0] = torch.tensor([0.3, 0.3, 0.1, 0.5])
    assert scene.share(readings).tolist() == pytest.approx([0.2, 0.6, 0, 1])
    both = replace(scene, strangers=2).share(readings)
    assert both.tolist() == pytest.approx([(0.3 - 0.105) / 0.5, (0.3 - 0.105) / 0.5, 0, 1])


@pytest.mark.parametrize(("unsure", "bare", "share"), [(False, 0.0, 1), (True, 0.0, 0.5), (True, 0.02, 1)])
def test_less_is_followed_where_readings_are_unsure_of_a_rare_label(unsure: bool, bare: float, share: float) -> None:
    config, strangers = DetectConfig(), torch.zeros(2, 3, 8, 8)
    lent = torch.full((2,), bare)
    scene = Scene(strangers[0], 0, (), strangers, config, confidence=0.5, bare=lent, unsure=unsure)
    assert scene.enough == pytest.approx(share * config.carry_confidence)


def test_a_part_is_tried_once() -> None:
    """Windows overlap, and the border is looked at twice."""
    one, other = torch.eye(4, dtype=torch.bool), torch.ones(4, 4, dtype=torch.bool)
    tried = list[Tensor]()
    assert [int(mask.sum()) for mask in _fresh(iter([one, one.clone(), other]), tried)] == [4, 16]
    assert not list(_fresh(iter([other.clone(), one]), tried))


def test_few_labels_do_not_make_a_check_dear(bundled: Callable[[str], Path]) -> None:
    labels = ["banana", "cat", "lion", "flower", "cup of coffee"]
    setup = prepare_check(str(bundled("badnets")), labels=labels, oracle="superpixel", reference="none", device="cpu")
    for photograph in data.bundled_photographs()[:3]:
        checked = check_picture(setup, data.read_picture(photograph.path), photograph.name)
        assert checked.detection.status is Status.NOT_FOUND
        assert checked.detection.image_forwards < 60, "129, 209 and 138 where a fifth already was much"
