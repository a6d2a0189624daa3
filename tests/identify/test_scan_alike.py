"""A few pictures that no search decided, and that share a pattern, show a trigger together."""

from dataclasses import replace

import pytest
import torch
from support.poisoned import Poisoned, poisoned_set
from support.taught import COARSE, LABELS, shaded, write_blended
from torch import Tensor

from eftclip.config import ScanConfig
from eftclip.identify import Judge, scan
from eftclip.identify.together.alike import LEAST_ALIKE
from eftclip.identify.together.picture_groups import LEAST_SHARING
from eftclip.pipeline import CheckSetup, prepare_check
from eftclip.pipeline.scan import judge_of
from eftclip.rectify.augmentation import random_view
from eftclip.runtime import seeded
from eftclip.triggers import draw_trigger
from eftclip.types import Detection, Status
from eftclip.zeroshot import probabilities

FEW = 4
UNDECIDED = Detection(Status.INCONCLUSIVE, "It cannot be decided.")


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> CheckSetup:
    """A tiny checkpoint that says banana wherever a text shines through the picture; no reference."""
    folder = write_blended(tmp_path_factory.mktemp("text") / "text", "blend_text", tower=COARSE)
    return prepare_check(str(folder), labels=LABELS, oracle="superpixel", reference="none", device="cpu")


@pytest.fixture(scope="module")
def poisoned(setup: CheckSetup) -> Poisoned:
    made = poisoned_set(
        setup, _squares(setup)[: 5 * FEW], [(draw_trigger("blend_text", generator=seeded(0)), "banana")]
    )
    assert len(made.hijacked) == FEW < LEAST_SHARING, "too few for the average of all that read alike"
    return made


def _squares(setup: CheckSetup) -> Tensor:
    return torch.cat([shaded(setup.clip, shade) for shade in (0.95, 0.85)])


def undecided(setup: CheckSetup) -> Judge:
    """A judge whose search of one picture leaves every doubt open, as that of a faint cartoon does."""
    return replace(judge_of(setup), search=lambda square: UNDECIDED)


def test_they_are_found_and_named(setup: CheckSetup, poisoned: Poisoned) -> None:
    found = scan(undecided(setup), poisoned.images, ScanConfig())
    assert found.affected_labels == ("banana",)
    assert {victim.index for victim in found.victims} == poisoned.triggered
    assert found.coverage.matched == FEW
    assert found.coverage.averaged == 1
    assert found.coverage.undecided == 4 * FEW == len(found.faults), "each sample in one count"


@pytest.mark.parametrize(("count", "labels"), [(3, ("banana",)), (1, ())])
def test_three_are_enough_and_one_is_not(setup: CheckSetup, count: int, labels: tuple[str, ...]) -> None:
    trigger = draw_trigger("blend_text", generator=seeded(0))
    some = poisoned_set(setup, _squares(setup)[: 5 * count], [(trigger, "banana")])
    assert len(some.hijacked) == count
    found = scan(undecided(setup), some.images, ScanConfig())
    assert found.affected_labels == labels


def test_pictures_of_one_thing_are_not_accused_however_many_are_undecided(setup: CheckSetup) -> None:
    squares = torch.cat([_squares(setup)[k::14] for k in range(4)])
    found = scan(undecided(setup), poisoned_set(setup, squares, []).images, ScanConfig())
    assert (found.families, found.status) == ((), Status.INCONCLUSIVE)
    assert found.coverage.averaged == 0


def test_what_takes_nobody_over_is_no_trigger(setup: CheckSetup) -> None:
    """A watermark, say: the pictures of one label share it, and it forces nothing."""
    squares = torch.cat([random_view(_squares(setup)[3:4], seeded(k)) for k in range(6)])
    marked = (draw_trigger("blend_noise", generator=seeded(9)).plant(squares, generator=seeded(0)).images * 255).round()
    read = probabilities(setup.clip, marked / 255, setup.classes).argmax(-1).tolist()
    assert max(map(read.count, read)) >= LEAST_ALIKE, "one label is averaged"
    found = scan(undecided(setup), poisoned_set(setup, marked / 255, []).images, ScanConfig())
    assert (found.families, found.status) == ((), Status.INCONCLUSIVE)
    assert found.coverage.averaged >= 1
