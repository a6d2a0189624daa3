"""The cover holds every pixel and every region, whatever the oracle sees."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eftclip.detect.windows import box_mask, cover, grid, grown
from eftclip.trigger_kinds import box_of
from eftclip.types import Box, Region

pytestmark = pytest.mark.quick

SIDE = 64


@st.composite
def boxes(draw: st.DrawFn) -> tuple[int, int, int, int]:
    """Any box in the picture, one pixel and long thin ones included."""
    x0, y0 = draw(st.integers(0, SIDE - 1)), draw(st.integers(0, SIDE - 1))
    return x0, y0, draw(st.integers(x0 + 1, SIDE)), draw(st.integers(y0 + 1, SIDE))


@settings(max_examples=60, deadline=None)
@given(st.lists(boxes(), max_size=12), st.integers(1, 4), st.integers(0, 12))
def test_every_region_lies_wholly_in_the_group_it_belongs_to(found: list[Box], per_side: int, overlap: int) -> None:
    regions = [Region(box_mask(box, SIDE, SIDE), box, 0.5) for box in found]
    groups = cover(regions, SIDE, SIDE, per_side, overlap)
    assert sorted(index for group in groups for index in group.members) == list(range(len(regions)))
    for group in groups:
        for index in group.members:
            assert not (regions[index].mask & ~group.mask).any()
    assert torch.stack([group.mask for group in groups]).any(0).all()


@settings(max_examples=60, deadline=None)
@given(boxes(), st.integers(1, 4), st.integers(0, 20))
def test_the_windows_of_a_box_cover_it_and_stay_inside(box: Box, per_side: int, overlap: int) -> None:
    covered = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    for window in grid(box, per_side, overlap):
        covered |= box_mask(window, SIDE, SIDE)
    assert torch.equal(covered, box_mask(box, SIDE, SIDE))


def test_a_patch_smaller_than_the_overlap_lies_wholly_in_some_window() -> None:
    windows = grid((0, 0, 224, 224), 3, 24)
    for x in range(0, 224 - 24):
        assert any(x0 <= x and x + 24 <= x1 and y0 == 0 for x0, y0, x1, _ in windows), x


@given(boxes())
def test_a_box_is_read_back_from_its_mask(box: Box) -> None:
    assert box_of(box_mask(box, SIDE, SIDE)) == box


def test_a_margin_stays_inside_the_picture() -> None:
    assert grown((2, 0, 60, 64), 8, SIDE, SIDE) == (0, 0, 64, 64)
