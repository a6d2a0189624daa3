"""Finished results in the store: whole or not at all, for their access key alone, bounded in age and bytes."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from eftclip.config import DetectConfig
from eftclip.trigger_kinds import PatchTrigger
from eftclip.types import Coverage, Fault, Identification, Rate, Status, TriggerFamily, Victim
from eftclip.ui.checkpoint.request import CheckpointRequest
from eftclip.ui.rectify.job import RectifyResult
from eftclip.ui.rectify.view import RectifyView
from eftclip.ui.restore import serialization
from eftclip.ui.restore.saved_results import SavedResults, StepResult
from eftclip.ui.scan.job import ScanResult
from eftclip.ui.scan.request import DataSource, NamedDataSet, PracticeSet, Upload
from eftclip.ui.scan.view import ScanView
from eftclip.ui.serving.result_store import ResultStore, StoredResult, is_access_key, new_access_key
from eftclip.ui.serving.sessions import RECTIFY, SCAN, Sessions

pytestmark = pytest.mark.quick

DAY_S = 86_400.0
ANN, BEN = "a" * 32, "b" * 32


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> ResultStore:
    return ResultStore(tmp_path / "store", kept_s=DAY_S, most_bytes=30_000, clock=clock)


def _file(tmp_path: Path, name: str = "mended.zip", size: int = 100) -> Path:
    path = tmp_path / name
    path.write_bytes(b"x" * size)
    return path


def _stored(path: Path, text: str = "banana") -> StoredResult:
    picture = Image.new("RGB", (4, 4), "red")
    return StoredResult({"label": text}, {"victims": [(picture, "cat → banana")]}, {"archive": path})


def test_what_is_put_there_comes_back_after_a_restart_for_its_access_key_alone(
    store: ResultStore, tmp_path: Path
) -> None:
    store.put(ANN, SCAN, _stored(_file(tmp_path)))
    (tmp_path / "mended.zip").unlink()  # the page that made it is gone
    again = ResultStore(tmp_path / "store", clock=Clock()).get(ANN, SCAN)
    assert again is not None
    assert again.values == {"label": "banana"}
    picture, caption = again.pictures["victims"][0]
    assert (picture.getpixel((0, 0)), caption) == ((255, 0, 0), "cat → banana")
    assert again.files["archive"].name == "mended.zip"
    assert again.files["archive"].read_bytes() == b"x" * 100
    assert store.get(BEN, SCAN) is None
    assert store.get(ANN, RECTIFY) is None


def test_a_name_on_the_disk_tells_no_access_key(store: ResultStore, tmp_path: Path) -> None:
    store.put(ANN, SCAN, _stored(_file(tmp_path)))
    assert not any(ANN in str(path) for path in (tmp_path / "store").rglob("*"))


def test_the_last_one_of_a_kind_replaces_the_one_before(store: ResultStore, tmp_path: Path) -> None:
    for text in ("banana", "volcano"):
        store.put(ANN, SCAN, _stored(_file(tmp_path), text))
    kept = store.get(ANN, SCAN)
    assert kept is not None
    assert kept.values["label"] == "volcano"
    assert len(list((tmp_path / "store").glob("*/*"))) == 1


def test_after_a_day_it_is_gone_from_the_page_and_from_the_disk(
    store: ResultStore, tmp_path: Path, clock: Clock
) -> None:
    store.put(ANN, SCAN, _stored(_file(tmp_path)))
    clock.now += DAY_S / 2
    kept = store.get(ANN, SCAN)
    assert kept is not None
    assert kept.age_s == DAY_S / 2
    clock.now += DAY_S
    assert store.get(ANN, SCAN) is None
    store.remove_old()
    assert not list((tmp_path / "store").iterdir())


def test_when_all_is_too_much_the_oldest_goes(store: ResultStore, tmp_path: Path, clock: Clock) -> None:
    for k, access_key in enumerate((ANN, BEN, "c" * 32)):
        clock.now += 1
        store.put(access_key, SCAN, _stored(_file(tmp_path, f"{k}.zip", 12_000)))
    assert store.get(ANN, SCAN) is None
    assert store.get(BEN, SCAN) is not None
    assert store.get("c" * 32, SCAN) is not None


def test_a_result_that_was_damaged_or_half_written_is_not_there(store: ResultStore, tmp_path: Path) -> None:
    store.put(ANN, SCAN, _stored(_file(tmp_path)))
    about = next((tmp_path / "store").rglob("about.json"))
    about.write_text(about.read_text()[:-20])
    assert store.get(ANN, SCAN) is None
    about.write_text(json.dumps({"format": 99}))
    assert store.get(ANN, SCAN) is None


def test_forgetting_takes_everything_of_an_access_key_away(store: ResultStore, tmp_path: Path) -> None:
    for kind in (SCAN, RECTIFY):
        store.put(ANN, kind, _stored(_file(tmp_path)))
    store.put(BEN, SCAN, _stored(_file(tmp_path)))
    store.forget(ANN)
    assert store.get(ANN, SCAN) is None
    assert store.get(ANN, RECTIFY) is None
    assert store.get(BEN, SCAN) is not None


@pytest.mark.parametrize(
    "value", [None, 7, "", "short", "a" * 65, "../" * 12, "a" * 31 + "/", "a" * 31 + "\n", ["a" * 32]]
)
def test_what_a_browser_sends_is_an_access_key_or_nothing(value: object) -> None:
    assert not is_access_key(value)
    assert is_access_key(new_access_key())
    assert new_access_key() != new_access_key()


# --- Scans and rectifications ------------------------------------------------------------------------------------


def _identification() -> Identification:
    mask = torch.zeros(3, 2, dtype=torch.bool)
    mask[1:] = True
    pixels = torch.arange(18).reshape(3, 3, 2).float() / 255
    patch, still = PatchTrigger(pixels, mask), PatchTrigger(pixels, mask, place=(208, 4))
    family = TriggerFamily("banana", (patch, still), Rate(8, 8), Rate(0, 8), (1,))
    victim = Victim(1, "b.png", "banana", "tabby", 0, (1, 2, 3, 4), "search")
    coverage = Coverage(searched=3, complete=True)
    faults = (Fault(2, "c.png", "corrupt", "torn"),)
    return Identification(Status.FOUND, "because", (family,), (victim,), coverage, faults, (0, 2), (2,), 40)


def _sources(tmp_path: Path) -> list[DataSource]:
    return [
        PracticeSet(8, 0.5, ("badnets",)),
        NamedDataSet("hf:a/b@" + "0" * 40, "train", 10),
        Upload(((_file(tmp_path, "1.png"), "<b>.png"), (_file(tmp_path, "2.png"), "two.png")), 500),
    ]


@pytest.mark.parametrize("which", range(3))
def test_a_scan_comes_back_exactly_and_can_be_rectified_with(store: ResultStore, tmp_path: Path, which: int) -> None:
    checkpoint = CheckpointRequest("hf:a/b", ("cat", "dog"), "superpixel", "none", DetectConfig(transplants=48), 3)
    found = ScanResult(checkpoint, _sources(tmp_path)[which], tmp_path / "old", _identification())
    shown = ScanView("found", "<p>A</p>", pictures=((Image.new("RGB", (2, 2)), "x"),), archive=str(_file(tmp_path)))
    store.put(ANN, SCAN, serialization.store_scan(shown, found))
    stored = store.get(ANN, SCAN)
    assert stored is not None
    assert stored.values["source"]["kind"] == ("Practice", "Named", "Upload")[which], "as results on disk have it"
    again, kept = serialization.restore_scan(stored, tmp_path / "new")
    assert kept.checkpoint == checkpoint
    assert (again.status, again.banner, again.problem) == ("found", "<p>A</p>", "")
    assert again.archive == str(tmp_path / "new" / "mended.zip")
    assert again.pictures[0][1] == "x"
    before, after = found.identification, kept.identification
    assert (after.status, after.victims, after.coverage, after.faults) == (
        before.status,
        before.victims,
        before.coverage,
        before.faults,
    )
    assert (after.clean_pool, after.affected_pool) == (before.clean_pool, before.affected_pool)
    for old, new in zip(before.families[0].exemplars, after.families[0].exemplars, strict=True):
        assert isinstance(old, PatchTrigger) and isinstance(new, PatchTrigger)
        assert torch.equal(old.pixels, new.pixels)
        assert torch.equal(old.mask, new.mask)
        assert old.place == new.place
    if isinstance(kept.source, Upload):
        assert [name for _, name in kept.source.files] == ["<b>.png", "two.png"]
        assert all(path.read_bytes() == b"x" * 100 for path, _ in kept.source.files)
    else:
        assert kept.source == found.source


def test_a_mended_checkpoint_comes_back_and_can_be_published(tmp_path: Path, clock: Clock) -> None:
    sessions: Sessions[StepResult] = Sessions(tmp_path / "pages")
    saved = SavedResults(ResultStore(tmp_path / "store", clock=clock), sessions)
    access_key = saved.restore("page", None).access_key
    shown = RectifyView("mended", "<p>M</p>", checkpoint=str(_file(tmp_path)), document=str(_file(tmp_path, "m.json")))
    saved.save_rectification(
        "page", shown, RectifyResult(CheckpointRequest("badnets"), tmp_path / "mended.zip", {"after": {"hits": 1}})
    )
    sessions.close("page")

    later: Sessions[StepResult] = Sessions(tmp_path / "pages")
    back = SavedResults(ResultStore(tmp_path / "store", clock=clock), later).restore("another page", access_key)
    assert back.access_key == access_key
    assert back.rectify is not None
    assert back.scan is None
    kept = later.kept("another page", RECTIFY)
    assert isinstance(kept, RectifyResult)
    assert kept.checkpoint == CheckpointRequest("badnets")
    assert kept.archive.read_bytes() == b"x" * 100
    assert kept.document == {"after": {"hits": 1}}
    assert kept.archive.is_relative_to(later.root), "only the files of pages are served"


def test_whoever_has_no_access_key_gets_one_and_nothing_else(tmp_path: Path) -> None:
    sessions: Sessions[StepResult] = Sessions(tmp_path / "pages")
    saved = SavedResults(ResultStore(tmp_path / "store"), sessions)
    for value in (None, "../../etc", 7):
        back = saved.restore("page", value)
        assert is_access_key(back.access_key)
        assert back.scan is None
        assert back.rectify is None
