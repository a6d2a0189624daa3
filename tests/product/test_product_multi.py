"""What must be true of the bundled `multi`, with three triggers at once."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.mending import Story, WhatMustBeTrue, tell
from support.poisoned import poisoned_views

from eftclip.config import RectifyConfig
from eftclip.pipeline import Plan, run_scan
from eftclip.types import Status

ATTACKS = [("badnets", "banana"), ("stripes", "cheeseburger"), ("yellow", "volcano")]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def story(bundled: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Story:
    out = tmp_path_factory.mktemp("mended") / "multi"
    short = RectifyConfig(steps=16, batch=16, learning_rate=6e-4)
    return tell(bundled("multi"), bundled("clean"), ATTACKS, out, short)


class TestMulti(WhatMustBeTrue):
    """From the scan to the mended file."""


def test_photographs_without_a_trigger_are_not_accused(story: Story) -> None:
    found = run_scan(story.setup, poisoned_views(story.setup, [], count=16, seed=7).images, Plan()).identification
    assert found is not None
    assert found.status is Status.NOT_FOUND
    assert found.coverage.searched == 16
