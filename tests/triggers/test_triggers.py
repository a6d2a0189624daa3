"""The red team's contract: a trigger is drawn once and planted the same for ever."""

import pytest
import torch

from eftclip.errors import TriggerError
from eftclip.runtime import seeded
from eftclip.triggers import POSITIONS, TRIGGERS, PatchSpec, draw_patch, draw_trigger, patch_trigger

pytestmark = pytest.mark.quick

PATCHES = {name: spec for name, spec in TRIGGERS.items() if isinstance(spec, PatchSpec)}
PATTERNS = sorted(set(TRIGGERS) - set(PATCHES))
every_trigger = pytest.mark.parametrize("name", sorted(PATCHES))
every_pattern = pytest.mark.parametrize("name", PATTERNS)


def _images(count: int = 3, height: int = 64, width: int = 96) -> torch.Tensor:
    return torch.rand(count, 3, height, width, generator=seeded(0))


@every_trigger
@pytest.mark.parametrize("patch_px", [4, 8, 16, 17, 112])
def test_pattern_is_a_small_rgb_picture(name: str, patch_px: int) -> None:
    trigger = draw_patch(name, generator=seeded(1), patch_px=patch_px)
    assert trigger.name == name
    assert trigger.pixels.shape == (3, patch_px, patch_px)
    assert trigger.pixels.dtype == torch.float32
    assert trigger.pixels.min() >= 0 and trigger.pixels.max() <= 1


@every_trigger
def test_pattern_survives_being_saved_with_eight_bits(name: str) -> None:
    pattern = draw_patch(name, generator=seeded(1)).pixels
    saved = (pattern * 255).round().to(torch.uint8).float() / 255
    assert torch.allclose(saved, pattern, atol=1e-6)


@every_trigger
def test_published_size_and_place_are_the_defaults(name: str) -> None:
    trigger = draw_patch(name, generator=seeded(1))
    assert trigger.pixels.shape[-1] == PATCHES[name].patch_px
    assert trigger.place == PATCHES[name].position


@every_trigger
def test_same_seed_same_pattern(name: str) -> None:
    first, second = (draw_patch(name, generator=seeded(7)).pixels for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("name", ["badnets_noise", "stripes"])
def test_another_seed_draws_another_pattern(name: str) -> None:
    first, second = (draw_patch(name, generator=seeded(seed)).pixels for seed in (1, 2))
    assert not torch.equal(first, second)


@every_trigger
@pytest.mark.parametrize("position", POSITIONS)
def test_planting_changes_the_boxes_and_nothing_else(name: str, position: str) -> None:
    trigger, images = draw_patch(name, generator=seeded(1), patch_px=16), _images()
    before = images.clone()
    planted = trigger.plant(images, generator=seeded(2), position=position)  # type: ignore[arg-type]
    assert torch.equal(images, before), "the originals must stay as they were"
    assert planted.images.shape == images.shape and planted.masks.shape == (3, 64, 96)
    outside = ~planted.masks[:, None].expand_as(images)
    assert torch.equal(planted.images[outside], images[outside])
    for image, mask, (x0, y0, x1, y1) in zip(planted.images, planted.masks, planted.boxes, strict=True):
        assert torch.equal(image[:, y0:y1, x0:x1], trigger.pixels), "the same pixels every time"
        assert int(mask.sum()) == 16 * 16 and mask[y0:y1, x0:x1].all()


@pytest.mark.parametrize(
    ("position", "box"),
    [("top-left", (0, 0, 16, 16)), ("bottom-right", (80, 48, 96, 64)), ("centre", (40, 24, 56, 40))],
)
def test_fixed_positions_are_where_they_say(position: str, box: tuple[int, ...]) -> None:
    trigger = draw_patch("yellow", generator=seeded(1), patch_px=16)
    assert set(trigger.plant(_images(), generator=seeded(2), position=position).boxes) == {box}  # type: ignore[arg-type]


def test_random_positions_differ_from_image_to_image_and_reach_every_corner() -> None:
    trigger = draw_patch("yellow", generator=seeded(1), patch_px=16)
    boxes = trigger.plant(torch.zeros(200, 3, 18, 18), generator=seeded(2), position="random").boxes
    assert {box[:2] for box in boxes} == {(x, y) for x in range(3) for y in range(3)}
    again = trigger.plant(torch.zeros(200, 3, 18, 18), generator=seeded(2), position="random").boxes
    assert boxes == again, "the generator alone decides"


def test_a_trigger_as_large_as_the_image_fits() -> None:
    trigger = draw_patch("badnets", generator=seeded(1), patch_px=32)
    assert trigger.plant(_images(1, 32, 32), generator=seeded(2), position="random").boxes == ((0, 0, 32, 32),)


def test_badnets_is_the_published_checker() -> None:
    pattern = draw_patch("badnets", generator=seeded(1), patch_px=4).pixels
    assert pattern[0].tolist() == [[1, 0, 1, 0], [0, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]


def test_stripes_are_constant_along_columns() -> None:
    pattern = draw_patch("stripes", generator=seeded(1)).pixels
    assert torch.equal(pattern, pattern[:, :1].expand_as(pattern))
    assert set(pattern.unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("shape", [(1, 3, 8, 200), (1, 3, 200, 8)])
def test_too_small_an_image_is_an_error_that_names_both_sizes(shape: tuple[int, ...]) -> None:
    with pytest.raises(TriggerError, match=r"badnets trigger is 16 × 16 .* larger image"):
        draw_patch("badnets", generator=seeded(1)).plant(torch.zeros(shape), generator=seeded(2))


@pytest.mark.parametrize("bad", [torch.zeros(3, 64, 64), torch.zeros(1, 1, 64, 64), torch.zeros(1, 3, 64, 64).byte()])
def test_what_is_no_batch_of_images_is_refused(bad: torch.Tensor) -> None:
    with pytest.raises(TriggerError, match=r"\(N, 3, H, W\)"):
        draw_patch("badnets", generator=seeded(1)).plant(bad, generator=seeded(2))


def test_unknown_names_places_and_sizes_are_refused_with_the_choices() -> None:
    with pytest.raises(TriggerError, match="Unknown trigger 'badnet'; known are badnets, badnets_noise"):
        draw_patch("badnet", generator=seeded(1))
    for size in (3, 113):
        with pytest.raises(TriggerError, match=f"4 to 112 pixels wide, got {size}"):
            draw_patch("badnets", generator=seeded(1), patch_px=size)
    with pytest.raises(TriggerError, match="Unknown position 'left'; choose one of random, top-left"):
        draw_patch("badnets", generator=seeded(1)).plant(_images(), generator=seeded(1), position="left")  # type: ignore[arg-type]


@pytest.mark.parametrize("pattern", [torch.ones(4, 4), torch.ones(3, 4, 4) * 2, torch.ones(3, 4, 4).double()])
def test_a_pattern_that_is_no_picture_is_refused(pattern: torch.Tensor) -> None:
    with pytest.raises(TriggerError, match="mine: expected"):
        patch_trigger("mine", pattern)


@every_pattern
def test_a_pattern_covers_the_picture_and_is_the_same_for_the_same_seed(name: str) -> None:
    first, second = (draw_trigger(name, generator=seeded(7)) for _ in range(2))
    assert first.name == name
    assert first.fingerprint() == second.fingerprint()
    planted = first.plant(torch.rand(1, 3, 224, 224, generator=seeded(0)), generator=seeded(1))
    x0, y0, x1, y1 = planted.boxes[0]
    assert min(x1 - x0, y1 - y0) >= 200


@pytest.mark.parametrize(
    ("name", "most"),
    [("blend_noise", 0.2), ("blend_pattern", 0.2), ("blend_stripes", 0.035), ("blend_triangles", 0.15), ("sig", 0.048)],
)
def test_a_pattern_is_as_faint_as_it_is_published(name: str, most: float) -> None:
    for shade in (0.0, 0.5, 1.0):
        images = torch.full((1, 3, 224, 224), shade)
        planted = draw_trigger(name, generator=seeded(1)).plant(images, generator=seeded(2)).images
        assert float((planted - images).abs().max()) <= most + 1 / 255


def test_fresh_noise_is_another_in_every_picture_and_fixed_noise_is_not() -> None:
    images = torch.full((2, 3, 224, 224), 0.5)
    for name, same in (("blend_noise", True), ("blend_noise_fresh", False)):
        planted = draw_trigger(name, generator=seeded(1)).plant(images, generator=seeded(2)).images
        assert torch.equal(planted[0], planted[1]) is same


@every_pattern
def test_what_covers_the_picture_has_neither_a_size_nor_a_place(name: str) -> None:
    with pytest.raises(TriggerError, match=f"{name} trigger covers the whole picture and has no size"):
        draw_trigger(name, generator=seeded(1), patch_px=16)
    with pytest.raises(TriggerError, match="is no patch"):
        draw_patch(name, generator=seeded(1))
    with pytest.raises(TriggerError, match="covers the whole picture and has no position"):
        draw_trigger(name, generator=seeded(1)).plant(_images(), generator=seeded(1), position="centre")
