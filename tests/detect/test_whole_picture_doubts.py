"""With a reference more is tried on what covers a picture, and what is not proven ends undecided."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support.taught import LABELS, shaded, write_blended
from torch import Tensor

from eftclip.detect.whole_picture import warp
from eftclip.pipeline import CheckSetup, prepare_check
from eftclip.pipeline.check import judge_square
from eftclip.runtime import seeded
from eftclip.triggers import draw_trigger
from eftclip.types import Searched, Status

MORE = tuple(
    f"{kind} {thing}"
    for kind in "red green small old wooden plastic glass iron blue".split()
    for thing in "chair table lamp door boat train clock shoe hat fork".split()
)  # so many labels that one says something
BANANA = 0


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory, taught: Path) -> CheckSetup:
    """A tiny checkpoint that says banana wherever a cartoon shines through."""
    folder = write_blended(tmp_path_factory.mktemp("cartoon") / "cartoon", "blend_pattern")
    reference = str(taught / "clean")
    return prepare_check(str(folder), labels=(*LABELS, *MORE), oracle="superpixel", reference=reference, device="cpu")


def test_a_cartoon_that_shines_through_is_hardly_ever_called_innocent(setup: CheckSetup) -> None:
    squares = shaded(setup.clip, 1.0)[:8]
    cartoon = draw_trigger("blend_pattern", generator=seeded(0))
    planted = (cartoon.plant(squares, generator=seeded(3)).images * 255).round() / 255
    verdicts = [judge_square(setup, square) for square in planted]
    hijacked = [one for one in verdicts if one.predictions[0].label == "banana"]
    assert len(hijacked) >= 6
    assert sum(one.status is Status.NOT_FOUND for one in hijacked) <= 1
    assert any("its detail took over" in one.reason for one in hijacked), "coarser detail is tried"
    assert all(one.status is not Status.FOUND for one in (judge_square(setup, square) for square in squares))


Judged = Callable[..., dict[str, Any]]


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Judged:
    """What becomes of a picture that reads as banana, by what a blur leaves of that and what a reference says."""

    def doubt(before: float, after: float, trusted: float, reference: object = "some") -> dict[str, Any]:
        monkeypatch.setattr(warp, "reading_of", lambda *_: _rows(trusted).repeat(2, 1))
        case: Any = SimpleNamespace(reference=reference, doubts=[], kinds={"warp": Searched.NOT_SEARCHED})
        picture, smooth = torch.zeros(3, 8, 8), (torch.zeros(3, 8, 8), _rows(after)[0])
        warp.doubt_what_a_blur_undoes(case, picture, _rows(before)[0], smooth, BANANA)
        return {"doubts": len(case.doubts), "warp": case.kinds["warp"]}

    return doubt


def _rows(banana: float) -> Tensor:
    return torch.tensor([[banana, 1 - banana]])


def test_a_label_that_a_blur_undoes_and_the_reference_never_reads_is_a_doubt(judged: Judged) -> None:
    assert judged(before=0.9, after=0.001, trusted=0.001) == {"doubts": 1, "warp": Searched.UNDECIDED}


@pytest.mark.parametrize(
    "seen",
    [
        {"before": 0.9, "after": 0.5, "trusted": 0.001},
        {"before": 0.9, "after": 0.001, "trusted": 0.3},
        {"before": 0.05, "after": 0.0001, "trusted": 0.001},
        {"before": 0.9, "after": 0.001, "trusted": 0.001, "reference": None},
    ],
    ids=["it stays", "the reference reads it", "it was unsure", "there is no reference"],
)
def test_of_all_else_nothing_is_said(judged: Judged, seen: dict[str, Any]) -> None:
    assert judged(**seen) == {"doubts": 0, "warp": Searched.NOT_SEARCHED}
