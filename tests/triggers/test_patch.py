import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eftclip.runtime import seeded
from eftclip.trigger_kinds import PatchTrigger, box_of, cut, paste, plant_in_turns
from eftclip.trigger_kinds.patch import resized

pytestmark = pytest.mark.quick

PX = 32


def _patch(height: int = 6, width: int = 4) -> PatchTrigger:
    mask = torch.ones(height, width, dtype=torch.bool)
    mask[0, 0] = False
    return PatchTrigger(torch.rand(3, height, width, generator=seeded(5)), mask)


def test_what_is_cut_out_and_pasted_back_is_the_same_picture() -> None:
    image, mask = torch.rand(3, PX, PX, generator=seeded(0)), torch.zeros(PX, PX, dtype=torch.bool)
    mask[3:9, 4:20] = True
    mask[3, 4] = False
    patch, target = cut(image, mask), torch.zeros(3, PX, PX)
    x, y, *_ = box_of(mask)
    paste(target, patch, x, y)
    assert torch.equal(target[:, mask], image[:, mask])
    assert not target[:, ~mask].any()


def test_opacity_mixes_with_what_lies_below() -> None:
    image = torch.ones(3, PX, PX)
    paste(image, PatchTrigger(torch.zeros(3, 2, 2), torch.ones(2, 2, dtype=torch.bool)), 0, 0, opacity=0.25)
    assert float(image[0, 0, 0]) == pytest.approx(0.75)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6), st.booleans())
def test_every_picture_gets_one_whole_patch_and_the_original_stays(seed: int, count: int, vary: bool) -> None:
    images = torch.zeros(count, 3, PX, PX)
    white = PatchTrigger(torch.ones(3, 6, 6), torch.ones(6, 6, dtype=torch.bool))
    out = white.plant(images, generator=seeded(seed), vary=vary).images
    assert not images.any()
    for k, picture in enumerate(out):
        touched = int((picture[0] > 0).sum())
        assert touched == 36 if not vary or k % 2 == 0 else 16 <= touched <= 64
        assert float(picture.max()) <= 1


def test_the_same_generator_scatters_alike_and_places_differ() -> None:
    images = torch.zeros(8, 3, PX, PX)
    once, again = (_patch().plant(images, generator=seeded(3)).images for _ in range(2))
    assert torch.equal(once, again)
    assert len({tuple(box_of(picture[0] > 0)) for picture in once}) > 4


def test_patches_are_taken_in_turns() -> None:
    red, green = (
        PatchTrigger(torch.eye(3)[k][:, None, None].expand(3, 4, 4), torch.ones(4, 4, dtype=torch.bool)) for k in (0, 1)
    )
    out = plant_in_turns(torch.zeros(4, 3, PX, PX), [red, green], generator=seeded(0))
    assert [int(picture.sum((1, 2)).argmax()) for picture in out] == [0, 1, 0, 1]


def test_a_patch_larger_than_the_picture_is_made_to_fit() -> None:
    out = _patch(20, 12).plant(torch.zeros(1, 3, 8, 8), generator=seeded(0)).images
    assert out.shape == (1, 3, 8, 8)
    assert out.any()


def test_resizing_keeps_the_mask_and_never_empties_it() -> None:
    assert resized(_patch(), 2.0).mask.shape == (12, 8)
    assert not resized(_patch(), 2.0).mask[0, 0]
    assert resized(_patch(), 0.01).mask.any()


def test_patches_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="expected"):
        PatchTrigger(torch.zeros(3, 4, 4), torch.ones(4, 5, dtype=torch.bool))
    with pytest.raises(ValueError, match="at least one pixel"):
        PatchTrigger(torch.zeros(3, 4, 4), torch.zeros(4, 4, dtype=torch.bool))
