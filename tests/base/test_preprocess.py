"""The square is open_clip's own, and a mask in it goes back to the right pixels of the picture."""

import pytest
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image

from eftclip.preprocess import Preprocess, ResizeMode

pytestmark = pytest.mark.quick

SIZES = [(64, 64), (640, 427), (101, 333), (37, 61), (63, 65), (500, 9), (1, 1), (97, 96), (2000, 113)]
MODES: list[ResizeMode] = ["shortest", "longest", "squash"]


def _picture(width: int, height: int) -> Image.Image:
    pixels = torch.randint(0, 256, (height, width, 3), generator=torch.Generator().manual_seed(7), dtype=torch.uint8)
    return Image.fromarray(pixels.numpy())


def _preprocess(image_px: int, mode: ResizeMode, interpolation: str = "bicubic") -> Preprocess:
    return Preprocess(image_px, (0.48, 0.46, 0.41), (0.27, 0.26, 0.28), interpolation, mode)


def _expected(preprocess: Preprocess, picture: Image.Image) -> torch.Tensor:
    """What open_clip's transform gives for the same configuration."""
    config = PreprocessCfg(
        size=preprocess.image_px,
        mean=preprocess.mean,
        std=preprocess.std,
        interpolation=preprocess.interpolation,
        resize_mode=preprocess.resize_mode,
    )
    transformed: torch.Tensor = image_transform_v2(config, is_train=False)(picture)
    return transformed


@pytest.mark.parametrize("image_px", [64, 75, 224])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_square_is_the_picture_that_open_clip_makes(size: tuple[int, int], mode: ResizeMode, image_px: int) -> None:
    preprocess, picture = _preprocess(image_px, mode), _picture(*size)
    square, _ = preprocess.square(picture)
    assert square.shape == (3, image_px, image_px)
    assert square.dtype == torch.float32
    torch.testing.assert_close(preprocess.normalise(square), _expected(preprocess, picture), atol=1e-6, rtol=0)


def test_bilinear_is_honoured() -> None:
    picture = _picture(120, 77)
    smooth, sharp = _preprocess(64, "shortest", "bilinear"), _preprocess(64, "shortest")
    square, _ = smooth.square(picture)
    torch.testing.assert_close(smooth.normalise(square), _expected(smooth, picture), atol=1e-6, rtol=0)
    assert not torch.equal(square, sharp.square(picture)[0])


@pytest.mark.parametrize("size", [(20_000, 10), (10, 20_000)])
@pytest.mark.parametrize("mode", MODES)
def test_a_thread_of_a_picture_still_gives_a_square(size: tuple[int, int], mode: ResizeMode) -> None:
    square, geometry = _preprocess(32, mode).square(_picture(*size))
    assert square.shape == (3, 32, 32)
    mask = geometry.mask_to_picture(torch.ones(32, 32, dtype=torch.bool))
    assert mask.shape == (size[1], size[0])
    assert mask.any()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [(640, 427), (427, 640), (64, 64), (41, 63), (201, 99)])
def test_a_rectangle_in_the_picture_is_found_again(size: tuple[int, int], mode: ResizeMode) -> None:
    """Paint a rectangle on the picture, threshold it in the square, map that back: at most one pixel off."""
    width, height = size
    picture = Image.new("RGB", size)
    x0, y0, x1, y1 = width * 2 // 5, height * 2 // 5, width * 3 // 5, height * 11 // 20
    picture.paste((255, 255, 255), (x0, y0, x1, y1))
    square, geometry = _preprocess(224, mode).square(picture)
    ys, xs = torch.nonzero(geometry.mask_to_picture(square.mean(0) > 0.5), as_tuple=True)
    found = (int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1)
    assert max(abs(a - b) for a, b in zip(found, (x0, y0, x1, y1), strict=True)) <= 1


def test_what_the_square_does_not_show_is_never_in_the_mask() -> None:
    """The shorter side fills the square: left and right of it nothing was seen."""
    _, geometry = _preprocess(64, "shortest").square(_picture(200, 100))
    mask = geometry.mask_to_picture(torch.ones(64, 64, dtype=torch.bool))
    assert mask[:, 50:150].all()
    assert not mask[:, :49].any()
    assert not mask[:, 151:].any()


def test_padding_is_no_part_of_the_picture() -> None:
    """With `longest` the square is wider than the picture: a mask on the padding is nowhere in the picture."""
    _, geometry = _preprocess(64, "longest").square(_picture(200, 100))
    padding = torch.zeros(64, 64, dtype=torch.bool)
    padding[:16] = padding[48:] = True
    assert not geometry.mask_to_picture(padding).any()
    assert geometry.mask_to_picture(~padding).all()
