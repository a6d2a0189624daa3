"""Reading with the padding within the kernel gives the same features, bit for bit nearly, at any size."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from timm.layers.conv2d_same import Conv2dSame
from torch import Tensor, nn

from eftclip.batch_norm import for_reading
from eftclip.checkpoint import load_clip
from eftclip.same_padding import pad_within

pytestmark = pytest.mark.quick


def _uneven(model: nn.Module) -> int:
    return sum(isinstance(module, Conv2dSame) for module in model.modules())


def _picture(*size: int, seed: int = 0) -> Tensor:
    return torch.rand(*size, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kernel", [2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("size", [(16, 16), (15, 17), (7, 12)])
@torch.no_grad()
def test_one_convolution_sees_the_same(kernel: int, stride: int, size: tuple[int, int]) -> None:
    side, picture = nn.Sequential(Conv2dSame(4, 8, kernel, stride, groups=4)), _picture(2, 4, *size)
    plain = side(picture)
    pad_within(side, picture)
    assert _uneven(side) == 0
    assert torch.allclose(side(picture), plain, atol=1e-6)


@torch.no_grad()
def test_one_with_holes_or_seen_at_two_sizes_stays() -> None:
    holes = nn.Sequential(Conv2dSame(4, 4, 3, 2, dilation=2))
    pad_within(holes, _picture(1, 4, 16, 16))
    again = Conv2dSame(4, 4, 3, 2)
    twice = nn.Sequential(again, again)
    pad_within(twice, _picture(1, 4, 16, 16))
    assert _uneven(holes) == 1
    assert _uneven(twice) == 1


def test_the_bundled_tower_reads_the_same_at_every_size(bundled: Callable[[str], Path]) -> None:
    clip = load_clip(str(bundled("badnets")), device=torch.device("cpu"))
    assert _uneven(clip.model) > 3
    for size in ((224, 224), (225, 225), (192, 192)):
        pictures = clip.preprocess.normalise(_picture(2, 3, *size, seed=size[0]))
        fast = for_reading(clip.model, pictures)
        plain = clip.model.encode_image(pictures, normalize=True)  # type: ignore[operator]
        assert _uneven(fast.visual) == 0  # type: ignore[arg-type]
        assert torch.allclose(fast.encode_image(pictures, normalize=True), plain, atol=2e-6)  # type: ignore[operator]
