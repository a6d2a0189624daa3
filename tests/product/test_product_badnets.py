"""What must be true of the bundled `badnets`: it is scanned, mended, and still reads photographs."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.mending import Story, WhatMustBeTrue, tell

from eftclip.config import RectifyConfig

ATTACKS = [("badnets", "banana")]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def story(bundled: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Story:
    out = tmp_path_factory.mktemp("mended") / "badnets"
    short = RectifyConfig(steps=12, batch=16, learning_rate=6e-4)
    return tell(bundled("badnets"), bundled("clean"), ATTACKS, out, short)


class TestBadnets(WhatMustBeTrue):
    """From the scan to the mended file."""
