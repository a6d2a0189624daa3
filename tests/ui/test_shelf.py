"""Finished results on the shelf: whole or not at all, for their ticket alone, bounded in age and bytes."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from eftclip.config import DetectConfig
from eftclip.types import Coverage, Fault, Identification, Patch, Rate, Status, TriggerFamily, Victim
from eftclip.ui import parcels
from eftclip.ui.asks import Ask
from eftclip.ui.jobs import RECTIFY, SCAN, Found, Kept, Mended
from eftclip.ui.rectify_views import RectifyShown
from eftclip.ui.returns import Returns
from eftclip.ui.run_asks import Named, Practice, Source, Upload
from eftclip.ui.scan_views import ScanShown
from eftclip.ui.shelf import Parcel, Shelf, is_ticket, new_ticket
from eftclip.ui.visits import Visits

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
def shelf(tmp_path: Path, clock: Clock) -> Shelf:
    return Shelf(tmp_path / "shelf", kept_s=DAY_S, most_bytes=30_000, clock=clock)


def _file(tmp_path: Path, name: str = "mended.zip", size: int = 100) -> Path:
    path = tmp_path / name
    path.write_bytes(b"x" * size)
    return path


def _parcel(path: Path, text: str = "banana") -> Parcel:
    picture = Image.new("RGB", (4, 4), "red")
    return Parcel({"label": text}, {"victims": [(picture, "cat → banana")]}, {"archive": path})


def test_what_is_put_there_comes_back_after_a_restart_for_its_ticket_alone(shelf: Shelf, tmp_path: Path) -> None:
    shelf.put(ANN, SCAN, _parcel(_file(tmp_path)))
    (tmp_path / "mended.zip").unlink()  # the page that made it is gone
    again = Shelf(tmp_path / "shelf", clock=Clock()).get(ANN, SCAN)
    assert again is not None
    assert again.values == {"label": "banana"}
    picture, caption = again.pictures["victims"][0]
    assert (picture.getpixel((0, 0)), caption) == ((255, 0, 0), "cat → banana")
    assert again.files["archive"].name == "mended.zip"
    assert again.files["archive"].read_bytes() == b"x" * 100
    assert shelf.get(BEN, SCAN) is None
    assert shelf.get(ANN, RECTIFY) is None


def test_a_name_on_the_disk_tells_no_ticket(shelf: Shelf, tmp_path: Path) -> None:
    shelf.put(ANN, SCAN, _parcel(_file(tmp_path)))
    assert not any(ANN in str(path) for path in (tmp_path / "shelf").rglob("*"))


def test_the_last_one_of_a_kind_replaces_the_one_before(shelf: Shelf, tmp_path: Path) -> None:
    for text in ("banana", "volcano"):
        shelf.put(ANN, SCAN, _parcel(_file(tmp_path), text))
    kept = shelf.get(ANN, SCAN)
    assert kept is not None
    assert kept.values["label"] == "volcano"
    assert len(list((tmp_path / "shelf").glob("*/*"))) == 1


def test_after_a_day_it_is_gone_from_the_page_and_from_the_disk(shelf: Shelf, tmp_path: Path, clock: Clock) -> None:
    shelf.put(ANN, SCAN, _parcel(_file(tmp_path)))
    clock.now += DAY_S / 2
    kept = shelf.get(ANN, SCAN)
    assert kept is not None
    assert kept.age_s == DAY_S / 2
    clock.now += DAY_S
    assert shelf.get(ANN, SCAN) is None
    shelf.sweep()
    assert not list((tmp_path / "shelf").iterdir())


def test_when_all_is_too_much_the_oldest_goes(shelf: Shelf, tmp_path: Path, clock: Clock) -> None:
    for k, ticket in enumerate((ANN, BEN, "c" * 32)):
        clock.now += 1
        shelf.put(ticket, SCAN, _parcel(_file(tmp_path, f"{k}.zip", 12_000)))
    assert shelf.get(ANN, SCAN) is None
    assert shelf.get(BEN, SCAN) is not None
    assert shelf.get("c" * 32, SCAN) is not None


def test_a_parcel_that_was_damaged_or_half_written_is_not_there(shelf: Shelf, tmp_path: Path) -> None:
    shelf.put(ANN, SCAN, _parcel(_file(tmp_path)))
    about = next((tmp_path / "shelf").rglob("about.json"))
    about.write_text(about.read_text()[:-20])
    assert shelf.get(ANN, SCAN) is None
    about.write_text(json.dumps({"format": 99}))
    assert shelf.get(ANN, SCAN) is None


def test_forgetting_takes_everything_of_a_ticket_away(shelf: Shelf, tmp_path: Path) -> None:
    for kind in (SCAN, RECTIFY):
        shelf.put(ANN, kind, _parcel(_file(tmp_path)))
    shelf.put(BEN, SCAN, _parcel(_file(tmp_path)))
    shelf.forget(ANN)
    assert shelf.get(ANN, SCAN) is None
    assert shelf.get(ANN, RECTIFY) is None
    assert shelf.get(BEN, SCAN) is not None


@pytest.mark.parametrize(
    "value", [None, 7, "", "short", "a" * 65, "../" * 12, "a" * 31 + "/", "a" * 31 + "\n", ["a" * 32]]
)
def test_what_a_browser_sends_is_a_ticket_or_nothing(value: object) -> None:
    assert not is_ticket(value)
    assert is_ticket(new_ticket())
    assert new_ticket() != new_ticket()


# --- Scans and rectifications ------------------------------------------------------------------------------------


def _identification() -> Identification:
    mask = torch.zeros(3, 2, dtype=torch.bool)
    mask[1:] = True
    pixels = torch.arange(18).reshape(3, 3, 2).float() / 255
    patch, still = Patch(pixels, mask), Patch(pixels, mask, place=(208, 4))
    family = TriggerFamily("banana", (patch, still), Rate(8, 8), Rate(0, 8), (1,))
    victim = Victim(1, "b.png", "banana", "tabby", 0, (1, 2, 3, 4), "search")
    coverage = Coverage(searched=3, complete=True)
    faults = (Fault(2, "c.png", "corrupt", "torn"),)
    return Identification(Status.FOUND, "because", (family,), (victim,), coverage, faults, (0, 2), (2,), 40)


def _sources(tmp_path: Path) -> list[Source]:
    return [
        Practice(8, 0.5, ("badnets",)),
        Named("hf:a/b@" + "0" * 40, "train", 10),
        Upload(((_file(tmp_path, "1.png"), "<b>.png"), (_file(tmp_path, "2.png"), "two.png")), 500),
    ]


@pytest.mark.parametrize("which", range(3))
def test_a_scan_comes_back_exactly_and_can_be_rectified_with(shelf: Shelf, tmp_path: Path, which: int) -> None:
    ask = Ask("hf:a/b", ("cat", "dog"), "superpixel", "none", DetectConfig(transplants=48), 3)
    found = Found(ask, _sources(tmp_path)[which], tmp_path / "old", _identification())
    shown = ScanShown("found", "<p>A</p>", pictures=((Image.new("RGB", (2, 2)), "x"),), archive=str(_file(tmp_path)))
    shelf.put(ANN, SCAN, parcels.of_scan(shown, found))
    parcel = shelf.get(ANN, SCAN)
    assert parcel is not None
    again, kept = parcels.to_scan(parcel, tmp_path / "new")
    assert kept.check == ask
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
        assert torch.equal(old.pixels, new.pixels)
        assert torch.equal(old.mask, new.mask)
        assert old.place == new.place
    if isinstance(kept.source, Upload):
        assert [name for _, name in kept.source.files] == ["<b>.png", "two.png"]
        assert all(path.read_bytes() == b"x" * 100 for path, _ in kept.source.files)
    else:
        assert kept.source == found.source


def test_a_mended_checkpoint_comes_back_and_can_be_published(tmp_path: Path, clock: Clock) -> None:
    visits: Visits[Kept] = Visits(tmp_path / "pages")
    returns = Returns(Shelf(tmp_path / "shelf", clock=clock), visits)
    ticket = returns.arrive("page", None).ticket
    shown = RectifyShown("mended", "<p>M</p>", checkpoint=str(_file(tmp_path)), document=str(_file(tmp_path, "m.json")))
    returns.keep_rectification("page", shown, Mended(Ask("badnets"), tmp_path / "mended.zip", {"after": {"hits": 1}}))
    visits.leave("page")

    later: Visits[Kept] = Visits(tmp_path / "pages")
    back = Returns(Shelf(tmp_path / "shelf", clock=clock), later).arrive("another page", ticket)
    assert back.ticket == ticket
    assert back.rectify is not None
    assert back.scan is None
    kept = later.kept("another page", RECTIFY)
    assert isinstance(kept, Mended)
    assert kept.ask == Ask("badnets")
    assert kept.archive.read_bytes() == b"x" * 100
    assert kept.document == {"after": {"hits": 1}}
    assert kept.archive.is_relative_to(later.home), "only the files of pages are served"


def test_whoever_has_no_ticket_gets_one_and_nothing_else(tmp_path: Path) -> None:
    visits: Visits[Kept] = Visits(tmp_path / "pages")
    returns = Returns(Shelf(tmp_path / "shelf"), visits)
    for value in (None, "../../etc", 7):
        back = returns.arrive("page", value)
        assert is_ticket(back.ticket)
        assert back.scan is None
        assert back.rectify is None
