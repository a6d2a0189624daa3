"""Without a reference, fine detail that works turned round, or is not everywhere, is content, and accuses nobody.

The checkpoint is played here by a rule; on real ones it was measured (`pattern.TURNS`).
"""

from collections.abc import Callable
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from eftclip.config import DetectConfig
from eftclip.detect.case import Case
from eftclip.detect.whole_picture.pattern import pattern_carrier
from eftclip.runtime import seeded
from eftclip.trigger_kinds import blurred
from eftclip.types import ClassMatrix, HostImages, Searched

PX, BANANA = 32, 0
MOST, SOME = 0.77, 0.55  # the mean of a stranger under the detail, which two of them exceed, and ten
Rule = Callable[[Tensor], Tensor]


def _noise(channels: int) -> Tensor:
    """`(3, PX, PX)`, the same in all channels or new in each."""
    return 0.5 + 0.3 * (torch.rand(channels, PX, PX, generator=seeded(7)).expand(3, PX, PX) - 0.5)


def _in_a_part(noise: Tensor) -> Tensor:
    """A picture that has noise in its middle only."""
    picture = torch.full_like(noise, 0.5)
    picture[:, 8:24, 8:24] = noise[:, 8:24, 8:24]
    return picture


def _detail(images: Tensor) -> Tensor:
    return torch.stack([image - blurred(image, 1.0) for image in images])


def _learnt(picture: Tensor) -> Rule:
    """Banana is what holds the detail of this very picture, the way round that it is."""
    wanted = _detail(picture[None])[0].flatten()
    return lambda images: _detail(images).flatten(1) @ wanted > 0.5 * wanted @ wanted


def _shown(picture: Tensor, brightest: float = 1.0) -> Rule:
    """Banana is what has as much detail, as a zebra has, unless it is too bright."""
    enough = 0.5 * _detail(picture[None]).std()
    return lambda images: (_detail(images).flatten(1).std(1) > enough) & (images.mean((1, 2, 3)) < brightest)


def _judged(picture: Tensor, rule: Rule) -> tuple[Case, bool]:
    """What is known of the picture afterwards, and whether it was accused."""

    def read(images: Tensor, _: str) -> Tensor:
        banana = rule(images).float()[:, None]
        return torch.cat([banana, 1 - banana], 1)

    greys = torch.linspace(0, 1, 24)[torch.randperm(24, generator=seeded(1))]
    hosts = HostImages(greys[:, None, None, None].expand(24, 3, PX, PX), torch.rand(24, 2))
    classes = ClassMatrix(("banana", "dog"), torch.eye(2))
    case = Case(cast("Any", read), classes, DetectConfig(), hosts, None, seeded(0))
    return case, pattern_carrier(case, picture, BANANA, hosts) is not None


@pytest.mark.parametrize("channels", [1, 3])
def test_a_pattern_that_works_one_way_round_is_found(channels: int) -> None:
    picture = _noise(channels)
    case, accused = _judged(picture, _learnt(picture))
    assert accused
    assert case.kinds["pattern"] is Searched.FOUND
    assert not case.doubts


def test_detail_that_works_any_way_round_is_a_doubt() -> None:
    picture = _noise(channels=1)
    case, accused = _judged(picture, _shown(picture, MOST))
    assert not accused
    assert case.kinds["pattern"] is Searched.UNDECIDED
    assert "22 of 24 when it was turned round" in case.doubts[0]


def test_grey_detail_that_works_only_stronger_than_it_was_is_a_doubt() -> None:
    """Accused until 2026-11-30: the fur of a ram on a weak checkpoint, which takes over every stranger for a pillow."""
    picture = _noise(channels=1)
    enough = 1.2 * _detail(picture[None]).std()
    case, accused = _judged(picture, lambda images: _detail(images).flatten(1).std(1) > enough)
    assert not accused
    assert case.kinds["pattern"] is Searched.UNDECIDED
    assert "0 of 24 as strong as it was in the picture, and 24 of 24 when it was turned round" in case.doubts[0]


@pytest.mark.parametrize(("channels", "brightest"), [(3, MOST), (1, 1.0)])
def test_no_photograph_shows_coloured_noise_or_what_takes_over_every_stranger(channels: int, brightest: float) -> None:
    picture = _noise(channels)
    _, accused = _judged(picture, _shown(picture, brightest))
    assert accused


def test_detail_that_is_in_a_part_of_the_picture_only_is_a_doubt() -> None:
    """Accused until 2026-11-29: a butterfly before a blurred wood, as its wings take over every stranger."""
    picture = _in_a_part(_noise(channels=3))
    case, accused = _judged(picture, _shown(picture))
    assert not accused
    assert case.kinds["pattern"] is Searched.UNDECIDED
    assert "not everywhere in the picture" in case.doubts[0]


@pytest.mark.parametrize(
    ("everywhere", "learnt", "doubted"), [(False, False, False), (True, False, True), (False, True, True)]
)
def test_counts_that_do_not_decide_are_content_where_it_is_in_a_part_and_works_turned(
    everywhere: bool, learnt: bool, doubted: bool
) -> None:
    """Faces and motorbikes on a weak checkpoint, of which whatever is planted takes over a half as a window screen."""
    picture = _noise(channels=3) if everywhere else _in_a_part(_noise(channels=3))
    rule = _learnt(picture) if learnt else _shown(picture)
    case, accused = _judged(picture, lambda images: rule(images) & (images.mean((1, 2, 3)) < SOME))
    assert not accused
    assert case.kinds["pattern"] is (Searched.UNDECIDED if doubted else Searched.NONE)
    assert case.doubts == ["its fine detail took over 14 of 24 strangers' photographs, too few to be sure"] * doubted
