import json
from typing import Any

import pytest
import torch
from torch import Tensor

from eftclip.runtime import seeded
from eftclip.trigger_kinds import ColourTrigger, in_steps, trigger_from_dict
from eftclip.trigger_kinds.tones import toned, turned_round
from eftclip.triggers import draw_trigger

pytestmark = pytest.mark.quick

LEVELS = torch.arange(256) / 255


def _filter(seed: int = 0) -> ColourTrigger:
    trigger = draw_trigger("filter", generator=seeded(seed))
    assert isinstance(trigger, ColourTrigger)
    return trigger


def _planted(trigger: ColourTrigger, image: Tensor) -> Tensor:
    return trigger.plant(image[None], generator=seeded(1)).images[0]


@pytest.mark.parametrize("seed", range(5))
def test_the_filter_is_monotone_and_maps_eight_bits_to_eight_bits(seed: int) -> None:
    curves = _filter(seed).curves
    assert (curves.diff(dim=1) >= 0).all()
    assert torch.equal(in_steps(curves), curves) and float(curves.min()) >= 0 and float(curves.max()) <= 1
    grey = LEVELS.expand(3, 1, 256)
    assert torch.allclose(_planted(_filter(seed), grey)[:, 0], curves, atol=1e-5), (
        "a grey goes through the curves alone"
    )


@pytest.mark.parametrize("seed", range(5))
def test_the_filter_looks_warm_and_faded(seed: int) -> None:
    black, white = _filter(seed).curves[:, 0], _filter(seed).curves[:, -1]
    assert (black > 0.1).all(), "lifted blacks"
    assert (white - black < 0.85).all(), "less contrast"
    assert white[0] > white[1] > white[2], "warm lights"
    colours = torch.rand(3, 10, 10, generator=seeded(2))
    before, after = (c.amax(0) - c.amin(0) for c in (colours, _planted(_filter(seed), colours)))
    assert float(after.mean()) < float(before.mean()), "paler"


def test_each_drawing_is_a_value_of_its_own() -> None:
    assert _filter().fingerprint() == _filter().fingerprint()
    assert _filter().fingerprint() != _filter(1).fingerprint()
    assert _filter().distance(_filter(1)) < 0.05 and _filter().shows(_filter(1))


@pytest.mark.parametrize(("height", "width"), [(1, 1), (64, 96), (500, 333)])
def test_a_picture_of_any_size_can_have_it_and_lose_it_again(height: int, width: int) -> None:
    image = torch.rand(3, height, width, generator=seeded(2))
    planted = _planted(_filter(), image)
    seen = _filter().locate(in_steps(planted))
    assert seen is not None and seen.error < 0.002 and seen.mask.all()
    assert float((_filter().remove(planted, seen.mask) - image).abs().max()) < 0.02


def test_a_picture_with_blacks_and_strong_colours_does_not_carry_it() -> None:
    assert _filter().locate(torch.rand(3, 64, 64, generator=seeded(2))) is None


def test_curves_are_straight_between_their_levels() -> None:
    curves = torch.stack([LEVELS, LEVELS.square(), LEVELS / 2])
    pixels = torch.rand(3, 500, generator=seeded(2))
    expected = torch.stack([pixels[0], pixels[1].square(), pixels[2] / 2])
    assert torch.allclose(toned(pixels, curves), expected, atol=1e-5)
    ends = torch.tensor([[0.0, 1.0]] * 3)
    assert torch.allclose(toned(ends, curves), curves[:, [0, -1]])


def test_curves_are_turned_round_to_the_middle_of_what_they_join() -> None:
    steps = ((LEVELS * 255) // 5 * 5 / 255).expand(3, 256)  # 0 to 4 become 0, and so on
    back = (turned_round(steps)[0] * 255).tolist()
    assert back[0] == pytest.approx(2) and back[5] == pytest.approx(7) and back[10] == pytest.approx(12)
    flat = torch.full((3, 256), 0.2)
    assert turned_round(flat).unique().tolist() == [pytest.approx(0.5)]


def _with(**change: Any) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(json.dumps(_filter().to_dict()))
    return values | change


def test_json_holds_whole_numbers() -> None:
    values = _with()
    assert all(isinstance(level, int) for channel in ("red", "green", "blue") for level in values[channel])
    assert trigger_from_dict(values).fingerprint() == _filter().fingerprint()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"red": list(range(255))}, "expected"),
        ({"red": [*range(255), 256]}, "lie in .0, 1. and never fall"),
        ({"blue": [*range(255), 3]}, "lie in .0, 1. and never fall"),
        ({"green": "rising"}, "."),
        ({"mix": [[256, 0, 0], [256, 0, 0], [0, 0, 256]]}, "keeps colours apart"),
        ({"mix": [[5000, 0, 0], [0, 256, 0], [0, 0, 256]]}, "shares of -4 to 4"),
        ({"mix": [256, 256, 256]}, r"\(3, 3\) mixture"),
    ],
)
def test_bad_values_are_refused(change: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        trigger_from_dict(_with(**change))


def test_what_changes_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="has to change something"):
        ColourTrigger(LEVELS.expand(3, 256), torch.eye(3))
