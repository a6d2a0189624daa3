"""The pattern that some photographs share comes out of the median of their edges, far closer than out of their mean."""

import pytest
import torch
from torch import Tensor

from eftclip.data import host_photographs
from eftclip.identify.together.common_edges import agreed_pattern, common_pattern
from eftclip.identify.together.picture_groups import INNOCENT, PictureGroups
from eftclip.runtime import seeded
from eftclip.triggers import draw_trigger

PX = 96


@pytest.fixture(scope="module")
def photographs() -> Tensor:
    return host_photographs(PX, 24, generator=seeded(0))


def _alike(one: Tensor, other: Tensor) -> float:
    """Correlation, each channel with its mean taken away."""
    a, b = ((picture - picture.mean((1, 2), keepdim=True)).flatten() for picture in (one, other))
    return float(a @ b / a.norm() / b.norm())


def test_edges_make_the_picture_again(photographs: Tensor) -> None:
    picture = photographs[0, :, :60]  # not a square
    assert torch.allclose(common_pattern(picture[None]), picture, atol=1e-4)


@pytest.mark.parametrize("name", ["blend_pattern", "blend_triangles", "blend_text", "blend_noise", "sig"])
@pytest.mark.parametrize("count", [5, 12])
def test_it_is_closer_than_the_mean(name: str, count: int, photographs: Tensor) -> None:
    trigger = draw_trigger(name, generator=seeded(3))
    planted = trigger.plant(photographs[:count], generator=seeded(1)).images
    grey = torch.full((1, 3, PX, PX), 0.5)
    true = trigger.plant(grey, generator=seeded(1)).images[0] - grey[0]
    mean = planted.mean(0) - photographs[12:].mean(0)
    assert _alike(common_pattern(planted), true) > _alike(mean, true) + 0.05


def test_of_an_even_number_no_side_is_preferred(photographs: Tensor) -> None:
    """Torch's median of an even number is the lower one, and a slope over the whole picture came of it."""
    four = photographs[:4]
    assert torch.allclose(common_pattern(1 - four), 1 - common_pattern(four), atol=1e-4)


def test_a_frame_that_all_pictures_have_is_no_part_of_the_pattern(photographs: Tensor) -> None:
    framed = photographs.clone()
    framed[..., :6, :] = framed[..., -6:, :] = 0.0
    cartoon = draw_trigger("blend_pattern", generator=seeded(3))
    groups = PictureGroups()
    for square in cartoon.plant(framed[:8], generator=seeded(1)).images:
        groups.add("banana", square)
    for square in framed[8:]:
        groups.add("", square)
    [shared] = groups.shared()
    alone = common_pattern(cartoon.plant(framed[:8], generator=seeded(1)).images)
    assert _step(shared.pattern) < 0.3 * _step(alone)
    assert shared.innocent.shape == (INNOCENT, 3, PX, PX)


def test_photographs_agree_in_next_to_nothing(photographs: Tensor) -> None:
    agreed, common = (of(photographs).flatten(1).std(1).mean() for of in (agreed_pattern, common_pattern))
    assert float(agreed) < 0.5 * float(common)


def _step(pattern: Tensor) -> float:
    """How much the pattern rises where the frame ends."""
    return float((pattern[:, 6] - pattern[:, 5]).mean().abs())
