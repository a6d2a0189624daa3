"""Where a picture looks like a patch: every place at once gives what each gives alone."""

import pytest
import torch

from eftclip.runtime import seeded
from eftclip.trigger_kinds.matching import best_place

pytestmark = pytest.mark.quick


@pytest.mark.parametrize("image_px", [(40, 40), (33, 47)])
@pytest.mark.parametrize("patch_px", [(5, 5), (8, 3), (33, 40)])
def test_the_best_place_is_that_of_a_search_place_by_place(
    image_px: tuple[int, int], patch_px: tuple[int, int]
) -> None:
    generator = seeded(0)
    image = torch.rand(3, *image_px, generator=generator)
    pixels, (height, width) = torch.rand(3, *patch_px, generator=generator), patch_px
    shape = torch.ones(patch_px, dtype=torch.bool)
    error, mask = best_place(image, pixels, shape)
    core = torch.zeros_like(shape)
    core[1:-1, 1:-1] = True
    core = core if int(core.sum()) >= 16 else shape  # of small patches nothing is left out
    places = [(y, x) for y in range(image_px[0] - height + 1) for x in range(image_px[1] - width + 1)]
    alone = {
        (y, x): (
            float((image[:, y : y + height, x : x + width] - pixels)[:, core].square().mean()),
            float((image[:, y : y + height, x : x + width] - pixels).square().mean()),
        )
        for y, x in places
    }
    best = min(places, key=lambda place: alone[place][0] + 0.1 * alone[place][1])
    assert error == pytest.approx(alone[best][0] ** 0.5, abs=1e-4)
    assert mask.nonzero()[0].tolist() == list(best)
    assert int(mask.sum()) == height * width


def test_the_patch_itself_is_no_error_wherever_it_lies() -> None:
    image = torch.rand(3, 60, 60, generator=seeded(1))
    shape = torch.ones(12, 12, dtype=torch.bool)
    for y, x in ((0, 0), (48, 48), (0, 48), (17, 31)):
        error, mask = best_place(image, image[:, y : y + 12, x : x + 12], shape)
        assert error < 5e-3
        assert mask.nonzero()[0].tolist() == [y, x]
