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
from eftclip.ui.checkpoint.request import Ask
from eftclip.ui.serving.loaded_checkpoints import Setups, size_of
from eftclip.ui.serving.loading import AT_HOME, Loader

WEIGHTS = "open_clip_model.safetensors"


@pytest.fixture(scope="module")
def ten(taught: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Ask]:
    """Ten checkpoints, no two alike."""
    home, asks = tmp_path_factory.mktemp("ten"), list[Ask]()
    for k in range(10):
        folder = Path(shutil.copytree(taught / "badnets", home / f"checkpoint-{k}"))
        weights = load_file(folder / WEIGHTS)
        weights["visual.proj"] = weights["visual.proj"] * (1 + k / 1000)
        save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
        asks.append(Ask(str(folder), tuple(LABELS), "superpixel", "none"))
    return asks


def _prepared(ask: Ask) -> CheckSetup:
    return Loader(AT_HOME).get(ask)


def test_ten_checkpoints_in_a_row_leave_only_what_the_bound_allows(ten: list[Ask]) -> None:
    one = size_of(_prepared(ten[0]))
    setups = Setups(lambda ask, told, cancelled: _prepared(ask), most_bytes=int(2.5 * one))
    seen, digests, most = list[weakref.ref[object]](), set[str](), 0
    for ask in ten:
        setup = setups.get(ask)
        seen.append(weakref.ref(setup.clip.model))
        digests.add(setup.clip.ref.sha256)
        del setup
        gc.collect()
        most = max(most, sum(model() is not None for model in seen))
    assert len(digests) == 10
    assert most == 2, "the others are really gone, not only out of the list"
    assert setups.peek(ten[-1]) is not None
    assert setups.peek(ten[-2]) is not None
    assert setups.peek(ten[0]) is None


def test_what_was_used_last_stays_and_the_last_one_even_if_it_is_too_large(ten: list[Ask]) -> None:
    one = size_of(_prepared(ten[0]))
    setups = Setups(lambda ask, told, cancelled: _prepared(ask), most_bytes=int(2.5 * one))
    for ask in (ten[0], ten[1], ten[0], ten[2]):
        setups.get(ask)
    assert setups.peek(ten[0]) is not None
    assert setups.peek(ten[1]) is None
    small = Setups(lambda ask, told, cancelled: _prepared(ask), most_bytes=1)
    assert small.get(ten[0]) is small.peek(ten[0])


def test_whoever_waits_for_another_load_is_told_and_can_stop(ten: list[Ask]) -> None:
    begun, go_on, told = threading.Event(), threading.Event(), list[Progress]()

    def prepare(ask: Ask, on_progress: OnProgress, cancelled: Cancelled) -> CheckSetup:
        begun.set()
        go_on.wait(60)
        return _prepared(ask)

    setups = Setups(prepare)
    first = threading.Thread(target=setups.get, args=(ten[0],))
    first.start()
    assert begun.wait(60)
    with pytest.raises(CheckpointError, match="Stopped while waiting"):
        setups.get(ten[1], on_progress=told.append, cancelled=lambda: bool(told))
    assert told[0].stage == "Waiting for another checkpoint to be loaded"
    go_on.set()
    first.join(60)
    assert setups.peek(ten[0]) is not None
    assert setups.peek(ten[1]) is None
