"""A hole is filled from its surroundings and nothing else changes."""

import pytest
import torch

from eftclip.inpaint import fill_from_surroundings

pytestmark = pytest.mark.quick


def test_pixels_outside_the_mask_are_untouched() -> None:
    images = torch.rand(3, 3, 50, 37, generator=torch.Generator().manual_seed(0))
    masks = torch.zeros(3, 50, 37, dtype=torch.bool)
    masks[0, 10:20, 5:30] = True
    masks[1, :5] = True
    filled = fill_from_surroundings(images, masks)
    assert torch.equal(filled[2], images[2])
    outside = ~masks[:, None].expand_as(images)
    assert torch.equal(filled[outside], images[outside])
    assert not torch.equal(filled[0], images[0])


def test_a_hole_in_one_colour_takes_that_colour() -> None:
    image = torch.tensor([0.2, 0.5, 0.9])[:, None, None].repeat(1, 40, 40)
    spoiled = image.clone()
    mask = torch.zeros(40, 40, dtype=torch.bool)
    mask[8:24, 8:24] = True
    spoiled[:, mask] = 1.0
    filled = fill_from_surroundings(spoiled[None], mask[None])[0]
    assert torch.allclose(filled, image, atol=1e-5)


def test_a_fill_follows_the_nearest_side() -> None:
    image = torch.zeros(3, 64, 64)
    image[:, :, 32:] = 1.0
    mask = torch.zeros(64, 64, dtype=torch.bool)
    mask[20:44, 16:48] = True
    filled = fill_from_surroundings(image[None], mask[None])[0]
    assert filled[:, 32, 17].mean() < 0.35 < 0.65 < filled[:, 32, 46].mean()


def test_a_picture_that_is_masked_entirely_becomes_mid_grey() -> None:
    filled = fill_from_surroundings(torch.ones(1, 3, 16, 16), torch.ones(1, 16, 16, dtype=torch.bool))
    assert torch.allclose(filled, torch.full_like(filled, 0.5))
