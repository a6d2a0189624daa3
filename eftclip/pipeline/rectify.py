"""`rectify`, the whole way of a checkpoint: scan, curate, fine-tune, write, measure; one record at the end."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from eftclip import data
from eftclip.checkpoint import load_clip, save_clip
from eftclip.errors import DataError
from eftclip.evaluate import EvaluationSet, choose_evaluation_set, reread_victims
from eftclip.pipeline.audit import audit, with_inverted
from eftclip.pipeline.plan import Plan, RunOptions
from eftclip.pipeline.run_log import RunLog, described
from eftclip.pipeline.scan import curate_set, find_triggers
from eftclip.pipeline.setup import CheckSetup, find_checkpoint
from eftclip.rectify import delete_state, rectify
from eftclip.types import ClipModel, Identification, ImageSet, Rectified, RunRecord, Status

STOPPED = "Stopped; the checkpoint was not changed."


def run_rectify(
    setup: CheckSetup,
    images: ImageSet | None,
    plan: Plan,
    out: Path,
    *,
    found: Identification | None = None,
    seed: int = 0,
    way: RunOptions | None = None,
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
    how = way or RunOptions()
    settings = {"detect": setup.config, "scan": plan.scan, "curate": plan.curate, "rectify": plan.rectify}
    settings |= {"measure": plan.measure}
    settings |= {"invert": plan.invert} if images is None else {}
    log = RunLog("rectify", setup.clip, settings, seed, how.processes)
    setup = replace(setup, clip=log.clip)
    if found is None:
        found = _found(setup, log, images, plan, seed, how)
    results: dict[str, Any] = {**described(setup), "identification": found}
    if not found.families or how.cancelled():
        return log.record(images, _nothing_done(found, how), **results)
    try:
        conclusion = _mended(setup, log, images, found, plan, out, seed, how, results)
    except DataError:  # so stages say that they were stopped
        if not how.cancelled():
            raise
        conclusion = STOPPED
    return log.record(images, conclusion, **results)


def _found(
    setup: CheckSetup, log: RunLog, images: ImageSet | None, plan: Plan, seed: int, how: RunOptions
) -> Identification:
    """Scan; and where nobody gave a picture that could carry a trigger, look for one in the weights."""
    with log.stage("scan"):
        found = find_triggers(setup, images or data.bundled_set(), plan.scan, seed=seed, way=how)
    log.correct(image_forwards=found.image_forwards)
    how.on_found(found)
    if images is None and not found.families and setup.sanity.ok and not how.cancelled():
        with log.stage("invert"):
            grown = audit(setup, plan.invert, seed=seed, on_progress=how.on_progress, cancelled=how.cancelled)
        found = with_inverted(found, grown)
        how.on_found(found)
    return found


def _mended(
    setup: CheckSetup,
    log: RunLog,
    images: ImageSet | None,
    found: Identification,
    plan: Plan,
    out: Path,
    seed: int,
    how: RunOptions,
    results: dict[str, Any],
) -> str:
    """Everything after the scan; what was reached is put into `results`, and the end is told in one sentence."""
    with log.stage("curate"):
        curated = results["curated"] = curate_set(setup, images, found, plan, seed, how)
    with log.stage("measure before"):
        measured_on = choose_evaluation_set(
            setup.clip,
            setup.classes,
            images,
            found,
            curated,
            plan.measure,
            decode=setup.decode,
            spare=lambda count: setup.bundled_views(count, seed + 1),
            seed=seed,
            cancelled=how.cancelled,
        )
        before = measured_on.measure(setup.clip, on_progress=how.on_progress, cancelled=how.cancelled)
    results["before"] = before
    with log.stage("rectify"):
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
    log.correct(image_steps=rectified.image_steps)
    results["rectified"] = rectified
    if rectified.stopped == "cancelled":
        return STOPPED
    if how.processes.leads:
        results |= _written(log, mended, rectified, measured_on, out, how)
    how.processes.gather([])  # nobody leaves before the file is there
    if "after" not in results:
        return "The leading process has written and measured the checkpoint."
    after = results["after"]
    asr = f"ASR went from {before.attack} to {after.attack}{_with_what(found)}"
    disturbed = f" With the trigger only {after.poisoned} are read rightly." if after.disturbed else ""
    if after.truth == "labels":
        return f"{asr}, CA from {before.clean} to {after.clean}.{disturbed}"
    return f"{asr}; {after.clean} clean pictures are read as before.{disturbed}"


def _with_what(found: Identification) -> str:
    """Whose ASR it is, where no trigger was seen: what was grown is gone sooner than what was planted."""
    if any(family.origin == "found" for family in found.families):
        return ""
    return " with what was grown out of the weights (what was planted is not known, and may still work)"


def _written(
    log: RunLog, mended: ClipModel, rectified: Rectified, measured_on: EvaluationSet, out: Path, how: RunOptions
) -> dict[str, Any]:
    """Write the checkpoint, load what was written, and measure that."""
    with log.stage("write"):
        sha256 = save_clip(mended, mended.ref.location or find_checkpoint(mended.ref.source), out)
    with log.stage("measure after"):
        loaded = replace(load_clip(str(out), device=mended.device), preprocess=mended.preprocess)
        after = measured_on.measure(loaded, on_progress=how.on_progress)
    if how.work is not None:
        delete_state(how.work)
    return {
        "rectified": replace(rectified, folder=str(out), sha256=sha256, layout=loaded.ref.layout),
        "after": after,
        "reread_victims": reread_victims(measured_on, log.clip, loaded),
    }


def _nothing_done(found: Identification, how: RunOptions) -> str:
    if how.cancelled():
        return STOPPED
    if found.status is Status.NOT_FOUND:
        return f"{found.reason} There is nothing to rectify; the checkpoint was not changed."
    return f"{found.reason} No trigger is known, so the checkpoint was not changed."
