"""A scan from end to end on a tiny backdoored CLIP: taken up again, split among processes, cancelled, broken."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from support import scan_once
from support.forked import Program, run
from support.poisoned import Poisoned, poisoned_set
from support.scanning import scan
from support.taught import LABELS, shaded

from eftclip.config import ScanConfig
from eftclip.data import Entry, ImageSet, list_set, open_set
from eftclip.errors import DataError
from eftclip.identify import Journal
from eftclip.pipeline import CheckSetup, Plan, RunOptions, prepare_check, run_scan
from eftclip.pipeline.scan import about_scan, find_triggers
from eftclip.report import run_document
from eftclip.runtime import Progress, seeded
from eftclip.trigger_kinds import PatchTrigger
from eftclip.triggers import draw_patch, draw_trigger
from eftclip.types import Identification, Sanity, Status

SCRIPT = Path(scan_once.__file__)
BLOCK = 8


@pytest.fixture(autouse=True, scope="module")
def small_blocks() -> Iterator[None]:
    """A few samples between two decisions, so that a small set has several rounds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("eftclip.identify.scanner.BLOCK", BLOCK)
        yield


@pytest.fixture(scope="module")
def setup(taught: Path) -> CheckSetup:
    return prepare_check(
        str(taught / "badnets"), labels=LABELS, oracle="superpixel", reference=str(taught / "clean"), device="cpu"
    )


@pytest.fixture(scope="module")
def poisoned(setup: CheckSetup) -> Poisoned:
    squares = torch.cat([shaded(setup.clip, shade) for shade in (0.95, 0.85, 1.0)])[:40]
    made = poisoned_set(setup, squares, [(draw_trigger("badnets", generator=seeded(0)), "banana")])
    assert len(made.hijacked) >= 6, "the tiny backdoor works"
    return made


@pytest.fixture(scope="module")
def untouched(setup: CheckSetup) -> ImageSet:
    return poisoned_set(setup, shaded(setup.clip, 0.95)[:10], []).images


@pytest.fixture(scope="module")
def found(setup: CheckSetup, poisoned: Poisoned) -> Identification:
    return scan(setup, poisoned.images, ScanConfig())


def told(found: Identification) -> dict[str, Any]:
    """Everything that a scan found, comparable."""
    return {
        "status": found.status,
        "reason": found.reason,
        "victims": found.victims,
        "coverage": found.coverage,
        "faults": found.faults,
        "pools": (found.clean_pool, found.affected_pool),
        "forwards": found.image_forwards,
        "families": [
            (f.target_label, f.transplant, f.control, f.members, [e.to_dict() for e in f.exemplars])
            for f in found.families
        ],
    }


def test_the_trigger_its_label_and_its_victims_are_found(found: Identification, poisoned: Poisoned) -> None:
    assert found.status is Status.FOUND
    assert found.affected_labels == ("banana",)
    victims = {victim.index for victim in found.victims}
    assert victims <= poisoned.triggered
    assert len(victims & poisoned.hijacked.keys()) >= 0.8 * len(poisoned.hijacked)
    assert all(victim.shown_label == "banana" for victim in found.victims)
    assert sum(victim.restored_label != "banana" for victim in found.victims) >= len(victims) - 1
    assert {victim.how for victim in found.victims} == {"search", "match"}
    assert found.coverage.complete
    assert found.coverage.reached == 40
    assert found.coverage.matched > 0
    assert found.image_forwards > 40


def test_a_set_without_a_trigger_is_searched_wholly_and_not_accused(setup: CheckSetup, untouched: ImageSet) -> None:
    clean = scan(setup, untouched, ScanConfig())
    assert clean.status is Status.NOT_FOUND
    assert clean.coverage.searched == 10
    assert clean.families == ()


def test_a_checkpoint_that_does_not_work_is_not_scanned(setup: CheckSetup, poisoned: Poisoned) -> None:
    broken = replace(setup, sanity=Sanity(setup.sanity.clean, False, "It reads at chance.", "none"))
    result = find_triggers(broken, poisoned.images, ScanConfig())
    assert result.status is Status.INCONCLUSIVE
    assert result.reason == "It reads at chance."
    assert result.coverage.reached == 0


def test_a_cancel_is_inconclusive_and_keeps_what_was_proven(setup: CheckSetup, poisoned: Poisoned) -> None:
    asked: list[int] = []

    def cancelled() -> bool:
        asked.append(1)
        return len(asked) > 14

    result = scan(setup, poisoned.images, ScanConfig(), cancelled=cancelled)
    assert result.status is Status.INCONCLUSIVE
    assert result.reason.startswith("Stopped after")
    assert not result.coverage.complete
    assert scan(setup, poisoned.images, ScanConfig(), cancelled=lambda: True).coverage.reached == 0


@pytest.mark.parametrize("after", range(1, 60, 7))
def test_a_cancel_at_any_moment_is_never_a_clean_bill(after: int, setup: CheckSetup, untouched: ImageSet) -> None:
    asked: list[int] = []

    def cancelled() -> bool:
        asked.append(1)
        return len(asked) > after

    result = scan(setup, untouched, ScanConfig(), cancelled=cancelled)
    assert (result.status is Status.NOT_FOUND) == (len(asked) <= after), "only if nobody cancelled in time"


def test_progress_counts_the_samples_and_names_what_was_found(setup: CheckSetup, poisoned: Poisoned) -> None:
    seen: list[Progress] = []
    scan(setup, poisoned.images, ScanConfig(), on_progress=seen.append)
    done = [progress.done for progress in seen]
    assert done == sorted(done)
    assert (seen[-1].done, seen[-1].total) == (40, 40)
    assert seen[0].stage == "Scanning"
    assert "1 trigger so far" in seen[-1].stage


def test_faults_of_every_kind_are_counted_and_named(setup: CheckSetup, poisoned: Poisoned, tmp_path: Path) -> None:
    raw = [entry.read() for entry in poisoned.images.entries()][:3]
    items: list[tuple[str, bytes | Path, str | None]] = [
        ("fine", raw[0], None),
        ("text", b"not a picture", None),
        ("gone", tmp_path / "gone.png", None),
        ("again", raw[0], None),
        ("cut", raw[1][: len(raw[1]) // 2], None),
    ]
    images = list_set("mixed", items)
    result = scan(setup, images, ScanConfig())
    assert [(fault.name, fault.kind) for fault in result.faults] == [
        ("text", "corrupt"),
        ("gone", "missing"),
        ("again", "duplicate"),
        ("cut", "corrupt"),
    ]
    assert (result.coverage.searched, result.coverage.corrupt, result.coverage.missing) == (1, 2, 1)
    assert result.status is Status.INCONCLUSIVE, "nobody knows whether what cannot be read carries a trigger"
    told = "3 of 5 samples were not read (2 damaged or of no kind that is read: text, cut; 1 named and not there: gone)"
    assert result.reason == (
        f"No trigger was found, but {told}. Mend them or take them out, or allow that many to stay unread "
        "(--allow-unread 3)."
    )
    assert (result.account.held, result.account.judged, result.account.alike) == (5, 1, 1)
    allowed = scan(setup, images, ScanConfig(allow_unread=3))
    assert allowed.status is Status.NOT_FOUND
    assert allowed.reason == (
        f"1 picture was searched and carries no trigger. {told}, which was allowed: they may carry one."
    )
    assert scan(setup, images, ScanConfig(allow_unread=2)).status is Status.INCONCLUSIVE


def test_a_set_that_breaks_off_is_inconclusive(setup: CheckSetup, poisoned: Poisoned) -> None:
    def walk(start: int) -> Iterator[Entry]:
        for entry in poisoned.images.entries(start):
            if entry.index == 12:
                raise DataError("The shard 3.tar ends in the middle.")
            yield entry

    result = scan(setup, replace(poisoned.images, walk=walk), ScanConfig())
    assert result.status is Status.INCONCLUSIVE
    assert "broke off" in result.reason
    assert "3.tar" in result.reason


# --- taken up again ---


def _journal(setup: CheckSetup, images: ImageSet, folder: Path) -> Journal:
    return Journal(folder / "scan.journal", about_scan(setup, images, ScanConfig(), 0))


@pytest.mark.parametrize("blocks", [1, 3, 5])
def test_a_scan_that_is_taken_up_again_ends_as_if_it_had_not_stopped(
    blocks: int, setup: CheckSetup, poisoned: Poisoned, found: Identification, tmp_path: Path
) -> None:
    journal = _journal(setup, poisoned.images, tmp_path)
    scan(setup, poisoned.images, ScanConfig(), journal=journal)
    lines = (tmp_path / "scan.journal").read_text().splitlines(keepends=True)
    torn = "".join(lines[: 1 + blocks]) + "".join(lines[1 + blocks :])[:30]
    (tmp_path / "scan.journal").write_text(torn)
    journal = _journal(setup, poisoned.images, tmp_path)
    assert len(journal) == blocks, "a torn line is dropped"
    assert told(scan(setup, poisoned.images, ScanConfig(), journal=journal)) == told(found)
    assert (tmp_path / "scan.journal").read_text().splitlines(keepends=True) == lines


def test_the_journal_of_another_scan_is_refused(setup: CheckSetup, poisoned: Poisoned, tmp_path: Path) -> None:
    _journal(setup, poisoned.images, tmp_path)
    other = about_scan(setup, poisoned.images, ScanConfig(exemplars=3), 0)
    with pytest.raises(DataError, match="another scan"):
        Journal(tmp_path / "scan.journal", other)


@pytest.mark.slow
def test_after_kill_9_a_scan_is_taken_up_and_finds_the_same(
    taught: Path, poisoned: Poisoned, found: Identification, tmp_path: Path
) -> None:
    folder, out = poisoned.write(tmp_path / "set"), tmp_path / "killed.json"
    command = [SCRIPT, taught, folder, out, BLOCK]
    process = Program(command)
    journal, end = out.with_suffix(".journal"), time.monotonic() + 120
    while not journal.is_file() or journal.read_text().count("\n") < 3:
        assert time.monotonic() < end
        time.sleep(0.02)
    process.kill()
    assert not out.exists(), "it was killed before its end"
    assert run(command).returncode == 0
    _same_findings(json.loads(out.read_text()), found)


def _same_findings(document: dict[str, Any], found: Identification) -> None:
    """All but the names, which are file names there."""
    assert document["status"] == found.status.value
    assert document["affected_labels"] == list(found.affected_labels)
    assert [(v["index"], v["restored_label"], v["box_xyxy"], v["how"]) for v in document["victims"]] == [
        (v.index, v.restored_label, list(v.box), v.how) for v in found.victims
    ]
    assert document["coverage"]["searched"] == found.coverage.searched
    assert document["coverage"]["screened"] == found.coverage.screened
    assert document["families"][0]["transplant"]["hits"] == found.families[0].transplant.hits
    assert document["image_forwards"] == found.image_forwards


# --- from the scan to the curated set ---


def test_a_run_records_what_was_found_curated_and_spent(setup: CheckSetup, poisoned: Poisoned) -> None:
    seen: list[Identification] = []
    record = run_scan(setup, poisoned.images, Plan(), way=RunOptions(on_found=seen.append))
    assert record.identification is seen[0]
    assert record.curated is not None
    assert record.curated.counts["victim"] > 0
    assert record.curated.counts["control"] > 0
    victims = [item for item in record.curated.items if item.role == "victim"]
    assert all(item.label != "banana" for item in victims)
    assert {item.index for item in victims} <= poisoned.triggered
    assert [cost.stage for cost in record.costs] == ["scan", "curate"]
    assert record.costs[0].image_forwards == seen[0].image_forwards
    assert all(cost.seconds > 0 for cost in record.costs)
    document = run_document(record)
    layout = "pictures without labels"
    told: dict[str, object] = {
        "source": "views",
        "kind": "list",
        "revision": None,
        "length": 40,
        "layout": layout,
        "notes": [],
    }
    assert document["data"] == told
    json.dumps(document, allow_nan=False)


def test_without_a_trigger_nothing_is_curated(setup: CheckSetup, untouched: ImageSet) -> None:
    record = run_scan(setup, untouched, Plan())
    assert record.curated is None
    assert record.conclusion == "All 10 pictures were searched; none carries a trigger."


def test_a_folder_is_scanned_as_the_same_pictures_in_memory(
    setup: CheckSetup, poisoned: Poisoned, found: Identification, tmp_path: Path
) -> None:
    result = scan(setup, open_set(str(poisoned.write(tmp_path / "set"))), ScanConfig())
    assert [victim.index for victim in result.victims] == [victim.index for victim in found.victims]
    assert result.coverage == found.coverage


def test_the_exemplars_are_the_trigger(found: Identification) -> None:
    pattern = draw_patch("badnets", generator=seeded(0)).pixels
    best = found.families[0].exemplars[0]
    assert isinstance(best, PatchTrigger)
    assert best.mask.shape[0] in range(12, 22)
    assert float((best.pixels.mean() - pattern.mean()).abs()) < 0.1
    assert torch.isfinite(best.pixels).all()
