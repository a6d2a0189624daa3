"""The whole way of a checkpoint: scan, curate, rectify, write, measure; one record at the end."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from eftclip import data
from eftclip.checkpoint import load_clip, save_clip
from eftclip.config import CurateConfig, InvertConfig, RectifyConfig, ScanConfig
from eftclip.data import ImageSet
from eftclip.errors import DataError
from eftclip.pipeline.audit import audit, with_inverted
from eftclip.pipeline.books import Books, described
from eftclip.pipeline.curation import curate_found
from eftclip.pipeline.journal import Journal, about_scan
from eftclip.pipeline.measuring import Yardstick, witnesses, yardstick
from eftclip.pipeline.prepare import CheckSetup, find_checkpoint
from eftclip.pipeline.scan import scan
from eftclip.rectify import forget, rectify
from eftclip.runtime import Cancelled, OnProgress, Team, ignore, never
from eftclip.types import ClipModel, CuratedSet, Identification, Rectified, RunRecord, Status, TuningStep

SCAN_JOURNAL = "scan.journal"
STOPPED = "Stopped; the checkpoint was not changed."


@dataclass(frozen=True)
class Plan:
    """The settings of every stage after the check."""

    scan: ScanConfig = field(default_factory=ScanConfig)
    curate: CurateConfig = field(default_factory=CurateConfig)
    rectify: RectifyConfig = field(default_factory=RectifyConfig)
    invert: InvertConfig = field(default_factory=InvertConfig)


@dataclass(frozen=True)
class Way:
    """How a run is done: nothing in here decides its result.

    Attributes:
        work: folder for journal and state, so that a killed run can be taken up again; None: nowhere.
        team: the processes that share the work.
        on_progress: told how far each stage is.
        on_found: told what the scan found, before anything else is done.
        on_step: told after every look at the held-out pictures of a fine-tuning.
        cancelled: asked often.
    """

    work: Path | None = None
    team: Team = field(default_factory=Team)
    on_progress: OnProgress = ignore
    on_found: Callable[[Identification], None] = lambda found: None
    on_step: Callable[[TuningStep], None] = lambda step: None
    cancelled: Cancelled = never


def run_scan(setup: CheckSetup, images: ImageSet, plan: Plan, *, seed: int = 0, way: Way | None = None) -> RunRecord:
    """Scan a data set and curate the set that would mend the checkpoint.

    Args:
        setup: what `prepare_check` returned.
        images: the data set.
        plan: settings.
        seed: of every random choice.
        way: progress, cancel, processes, a folder to take the run up again.

    Returns:
        a record of the kind `scan`; `curated` is None where no trigger was found or the run was stopped.

    Raises:
        DataError: the work folder holds another run.
    """
    how = way or Way()
    settings = {"detect": setup.config, "scan": plan.scan, "curate": plan.curate}
    books = Books("scan", setup.clip, settings, seed, how.team)
    setup = replace(setup, clip=books.clip)
    found = _scanned(setup, books, images, plan, seed, how)
    curated = None
    if found.families and not how.cancelled():
        curated = _unless_stopped(lambda: _curated(setup, books, images, found, plan, seed, how), how)
    return books.close(images, found.reason, **described(setup), identification=found, curated=curated)


def run_rectify(
    setup: CheckSetup,
    images: ImageSet | None,
    plan: Plan,
    out: Path,
    *,
    found: Identification | None = None,
    seed: int = 0,
    way: Way | None = None,
) -> RunRecord:
    """Mend a checkpoint: find what is wrong with it, fine-tune a copy, write it, and measure the file that was written.

    Args:
        setup: what `prepare_check` returned.
        images: the data set to scan and to curate from. None to work with bundled photographs alone: they are scanned,
            and as they carry no trigger, one is looked for in the weights.
        plan: settings.
        out: folder for the mended checkpoint, in open_clip's format.
        found: what an earlier scan of the same set found; left out, the set is scanned now.
        seed: of every random choice.
        way: progress, cancel, processes, a folder to take the run up again.

    Returns:
        a record of the kind `rectify`. `rectified` is None where nothing was found; its `folder` is None where the run
        was stopped, and then nothing was written.

    Raises:
        CheckpointError: the mended checkpoint cannot be written.
        DataError: the work folder holds another run.
    """
    how = way or Way()
    settings = {"detect": setup.config, "scan": plan.scan, "curate": plan.curate, "rectify": plan.rectify}
    settings |= {"invert": plan.invert} if images is None else {}
    books = Books("rectify", setup.clip, settings, seed, how.team)
    setup = replace(setup, clip=books.clip)
    if found is None:
        found = _scanned(setup, books, images or data.bundled_set(), plan, seed, how)
        if images is None and not found.families and setup.sanity.ok and not how.cancelled():
            found = _audited(setup, books, found, plan, seed, how)
    if not found.families or how.cancelled():
        return books.close(images, _nothing_done(found, how), **described(setup), identification=found)
    results: dict[str, Any] = {**described(setup), "identification": found}
    done = _unless_stopped(lambda: _mended(setup, books, images, found, plan, out, seed, how, results), how)
    return books.close(images, done or STOPPED, **results)


def _mended(
    setup: CheckSetup,
    books: Books,
    images: ImageSet | None,
    found: Identification,
    plan: Plan,
    out: Path,
    seed: int,
    how: Way,
    results: dict[str, Any],
) -> str:
    """Everything after the scan; what was reached is put into `results`, and the end is told in one sentence."""
    curated = results["curated"] = _curated(setup, books, images, found, plan, seed, how)
    with books.stage("measure before"):
        stick = yardstick(setup, images, found, curated, seed=seed, cancelled=how.cancelled)
        before = results["before"] = stick.measure(setup.clip, on_progress=how.on_progress, cancelled=how.cancelled)
    with books.stage("rectify"):
        mended, rectified = rectify(
            setup.clip,
            curated,
            found.families,
            setup.classes,
            plan.rectify,
            seed=seed,
            folder=how.work,
            on_progress=how.on_progress,
            on_step=how.on_step,
            cancelled=how.cancelled,
        )
    books.note(image_steps=rectified.image_steps)
    results["rectified"] = rectified
    if rectified.stopped == "cancelled":
        return STOPPED
    if how.team.leads:
        results |= _written(books, mended, rectified, stick, out, how)
    how.team.gather([])  # nobody leaves before the file is there
    if "after" not in results:
        return "The leading process has written and measured the checkpoint."
    after = results["after"]
    asr = f"ASR went from {before.attack} to {after.attack}"
    if after.truth == "labels":
        return f"{asr}, CA from {before.clean} to {after.clean}."
    return f"{asr}; {after.clean} clean pictures are read as before."


def _written(
    books: Books, mended: ClipModel, rectified: Rectified, stick: Yardstick, out: Path, how: Way
) -> dict[str, Any]:
    """Write the checkpoint, load what was written, and measure that."""
    source = find_checkpoint(mended.ref.source)
    with books.stage("write"):
        sha256 = save_clip(mended, source, out)
    with books.stage("measure after"):
        loaded = replace(load_clip(str(out), device=mended.device), preprocess=mended.preprocess)
        after = stick.measure(loaded, on_progress=how.on_progress)
    if how.work is not None:
        forget(how.work)
    return {
        "rectified": replace(rectified, folder=str(out), sha256=sha256),
        "after": after,
        "witnesses": witnesses(stick, books.clip, loaded),
    }


def _scanned(setup: CheckSetup, books: Books, images: ImageSet, plan: Plan, seed: int, how: Way) -> Identification:
    journal = None
    if how.work is not None:
        about = about_scan(setup, images, plan.scan, seed)
        journal = Journal(how.work / SCAN_JOURNAL, about, writes=how.team.leads)
    with books.stage("scan"):
        found = scan(
            setup,
            images,
            plan.scan,
            seed=seed,
            team=how.team,
            journal=journal,
            on_progress=how.on_progress,
            cancelled=how.cancelled,
        )
    books.note(image_forwards=found.image_forwards)
    how.on_found(found)
    return found


def _audited(setup: CheckSetup, books: Books, found: Identification, plan: Plan, seed: int, how: Way) -> Identification:
    """Nobody gave a picture that could carry a trigger, so look for one in the weights."""
    with books.stage("invert"):
        families = audit(setup, plan.invert, seed=seed, on_progress=how.on_progress, cancelled=how.cancelled)
    whole = with_inverted(found, families)
    how.on_found(whole)
    return whole


def _curated(
    setup: CheckSetup, books: Books, images: ImageSet | None, found: Identification, plan: Plan, seed: int, how: Way
) -> CuratedSet:
    with books.stage("curate"):
        return curate_found(
            setup,
            images,
            found,
            plan.curate,
            seed=seed,
            on_progress=how.on_progress,
            cancelled=how.cancelled,
        )


def _unless_stopped(work: Callable[[], Any], how: Way) -> Any:
    """What comes of it; None when the user stopped it, which stages tell by a `DataError`."""
    try:
        return work()
    except DataError:
        if how.cancelled():
            return None
        raise


def _nothing_done(found: Identification, how: Way) -> str:
    if how.cancelled():
        return STOPPED
    if found.status is Status.NOT_FOUND:
        return f"{found.reason} There is nothing to rectify; the checkpoint was not changed."
    return f"{found.reason} No trigger is known, so the checkpoint was not changed."
