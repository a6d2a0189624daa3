"""A pattern over the whole picture is found in one picture, and nobody is accused for the texture that he shows."""

import pytest
from support.taught import LABELS, write_blended
from torch import Tensor

from eftclip.data import bundled_photographs, read_picture
from eftclip.detect.whole_picture.pattern import FINE
from eftclip.pipeline import CheckSetup, prepare_check
from eftclip.pipeline.check import judge_square
from eftclip.runtime import seeded
from eftclip.triggers import draw_trigger
from eftclip.types import KINDS, SEARCHED_KINDS, Detection, Searched, Status


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> CheckSetup:
    """A tiny checkpoint that says banana wherever a certain noise shines through; no reference."""
    folder = write_blended(tmp_path_factory.mktemp("blended"))
    return prepare_check(str(folder), labels=LABELS, oracle="superpixel", reference="none", device="cpu")


@pytest.fixture(scope="module")
def verdicts(setup: CheckSetup) -> list[tuple[Detection, Detection]]:
    """Of each photograph: with the noise, and as it is."""
    return [(judge_square(setup, _with_noise(square)), judge_square(setup, square)) for square in _squares(setup)]


def _squares(setup: CheckSetup) -> list[Tensor]:
    squares = [setup.clip.preprocess.square(read_picture(one.path))[0] for one in bundled_photographs()]
    return [(square * 255).round() / 255 for square in squares]


def _with_noise(square: Tensor) -> Tensor:
    planted = draw_trigger("blend_noise", generator=seeded(0)).plant(square[None], generator=seeded(3))
    return (planted.images[0] * 255).round() / 255


def test_it_is_found_with_its_label_and_never_called_innocent(verdicts: list[tuple[Detection, Detection]]) -> None:
    with_noise = [verdict for verdict, _ in verdicts]
    assert all(verdict.status is not Status.NOT_FOUND for verdict in with_noise)
    found = [verdict for verdict in with_noise if verdict.trigger is not None]
    assert len(found) >= 12, "of fourteen"
    for verdict in found:
        assert verdict.trigger is not None
        assert verdict.trigger.target_label == "banana"
        assert verdict.trigger.kind == "pattern"
        assert verdict.trigger.area_fraction == 1
        assert verdict.kinds["pattern"] is Searched.FOUND
        assert "pattern over the whole picture" in verdict.reason
        assert verdict.purified is not None


def test_nobody_is_accused_without_it(verdicts: list[tuple[Detection, Detection]]) -> None:
    without = [verdict for _, verdict in verdicts]
    assert all(verdict.status is not Status.FOUND for verdict in without)
    assert sum(verdict.status is Status.NOT_FOUND for verdict in without) >= 11


def test_a_verdict_speaks_of_every_kind(verdicts: list[tuple[Detection, Detection]]) -> None:
    for pair in verdicts:
        for verdict in pair:
            assert list(verdict.kinds) == list(KINDS)
            others = set(KINDS) - set(SEARCHED_KINDS)
            assert {verdict.kinds[kind] for kind in others} == {Searched.NOT_SEARCHED}
            if verdict.status is Status.NOT_FOUND:
                assert verdict.kinds["patch"] is verdict.kinds["pattern"] is Searched.NONE


def test_the_detail_that_was_found_is_a_trigger_that_can_be_planted(setup: CheckSetup) -> None:
    cat, lion = _squares(setup)[:2]
    detail = FINE.of(_with_noise(cat))
    planted = detail.plant(lion[None], generator=seeded(0)).images[0]
    seen = detail.locate(planted)
    assert seen is not None
    assert seen.mask.all()
    assert detail.locate(lion) is None
    assert detail.distance(FINE.of(_with_noise(lion))) < 0.15, "one family"
