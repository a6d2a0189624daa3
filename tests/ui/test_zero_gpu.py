"""On a ZeroGPU Space: the same work, done in another process. What the real lender adds, only a Space can tell."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.taught import LABELS
from support.zero_gpu import CALLS, Lender

from eftclip.errors import DataError
from eftclip.runtime import Progress, never
from eftclip.ui.backend import Backend
from eftclip.ui.check.job import CheckJob
from eftclip.ui.check.photographs import Planting, bundled_choice, picture_of
from eftclip.ui.check.view import CheckView
from eftclip.ui.checkpoint.request import CheckpointRequest
from eftclip.ui.rectify.request import RectifyRequest, plan
from eftclip.ui.scan.request import PracticeSet, ScanRequest
from eftclip.ui.serving import zero_gpu
from eftclip.ui.serving.loading import OWN_MACHINE, Loader, LoadPolicy


@pytest.fixture
def lender(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lender]:
    """As on a ZeroGPU Space."""
    made = Lender()
    CALLS.clear()
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    monkeypatch.setattr(zero_gpu, "GPU", made)
    monkeypatch.setattr(zero_gpu, "_on_gpu", made(duration=zero_gpu._seconds)(zero_gpu._work))
    yield made
    made.end()


@pytest.fixture
def checkpoint(taught: Path) -> CheckpointRequest:
    return CheckpointRequest(str(taught / "badnets"), tuple(LABELS), "superpixel", "none")


@pytest.fixture
def photograph(tmp_path: Path) -> str:
    path = tmp_path / "cat.png"
    picture_of(bundled_choice(0), Planting("none", "centre", 16, 0)).save(path)
    return str(path)


def test_elsewhere_work_is_done_here(checkpoint: CheckpointRequest, photograph: str) -> None:
    assert not zero_gpu.available()
    assert zero_gpu.loading_policy(OWN_MACHINE) is OWN_MACHINE
    record, _ = zero_gpu.run_job(CheckJob(checkpoint, photograph, "cat"), Loader(OWN_MACHINE), lambda news: None, never)
    assert record.results[0].name == "cat"


def test_a_check_on_a_lent_gpu_ends_as_it_does_here(
    lender: Lender, checkpoint: CheckpointRequest, photograph: str
) -> None:
    loader, news = Loader(zero_gpu.loading_policy(LoadPolicy())), list[Progress]()
    assert loader.policy.device == "cpu", "the server itself never has a GPU there"
    there, _ = zero_gpu.run_job(CheckJob(checkpoint, photograph, "cat"), loader, news.append, never)
    here, _ = CheckJob(checkpoint, photograph, "cat").do(loader.get, lambda step: None, never)
    assert there.results[0].detection.status == here.results[0].detection.status
    assert there.results[0].detection.predictions == here.results[0].detection.predictions
    assert there.ref == here.ref
    again = time.perf_counter()
    zero_gpu.run_job(CheckJob(checkpoint, photograph, "cat"), loader, news.append, never)
    assert {pid for pid, _ in CALLS} != {os.getpid()}
    assert len({pid for pid, _ in CALLS}) == 1, "what was loaded there is used again"
    assert [seconds for _, seconds in CALLS] == [CheckJob.gpu_s] * 2
    assert time.perf_counter() - again < 60


def test_what_goes_wrong_there_is_said_here(lender: Lender, checkpoint: CheckpointRequest, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    loader = Loader(zero_gpu.loading_policy(LoadPolicy()))
    with pytest.raises(DataError, match="not a picture"):
        zero_gpu.run_job(CheckJob(checkpoint, str(tmp_path / "text.png"), "x"), loader, lambda news: None, never)
    lender.refuses = "You have exceeded your GPU quota. <a href='x'>Sign in</a>"
    with pytest.raises(DataError, match=r"lent no GPU.*exceeded your GPU quota\. Sign in$"):
        zero_gpu.run_job(CheckJob(checkpoint, str(tmp_path / "text.png"), "x"), loader, lambda news: None, never)


def test_a_stop_reaches_the_lent_process_and_leaves_it_usable(
    lender: Lender, checkpoint: CheckpointRequest, photograph: str
) -> None:
    loader = Loader(zero_gpu.loading_policy(LoadPolicy()))
    with pytest.raises(DataError, match="Stopped"):
        zero_gpu.run_job(CheckJob(checkpoint, photograph, "cat"), loader, lambda news: None, lambda: True)
    record, _ = zero_gpu.run_job(CheckJob(checkpoint, photograph, "cat"), loader, lambda news: None, never)
    assert record.results[0].detection.status


def test_the_whole_way_of_a_page_on_lent_gpus(
    lender: Lender, checkpoint: CheckpointRequest, photograph: str, tmp_path: Path
) -> None:
    backend = Backend(tmp_path / "files", tmp_path / "results")
    backend.sessions.begin("page", "check")
    assert isinstance(shown := list(backend.checks.run(checkpoint, photograph, "cat", "page"))[-1], CheckView)
    assert shown.document is not None
    settings = plan({"steps": 1, "batch": 2, "budget": 8})
    for kind in ("scan", "rectify"):
        backend.sessions.begin("page", kind)
    scanned = list(backend.scans.run(ScanRequest(checkpoint, PracticeSet(6, 0.5, ("badnets",)), settings), "page"))[-1]
    assert getattr(scanned, "status", "") == "found", getattr(scanned, "problem", "")
    mended = list(backend.rectifications.run(RectifyRequest(checkpoint, settings), "page"))[-1]
    assert Path(str(getattr(mended, "checkpoint", None))).is_file(), getattr(mended, "problem", "")
    assert [seconds for _, seconds in CALLS] == [60, 120, 240]
