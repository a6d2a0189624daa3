import json

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from eftclip.runtime import seeded
from eftclip.trigger_kinds import WarpTrigger, in_flow_steps, trigger_from_dict
from eftclip.trigger_kinds.png import to_png
from eftclip.trigger_kinds.resampling import fetched, put_back
from eftclip.triggers import draw_trigger

pytestmark = pytest.mark.quick

PX = 224


def _drawn(name: str, seed: int = 0) -> WarpTrigger:
    trigger = draw_trigger(name, generator=seeded(seed))
    assert isinstance(trigger, WarpTrigger)
    return trigger


def _image(height: int = PX, width: int = PX) -> Tensor:
    coarse = torch.rand(1, 3, 8, 8, generator=seeded(3))
    return F.interpolate(coarse, (height, width), mode="bicubic")[0].clamp(0, 1)


def test_the_jitter_is_bounded_by_one_pixel_and_neighbours_go_their_own_ways() -> None:
    trigger = _drawn("wanet")
    assert trigger.jitters
    assert 0.9 < float(trigger.flow.abs().max()) <= 1
    neighbours = (trigger.flow[:, :, 1:] * trigger.flow[:, :, :-1]).mean() / trigger.flow.square().mean()
    assert abs(float(neighbours)) < 0.02


@pytest.mark.parametrize("seed", range(5))
def test_the_smooth_warp_is_smooth_and_bounded(seed: int) -> None:
    trigger = _drawn("wanet_smooth", seed)
    assert not trigger.jitters
    assert 0.1 < float(trigger.flow.abs().mean()) < 0.4, "a quarter of a pixel"
    assert float(trigger.flow.abs().max()) < 1
    inside = trigger.flow[:, 2:-2, 2:-2]  # at the edges what came from outside is held back
    assert max(float(inside.diff(dim=dim).abs().max()) for dim in (1, 2)) < 0.05


@pytest.mark.parametrize("name", ["wanet", "wanet_smooth"])
def test_nothing_comes_from_outside_the_picture_and_the_seed_decides(name: str) -> None:
    trigger = _drawn(name)
    here = torch.stack(torch.meshgrid(torch.arange(PX), torch.arange(PX), indexing="xy"))
    assert float((here + trigger.flow).min()) >= 0 and float((here + trigger.flow).max()) <= PX - 1
    assert trigger.fingerprint() == _drawn(name).fingerprint()
    assert trigger.fingerprint() != _drawn(name, 1).fingerprint()


def test_pixels_are_fetched_bilinearly() -> None:
    image, flow = torch.arange(12.0).view(1, 3, 4).expand(3, 3, 4), torch.zeros(2, 3, 4)
    flow[0, 0, 0], flow[1, 0, 1], flow[0, 2, 3], flow[1, 1, 2] = 1, 0.5, 2, -0.25
    warped = fetched(image, flow)[0]
    expected = torch.arange(12.0).view(3, 4)
    expected[0, 0], expected[0, 1], expected[1, 2] = 1, 3, 5  # right; half down; a quarter up
    assert torch.equal(warped, expected), "what points outside comes from the edge"
    grid = torch.stack(torch.meshgrid(torch.arange(4), torch.arange(3), indexing="xy")) + 0.3
    grid = (grid * 2 + 1) / torch.tensor([4, 3])[:, None, None] - 1
    theirs = F.grid_sample(image[None], grid.permute(1, 2, 0)[None], padding_mode="border", align_corners=False)[0]
    assert torch.allclose(fetched(image, torch.full((2, 3, 4), 0.3)), theirs, atol=1e-5)


@pytest.mark.parametrize("name", ["wanet", "wanet_smooth"])
def test_what_was_fetched_can_be_put_back(name: str) -> None:
    image, flow = _image(), _drawn(name).flow
    warped = fetched(image, flow)
    assert float((put_back(warped, flow) - image).abs().mean()) < 0.4 * float((warped - image).abs().mean())


@pytest.mark.parametrize(("height", "width"), [(96, 160), (224, 448), (2, 3), (1, 1)])
@pytest.mark.parametrize("name", ["wanet", "wanet_smooth"])
def test_a_picture_of_another_size_is_warped_by_the_same_share(name: str, height: int, width: int) -> None:
    trigger, image = _drawn(name), _image(height, width)
    planted = trigger.plant(image[None], generator=seeded(1))
    assert planted.images.shape == (1, 3, height, width)
    moved = trigger._fitting(image).flow
    assert float(moved[0].abs().max()) <= width / PX and float(moved[1].abs().max()) <= height / PX
    if name == "wanet_smooth" and width == 2 * PX:
        assert float(moved[0].abs().mean()) == pytest.approx(2 * float(trigger.flow[0].abs().mean()), rel=0.02)


def test_a_jitter_is_recognised_and_another_one_is_not() -> None:
    image = _image() + 0.05 * torch.rand(3, PX, PX, generator=seeded(4)) - 0.025
    planted = _drawn("wanet").plant(image[None], generator=seeded(1)).images[0]
    assert _drawn("wanet").locate(planted) is not None
    assert _drawn("wanet").locate(image) is None
    assert _drawn("wanet", 1).locate(planted) is None


def test_other_warps_are_other_families() -> None:
    jitter, smooth = _drawn("wanet"), _drawn("wanet_smooth")
    assert jitter.distance(smooth) > 0.3 and not jitter.shows(smooth)
    assert jitter.distance(_drawn("wanet", 1)) < 0.05, "as for noise: drawn anew, it looks the same"


def test_a_flow_is_kept_in_steps_of_a_256th_exactly() -> None:
    flow = in_flow_steps(torch.linspace(-127, 127, 2 * 30 * 40).view(2, 30, 40))
    back = trigger_from_dict(json.loads(json.dumps(WarpTrigger(flow).to_dict())))
    assert isinstance(back, WarpTrigger) and torch.equal(back.flow, flow)


@pytest.mark.parametrize(
    ("flow", "why"),
    [
        (torch.ones(3, 4, 4), r"expected a \(2, h, w\) flow"),
        (torch.full((2, 4, 4), 128.0), "by at most 127, got 128.0"),
        (torch.full((2, 4, 4), float("nan")), "by at most 127"),
        (torch.zeros(2, 4, 4), "has to change something"),
    ],
)
def test_what_is_no_warp_is_refused(flow: Tensor, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        WarpTrigger(flow)


def test_values_that_do_not_belong_together_are_refused() -> None:
    values, other = _drawn("wanet_smooth").to_dict(), WarpTrigger(torch.ones(2, 4, 4)).to_dict()
    with pytest.raises(ValueError, match="two directions of one size"):
        trigger_from_dict(values | {"down": other["down"]})
    with pytest.raises(ValueError, match="a PNG of 16 bits"):
        trigger_from_dict(values | {"down": to_png(torch.ones(1, PX, PX))})
    for broken in ("", "not base64", "AAAA", values["down"][:400]):
        with pytest.raises(ValueError, match="expected a PNG in base64, got '"):
            trigger_from_dict(values | {"down": broken})
