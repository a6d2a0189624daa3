"""Loaded checkpoints: ten different ones asked for in a row, and the memory that stays bounded all the same."""

import gc
import shutil
import threading
import weakref
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from support.taught import LABELS

from eftclip.errors import CheckpointError
from eftclip.pipeline import CheckSetup
from eftclip.runtime import Cancelled, OnProgress, Progress
from eftclip.ui.checkpoint.request import CheckpointRequest
from eftclip.ui.serving.loaded_checkpoints import LoadedCheckpoints, size_of
from eftclip.ui.serving.loading import OWN_MACHINE, Loader

WEIGHTS = "open_clip_model.safetensors"


@pytest.fixture(scope="module")
def ten(taught: Path, tmp_path_factory: pytest.TempPathFactory) -> list[CheckpointRequest]:
    """Ten checkpoints, no two alike."""
    home, requests = tmp_path_factory.mktemp("ten"), list[CheckpointRequest]()
    for k in range(10):
        folder = Path(shutil.copytree(taught / "badnets", home / f"checkpoint-{k}"))
        weights = load_file(folder / WEIGHTS)
        weights["visual.proj"] = weights["visual.proj"] * (1 + k / 1000)
        save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
        requests.append(CheckpointRequest(str(folder), tuple(LABELS), "superpixel", "none"))
    return requests


def _prepared(request: CheckpointRequest) -> CheckSetup:
    return Loader(OWN_MACHINE).get(request)


def test_ten_checkpoints_in_a_row_leave_only_what_the_bound_allows(ten: list[CheckpointRequest]) -> None:
    one = size_of(_prepared(ten[0]))
    loaded = LoadedCheckpoints(lambda request, told, cancelled: _prepared(request), most_bytes=int(2.5 * one))
    seen, digests, most = list[weakref.ref[object]](), set[str](), 0
    for request in ten:
        setup = loaded.get(request)
        seen.append(weakref.ref(setup.clip.model))
        digests.add(setup.clip.ref.sha256)
        del setup
        gc.collect()
        most = max(most, sum(model() is not None for model in seen))
    assert len(digests) == 10
    assert most == 2, "the others are really gone, not only out of the list"
    assert loaded.peek(ten[-1]) is not None
    assert loaded.peek(ten[-2]) is not None
    assert loaded.peek(ten[0]) is None


def test_what_was_used_last_stays_and_the_last_one_even_if_it_is_too_large(ten: list[CheckpointRequest]) -> None:
    one = size_of(_prepared(ten[0]))
    loaded = LoadedCheckpoints(lambda request, told, cancelled: _prepared(request), most_bytes=int(2.5 * one))
    for request in (ten[0], ten[1], ten[0], ten[2]):
        loaded.get(request)
    assert loaded.peek(ten[0]) is not None
    assert loaded.peek(ten[1]) is None
    small = LoadedCheckpoints(lambda request, told, cancelled: _prepared(request), most_bytes=1)
    assert small.get(ten[0]) is small.peek(ten[0])


def test_whoever_waits_for_another_load_is_told_and_can_stop(ten: list[CheckpointRequest]) -> None:
    begun, go_on, told = threading.Event(), threading.Event(), list[Progress]()

    def prepare(request: CheckpointRequest, on_progress: OnProgress, cancelled: Cancelled) -> CheckSetup:
        begun.set()
        go_on.wait(60)
        return _prepared(request)

    loaded = LoadedCheckpoints(prepare)
    first = threading.Thread(target=loaded.get, args=(ten[0],))
    first.start()
    assert begun.wait(60)
    with pytest.raises(CheckpointError, match="Stopped while waiting"):
        loaded.get(ten[1], on_progress=told.append, cancelled=lambda: bool(told))
    assert told[0].stage == "Waiting for another checkpoint to be loaded"
    go_on.set()
    first.join(60)
    assert loaded.peek(ten[0]) is not None
    assert loaded.peek(ten[1]) is None
