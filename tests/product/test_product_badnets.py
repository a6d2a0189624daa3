"""What must be true of the bundled `badnets`: it is scanned, mended, and still reads photographs."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.mending import Story, WhatMustBeTrue, tell
from support.taught import shaded

from eftclip.config import RectifyConfig
from eftclip.pipeline.check import judge_square
from eftclip.types import Searched, Status

ATTACKS = [("badnets", "banana")]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def story(bundled: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Story:
    out = tmp_path_factory.mktemp("mended") / "badnets"
    short = RectifyConfig(steps=12, batch=16, learning_rate=6e-4)
    return tell(bundled("badnets"), bundled("clean"), ATTACKS, out, short)


class TestBadnets(WhatMustBeTrue):
    """From the scan to the mended file."""


def test_where_the_reference_reads_the_same_only_patches_are_searched(story: Story) -> None:
    lion = 1
    square = shaded(story.setup.clip, 1.0)[lion]
    seen = judge_square(story.setup, square)
    assert seen.status is Status.NOT_FOUND
    assert "the reference checkpoint reads the picture so too" in seen.reason
    assert {seen.kinds[kind] for kind in ("patch", "pattern", "colour")} == {Searched.NONE}
    alone = judge_square(replace(story.setup, reference=None), square)
    assert alone.status is Status.NOT_FOUND
    assert "its detail and its colours were examined" in alone.reason
    assert seen.image_forwards + 8 < alone.image_forwards
