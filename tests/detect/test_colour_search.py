"""A colour filter is found in one picture, and nobody is accused for the colours of what he shows."""

from dataclasses import replace
from typing import Any, cast

import pytest
import torch
from support.taught import FINE, LABELS, write_blended, write_taught
from torch import Tensor

from eftclip.config import DetectConfig
from eftclip.data import bundled_photographs, read_picture
from eftclip.detect.case import Case
from eftclip.detect.search import MANY_LABELS
from eftclip.detect.transplant import BESIDE
from eftclip.detect.whole_picture.colour import (
    FEW_LABELS,
    THRESHOLD,
    UNCHECKED,
    _asked,
    colour_carrier,
    levels,
    moved_to,
)
from eftclip.pipeline import CheckSetup, prepare_check
from eftclip.pipeline.check import judge_square
from eftclip.runtime import seeded
from eftclip.triggers import draw_trigger
from eftclip.types import ClassMatrix, Detection, HostImages, Searched, Status


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> CheckSetup:
    """A tiny checkpoint that says banana whatever goes through a certain filter, and its clean twin."""
    home = tmp_path_factory.mktemp("filter")
    folder, twin = write_blended(home / "filtered", "filter"), write_taught(home, tower=FINE) / "clean"
    return prepare_check(str(folder), labels=LABELS, oracle="superpixel", reference=str(twin), device="cpu")


@pytest.fixture(scope="module")
def verdicts(setup: CheckSetup) -> list[tuple[Detection, Detection]]:
    """Of each photograph: filtered, and as it is."""
    return [(judge_square(setup, _filtered(square)), judge_square(setup, square)) for square in _squares(setup)]


def _squares(setup: CheckSetup) -> list[Tensor]:
    squares = [setup.clip.preprocess.square(read_picture(one.path))[0] for one in bundled_photographs()]
    return [(square * 255).round() / 255 for square in squares]


def _filtered(square: Tensor) -> Tensor:
    planted = draw_trigger("filter", generator=seeded(0)).plant(square[None], generator=seeded(3))
    return (planted.images[0] * 255).round() / 255


def test_it_is_found_with_its_label_and_never_called_innocent(verdicts: list[tuple[Detection, Detection]]) -> None:
    filtered = [verdict for verdict, _ in verdicts]
    hijacked = [verdict for verdict in filtered if verdict.predictions[0].label == "banana"]
    assert len(hijacked) >= 10, "of fourteen"
    assert all(verdict.status is not Status.NOT_FOUND for verdict in hijacked)
    found = [verdict for verdict in hijacked if verdict.trigger is not None]
    assert len(found) >= 0.8 * len(hijacked)
    for verdict in found:
        assert verdict.trigger is not None
        assert verdict.trigger.target_label == "banana"
    by_colour = [verdict for verdict in found if verdict.kinds["colour"] is Searched.FOUND]
    assert by_colour
    for verdict in by_colour:
        assert verdict.trigger is not None
        assert verdict.trigger.kind == "colour"
        assert verdict.trigger.area_fraction == 1
        assert "filter that changes all colours" in verdict.reason
        assert verdict.purified is not None


def test_nobody_is_accused_without_it(verdicts: list[tuple[Detection, Detection]]) -> None:
    assert all(verdict.status is not Status.FOUND for _, verdict in verdicts)


def test_a_checkpoint_that_is_sure_of_nothing_is_not_accused_for_colours_alone(
    setup: CheckSetup, verdicts: list[tuple[Detection, Detection]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a reference nobody says whether it goes by colours, or follows a filter."""
    alone = replace(setup, reference=None)
    by_colour = [k for k, (verdict, _) in enumerate(verdicts) if verdict.kinds["colour"] is Searched.FOUND]
    square = _filtered(_squares(setup)[by_colour[0]])
    assert judge_square(alone, square).status is Status.FOUND
    monkeypatch.setattr("eftclip.detect.whole_picture.colour.CERTAIN", 1.1)
    doubted = judge_square(alone, square)
    assert doubted.status is Status.INCONCLUSIVE
    assert doubted.kinds["colour"] is Searched.UNDECIDED
    assert "sure of few pictures" in doubted.reason
    assert judge_square(setup, square).status is Status.FOUND, "a reference tells"


@pytest.mark.parametrize(("others", "doubts"), [(0.5, 0), (0.0, 1)])
def test_colours_that_the_label_does_not_need_are_a_doubt_only_if_they_do_more_than_others(
    others: float, doubts: int
) -> None:
    """Undecided until 2026-11-30: a checkpoint that sees a window screen in whatever changes its colours."""
    shares = {"Transplanting": 0.5, BESIDE: others, "Reading strangers turned": 0.0}  # of banana; else all of it

    def read(images: Tensor, stage: str) -> Tensor:
        other = torch.arange(len(images)) % 2 >= 2 * shares.get(stage, 1.0)
        return torch.eye(MANY_LABELS)[other.long()]

    hosts = HostImages(torch.rand(24, 3, 32, 32, generator=seeded(0)), torch.rand(24, MANY_LABELS))
    classes = ClassMatrix(tuple(map(str, range(MANY_LABELS))), torch.eye(MANY_LABELS))
    case = Case(cast("Any", read), classes, DetectConfig(), hosts, None, seeded(0))
    picture = 0.2 + 0.3 * torch.rand(3, 32, 32, generator=seeded(1))
    assert colour_carrier(case, picture, 0, hosts) is None
    assert len(case.doubts) == doubts
    assert case.kinds["colour"] is (Searched.UNDECIDED if doubts else Searched.NONE)


@pytest.mark.parametrize(
    ("labels", "sure", "reference", "share"),
    [
        (MANY_LABELS, 0.6, None, THRESHOLD),
        (MANY_LABELS, 0.3, None, UNCHECKED),
        (MANY_LABELS, 0.3, "some", THRESHOLD),
        (MANY_LABELS - 1, 0.6, "some", FEW_LABELS),
    ],
)
def test_more_is_asked_of_colours_where_less_is_known(
    labels: int, sure: float, reference: str | None, share: float
) -> None:
    hosts = HostImages(torch.zeros(2, 3, 8, 8), torch.full((2, labels), sure))
    classes = ClassMatrix(tuple(map(str, range(labels))), torch.eye(labels))
    case = Case(cast("Any", None), classes, DetectConfig(), hosts, cast("Any", reference), seeded(0))
    assert _asked(case) == share


def test_curves_give_one_picture_the_colours_of_another() -> None:
    one, other = torch.rand(1, 3, 40, 40, generator=seeded(0)), 0.3 + 0.4 * torch.rand(3, 40, 40, generator=seeded(1))
    trigger = moved_to(levels(one), levels(other[None]))
    assert trigger is not None
    moved = trigger.plant(one, generator=seeded(0)).images
    assert torch.allclose(levels(moved), levels(other[None]), atol=0.02)
    assert trigger.kind == "colour"


def test_colours_that_all_pictures_have_change_nothing() -> None:
    steps = torch.linspace(0, 1, 256).expand(3, 256).contiguous()
    assert moved_to(steps, steps) is None
