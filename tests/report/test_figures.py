from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from support.verdicts import MASK_BOX, PX, found, not_found, trigger, unread

from eftclip.figures import Picture, overlay, purified_picture, story, transplant_sheet
from eftclip.figures.drawing import INNER, OUTER
from eftclip.figures.run import triggers_sheet
from eftclip.runtime import seeded
from eftclip.triggers import draw_trigger
from eftclip.types import Checked, TriggerFamily

pytestmark = pytest.mark.quick

Mask = NDArray[np.bool_]


def _original(checked: Checked) -> Picture:
    assert checked.picture is not None
    array: Picture = checked.picture.permute(1, 2, 0).numpy()
    return array


def _mask(checked: Checked) -> Mask:
    assert checked.geometry is not None
    assert checked.detection.trigger is not None
    mask: Mask = checked.geometry.mask_to_picture(checked.detection.trigger.mask).numpy()
    return mask


@pytest.mark.parametrize(("width", "height"), [(200, 100), (64, 64), (1600, 1200), (40, 400)])
def test_the_outline_frames_the_trigger_and_leaves_it_visible(width: int, height: int) -> None:
    checked = found(width=width, height=height)
    before = _original(checked).copy()
    drawn = overlay(checked)
    assert drawn is not None
    assert drawn.shape == (height, width, 3)
    assert drawn.dtype == np.uint8
    mask = _mask(checked)
    assert (drawn[mask] == before[mask]).all(), "the trigger itself can be seen"
    changed = (drawn != before).any(-1)
    colours = {tuple(colour) for colour in drawn[changed].tolist()}
    assert colours == {INNER, OUTER}
    ys, xs = np.nonzero(changed)
    y, x = np.nonzero(mask)
    assert ys.min() <= y.min()
    assert xs.max() >= x.max()
    assert (_original(checked) == before).all(), "the verdict's own picture is not drawn into"


def test_the_outline_grows_with_the_picture() -> None:
    def share(side: int) -> float:
        checked = found(width=side, height=side)
        drawn = overlay(checked)
        assert drawn is not None
        return float((drawn != _original(checked)).any(-1).mean())

    assert share(1600) == pytest.approx(share(320), rel=0.35)


@pytest.mark.parametrize("name", ["sig", "wanet", "wanet_smooth", "filter"])
def test_what_covers_the_picture_is_drawn_beside_it(name: str) -> None:
    checked = found(width=200, height=100)
    hit, whole = checked.detection.trigger, draw_trigger(name, generator=seeded(0))
    assert hit is not None
    drawn = overlay(replace(checked, detection=replace(checked.detection, trigger=replace(hit, triggers=(whole,)))))
    assert drawn is not None and drawn.shape[0] == 100 and 290 <= drawn.shape[1] <= 310
    assert (drawn[:, :200] == _original(checked)).all(), "the picture itself is as it was"
    assert len(np.unique(drawn[:, 205:].reshape(-1, 3), axis=0)) > 20
    family = TriggerFamily("banana", (whole,), hit.transplant)
    sheet = triggers_sheet([family])
    assert sheet is not None and len(np.unique(sheet.reshape(-1, 3), axis=0)) > 20


def test_without_a_trigger_the_picture_is_shown_as_it_is() -> None:
    drawn = overlay(not_found())
    assert drawn is not None
    assert (drawn == _original(not_found())).all()
    assert purified_picture(not_found()) is None
    assert overlay(unread()) is None
    assert story(unread()) is None
    assert purified_picture(unread()) is None


@pytest.mark.parametrize(("width", "height"), [(200, 100), (64, 64), (48, 30)])
def test_purifying_changes_masked_pixels_only(width: int, height: int) -> None:
    checked = found(width=width, height=height)  # its purified square is black under the mask
    purified, before, mask = purified_picture(checked), _original(checked), _mask(checked)
    assert purified is not None
    assert purified.shape == before.shape
    assert (purified[~mask] == before[~mask]).all()
    x0, y0, x1, y1 = MASK_BOX
    middle = torch.zeros(PX, PX, dtype=torch.bool)
    middle[y0 + 3 : y1 - 3, x0 + 3 : x1 - 3] = True  # away from the edge nothing shines through
    assert checked.geometry is not None
    inner = checked.geometry.mask_to_picture(middle).numpy()
    assert inner.any()
    assert (purified[inner] == 0).all()


def test_at_the_size_of_the_square_purifying_is_exact() -> None:
    checked = found(width=64, height=64)
    purified = purified_picture(checked)
    assert purified is not None
    assert checked.detection.purified is not None
    expected = (checked.detection.purified * 255).round().byte().permute(1, 2, 0).numpy()
    assert (purified == expected).all()


def test_a_contact_sheet_has_a_tile_for_each_stranger() -> None:
    examples = trigger().examples * 5
    sheet = transplant_sheet(examples, columns=4)
    assert sheet is not None
    assert sheet.dtype == np.uint8
    reds = (sheet == np.array(INNER)).all(-1)
    assert reds.any(), "those taken over are framed"
    alone = transplant_sheet(examples[1:2])
    assert alone is not None
    assert not (alone == np.array(INNER)).all(-1).any()
    assert sheet.shape[1] > 3 * alone.shape[1]
    assert transplant_sheet(()) is None


def test_the_story_has_two_halves_with_a_trigger_and_one_without() -> None:
    whole, half = story(found(width=500, height=90)), story(not_found())
    assert whole is not None
    assert half is not None
    assert whole.shape[0] == half.shape[0]
    assert whole.shape[1] > 1.9 * half.shape[1]


def test_the_story_takes_any_label() -> None:
    base = found()
    strange = tuple(
        replace(p, label=label) for p, label in zip(base.detection.predictions, ("\n" * 9, "猫" * 90), strict=True)
    )
    assert story(replace(base, detection=replace(base.detection, predictions=strange))) is not None
