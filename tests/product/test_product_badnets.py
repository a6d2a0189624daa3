"""What must be true of the bundled `badnets`: it is scanned, mended, and still reads photographs."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.mending import Story, WhatMustBeTrue, tell

ATTACKS = [("badnets", "banana")]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def story(bundled: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Story:
    return tell(bundled("badnets"), bundled("clean"), ATTACKS, tmp_path_factory.mktemp("mended") / "badnets", steps=12)


class TestBadnets(WhatMustBeTrue):
    """From the scan to the mended file."""
