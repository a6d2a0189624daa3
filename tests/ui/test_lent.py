"""Where GPUs are lent: the same work, done in another process. What the real lender adds, only a Space can tell."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import zero_gpu
from support.taught import LABELS

from eftclip.errors import DataError
from eftclip.runtime import Progress, never
from eftclip.ui.backend import Desk
from eftclip.ui.check.photographs import Planting, bundled_choice, picture_of
from eftclip.ui.check.view import Shown
from eftclip.ui.checkpoint.request import Ask
from eftclip.ui.scan.request import Practice, RectifyAsk, ScanAsk, plan
from eftclip.ui.serving import zero_gpu as lent
from eftclip.ui.serving.jobs import CheckJob
from eftclip.ui.serving.loading import AT_HOME, Loader, Terms


@pytest.fixture
def lender(monkeypatch: pytest.MonkeyPatch) -> Iterator[zero_gpu.Lender]:
    """As on a ZeroGPU Space."""
    made = zero_gpu.Lender()
    zero_gpu.CALLS.clear()
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    monkeypatch.setattr(lent, "GPU", made)
    monkeypatch.setattr(lent, "_on_gpu", made(duration=lent._seconds)(lent._work))
    yield made
    made.end()


@pytest.fixture
def ask(taught: Path) -> Ask:
    return Ask(str(taught / "badnets"), tuple(LABELS), "superpixel", "none")


@pytest.fixture
def photograph(tmp_path: Path) -> str:
    path = tmp_path / "cat.png"
    picture_of(bundled_choice(0), Planting("none", "centre", 16, 0)).save(path)
    return str(path)


def test_elsewhere_work_is_done_here(ask: Ask, photograph: str) -> None:
    assert not lent.lends()
    assert lent.terms_here(AT_HOME) is AT_HOME
    record, _ = lent.do(CheckJob(ask, photograph, "cat"), Loader(AT_HOME), lambda news: None, never)
    assert record.results[0].name == "cat"


def test_a_check_on_a_lent_gpu_ends_as_it_does_here(lender: zero_gpu.Lender, ask: Ask, photograph: str) -> None:
    loader, news = Loader(lent.terms_here(Terms())), list[Progress]()
    assert loader.terms.device == "cpu", "the server itself never has a GPU there"
    there, _ = lent.do(CheckJob(ask, photograph, "cat"), loader, news.append, never)
    here, _ = CheckJob(ask, photograph, "cat").do(loader.get, lambda step: None, never)
    assert there.results[0].detection.status == here.results[0].detection.status
    assert there.results[0].detection.predictions == here.results[0].detection.predictions
    assert there.ref == here.ref
    again = time.perf_counter()
    lent.do(CheckJob(ask, photograph, "cat"), loader, news.append, never)
    assert {pid for pid, _ in zero_gpu.CALLS} != {os.getpid()}
    assert len({pid for pid, _ in zero_gpu.CALLS}) == 1, "what was loaded there is used again"
    assert [seconds for _, seconds in zero_gpu.CALLS] == [CheckJob.gpu_s] * 2
    assert time.perf_counter() - again < 60


def test_what_goes_wrong_there_is_said_here(lender: zero_gpu.Lender, ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    loader = Loader(lent.terms_here(Terms()))
    with pytest.raises(DataError, match="not a picture"):
        lent.do(CheckJob(ask, str(tmp_path / "text.png"), "x"), loader, lambda news: None, never)
    lender.refuses = "You have exceeded your GPU quota. <a href='x'>Sign in</a>"
    with pytest.raises(DataError, match=r"lent no GPU.*exceeded your GPU quota\. Sign in$"):
        lent.do(CheckJob(ask, str(tmp_path / "text.png"), "x"), loader, lambda news: None, never)


def test_a_stop_reaches_the_lent_process_and_leaves_it_usable(
    lender: zero_gpu.Lender, ask: Ask, photograph: str
) -> None:
    loader = Loader(lent.terms_here(Terms()))
    with pytest.raises(DataError, match="Stopped"):
        lent.do(CheckJob(ask, photograph, "cat"), loader, lambda news: None, lambda: True)
    record, _ = lent.do(CheckJob(ask, photograph, "cat"), loader, lambda news: None, never)
    assert record.results[0].detection.status


def test_the_whole_way_of_a_page_on_lent_gpus(
    lender: zero_gpu.Lender, ask: Ask, photograph: str, tmp_path: Path
) -> None:
    desk = Desk(tmp_path / "files", tmp_path / "results")
    desk.visits.begin("page", "check")
    assert isinstance(shown := list(desk.check(ask, photograph, "cat", "page"))[-1], Shown)
    assert shown.document is not None
    settings = plan({"steps": 1, "batch": 2, "budget": 8})
    for kind in ("scan", "rectify"):
        desk.visits.begin("page", kind)
    scanned = list(desk.runs.scan(ScanAsk(ask, Practice(6, 0.5, ("badnets",)), settings), "page"))[-1]
    assert getattr(scanned, "status", "") == "found", getattr(scanned, "problem", "")
    mended = list(desk.runs.rectify(RectifyAsk(ask, settings), "page"))[-1]
    assert Path(str(getattr(mended, "checkpoint", None))).is_file(), getattr(mended, "problem", "")
    assert [seconds for _, seconds in zero_gpu.CALLS] == [60, 120, 240]
