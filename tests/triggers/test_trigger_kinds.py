"""The contract of every kind of trigger: what is planted and what is found are the same kind of value."""

import json
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from eftclip.detect.whole_picture.pattern import FINE
from eftclip.errors import TriggerError
from eftclip.runtime import seeded
from eftclip.trigger_kinds import (
    TRIGGER_KINDS,
    ColourTrigger,
    JitterTrigger,
    PatchTrigger,
    Trigger,
    WarpTrigger,
    box_of,
    cut,
    in_flow_steps,
    in_steps,
    plant_in_turns,
    trigger_from_dict,
)
from eftclip.triggers import TRIGGERS, draw_trigger

pytestmark = pytest.mark.quick

PX = 224


def _disc() -> Trigger:
    """A round part of a picture, as it is cut out of it."""
    y, x = torch.meshgrid(torch.arange(PX), torch.arange(PX), indexing="ij")
    return cut(_images(1)[0], (y - 40) ** 2 + (x - 50) ** 2 < 100)


def _cornered() -> Trigger:
    pixels = (torch.rand(3, 12, 12, generator=seeded(5)) * 255).round() / 255
    return PatchTrigger(pixels, torch.ones(12, 12, dtype=torch.bool), (PX - 12, PX - 12))


def _detail() -> Trigger:
    """The fine detail of a picture with noise in it, as it is found."""
    noisy = (_images(1)[0] + 0.2 * torch.rand(3, PX, PX, generator=seeded(9))).clamp(0, 1)
    return FINE.of(noisy)


def _half_jittered() -> Trigger:
    """A jitter of the upper half."""
    flow = 2 * torch.rand(2, PX, PX, generator=seeded(7)) - 1
    flow[:, PX // 2 :] = 0
    return WarpTrigger(in_flow_steps(flow))


def _faded() -> Trigger:
    """Curves alone, with flat ends, so that not all can be undone."""
    levels = torch.linspace(0, 1, 256)
    curves = torch.stack([(levels * 1.2 + lift).clamp(0.2, 0.8) for lift in (0.0, 0.05, -0.1)])
    return ColourTrigger(in_steps(curves), torch.eye(3))


def _jittered() -> Trigger:
    return JitterTrigger(1.0)


# One example at least of every kind; a new kind adds its own. The published ones are drawn below.
EXAMPLES: dict[str, list[Callable[[], Trigger]]] = {
    "patch": [_disc, _cornered],
    "pattern": [_detail],
    "warp": [_half_jittered],
    "jitter": [_jittered],
    "colour": [_faded],
}
IN_ANY = {
    "wanet_smooth",
    "jitter",
}  # no single picture tells it from another photograph: it may be in any, and is located in all


def _published(name: str) -> Callable[[], Trigger]:
    return lambda: draw_trigger(name, generator=seeded(1))


CASES = {make.__name__.strip("_"): make for made in EXAMPLES.values() for make in made}
CASES |= {name: _published(name) for name in sorted(TRIGGERS)}
every_trigger = pytest.mark.parametrize("make", CASES.values(), ids=CASES)


def _images(count: int = 4) -> Tensor:
    """Smooth pictures, as photographs are: nothing in them looks like a trigger by chance."""
    coarse = torch.rand(count, 3, 6, 6, generator=seeded(0))
    smooth = torch.nn.functional.interpolate(coarse, PX, mode="bicubic").clamp(0, 1)
    return (smooth * 255).round() / 255


def test_every_kind_has_an_example() -> None:
    assert set(EXAMPLES) == set(TRIGGER_KINDS)
    for kind, made in EXAMPLES.items():
        assert made and {make().kind for make in made} == {kind}
        assert TRIGGER_KINDS[kind].kind == kind


@every_trigger
@pytest.mark.parametrize("vary", [False, True])
def test_planting_changes_its_mask_and_nothing_else(make: Callable[[], Trigger], vary: bool) -> None:
    trigger, images = make(), _images()
    before = images.clone()
    planted = trigger.plant(images, generator=seeded(2), vary=vary)
    assert torch.equal(images, before), "the originals stay as they were"
    assert planted.images.shape == images.shape and planted.images.dtype == torch.float32
    assert float(planted.images.min()) >= 0 and float(planted.images.max()) <= 1
    assert planted.masks.shape == (4, PX, PX) and planted.masks.dtype == torch.bool
    changed = (planted.images != images).any(1)
    assert changed.flatten(1).any(1).all(), "every picture carries it"
    assert not (changed & ~planted.masks).any()
    assert planted.boxes == tuple(box_of(mask) for mask in planted.masks)
    whole = planted.masks[0::2] if vary else planted.masks
    assert (whole.flatten(1).sum(1) == trigger.area_px).all(), "those that were not varied have it as it is"


@every_trigger
def test_the_generator_alone_decides(make: Callable[[], Trigger]) -> None:
    once, again = (make().plant(_images(), generator=seeded(3), vary=True) for _ in range(2))
    assert torch.equal(once.images, again.images)
    assert torch.equal(once.masks, again.masks)
    assert make().plant(_images(0), generator=seeded(3)).images.shape == (0, 3, PX, PX)


@every_trigger
def test_what_was_planted_is_located_and_removed(make: Callable[[], Trigger]) -> None:
    trigger, image = make(), _images()[1]
    planted = trigger.plant(image[None], generator=seeded(4))
    seen = trigger.locate(planted.images[0])
    assert seen is not None
    assert 0 <= seen.error < 0.02, "its own pixels, to rounding"
    assert seen.mask.shape == (PX, PX)
    overlap = (seen.mask & planted.masks[0]).sum() / (seen.mask | planted.masks[0]).sum()
    assert float(overlap) > 0.8
    cleaned = trigger.remove(planted.images[0], seen.mask)
    assert cleaned.shape == image.shape and float(cleaned.min()) >= 0 and float(cleaned.max()) <= 1
    assert float((cleaned - image).abs().mean()) < float((planted.images[0] - image).abs().mean())
    left = trigger.locate(cleaned)
    if (trigger.name or trigger.kind) not in IN_ANY:
        assert left is None or not torch.equal(left.mask, seen.mask) or left.error > seen.error + 0.05


@every_trigger
def test_values_with_a_part_missing_are_refused_in_one_sentence(make: Callable[[], Trigger]) -> None:
    values = make().to_dict()
    for part in set(values) - {"kind"}:
        said = rf"^these are not the values of a trigger of the kind {values['kind']}: KeyError\('{part}'\)$"
        with pytest.raises(ValueError, match=said):
            trigger_from_dict({key: value for key, value in values.items() if key != part})


@every_trigger
def test_it_survives_json_exactly(make: Callable[[], Trigger]) -> None:
    trigger = make()
    values = json.loads(json.dumps(trigger.to_dict(), allow_nan=False))
    assert values["kind"] == trigger.kind
    back = trigger_from_dict(values)
    assert type(back) is type(trigger) and back.name == trigger.name and back.in_place is trigger.in_place
    assert back.fingerprint() == trigger.fingerprint()
    one, other = (t.plant(_images(), generator=seeded(6)).images for t in (trigger, back))
    assert torch.equal(one, other)


@every_trigger
def test_it_is_like_itself_and_its_fingerprint_is_its_own(make: Callable[[], Trigger]) -> None:
    trigger, others = make(), [other() for other in CASES.values()]
    assert trigger.distance(make()) == pytest.approx(0, abs=1e-6)
    assert trigger.shows(make())
    assert trigger.fingerprint() == make().fingerprint()
    prints = [other.fingerprint() for other in others]
    assert prints.count(trigger.fingerprint()) == 1
    for other in others:
        assert trigger.distance(other) == pytest.approx(other.distance(trigger), abs=1e-6)
        assert trigger.distance(other) >= 0


@every_trigger
def test_it_can_be_shown_to_a_person(make: Callable[[], Trigger]) -> None:
    preview = make().preview()
    assert preview.ndim == 3 and preview.shape[0] == 4 and preview.dtype == torch.float32
    assert float(preview.min()) >= 0 and float(preview.max()) <= 1
    assert (preview[3] > 0).any(), "some of it is to be seen"


@every_trigger
def test_what_covers_the_picture_is_drawn_beside_it(make: Callable[[], Trigger]) -> None:
    trigger, image = make(), _images(1)[0]
    before, drawing = image.clone(), trigger.beside(image)
    assert torch.equal(image, before)
    assert (drawing is None) == (trigger.kind == "patch"), "a patch is outlined in the picture itself"
    if drawing is not None:
        assert drawing.ndim == 3 and drawing.shape[0] == 3 and drawing.dtype == torch.float32
        assert float(drawing.min()) >= 0 and float(drawing.max()) <= 1


@every_trigger
def test_what_is_no_batch_of_images_is_refused(make: Callable[[], Trigger]) -> None:
    for bad in (torch.zeros(3, PX, PX), torch.zeros(1, 1, PX, PX), torch.zeros(1, 3, PX, PX).byte()):
        with pytest.raises(TriggerError, match=r"\(N, 3, H, W\)"):
            make().plant(bad, generator=seeded(2))
    with pytest.raises(TriggerError, match="Unknown position"):
        make().plant(_images(), generator=seeded(2), position="left")  # type: ignore[arg-type]


def test_several_are_planted_in_turns() -> None:
    triggers = [draw_trigger(name, generator=seeded(1)) for name in ("yellow", "badnets")]
    images = plant_in_turns(_images(), triggers, generator=seeded(0))
    seen = [[trigger.locate(image) is not None for trigger in triggers] for image in images]
    assert seen == [[True, False], [False, True]] * 2


def test_an_unknown_kind_is_refused_with_the_choices() -> None:
    with pytest.raises(ValueError, match="one of the kinds colour, jitter, patch, pattern, warp"):
        trigger_from_dict({"kind": "spell"})
