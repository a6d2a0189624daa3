"""`scan`: a data set to trigger families, affected labels, victims, and the set that would mend the checkpoint."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from eftclip.config import ScanConfig
from eftclip.curate import curate_scan
from eftclip.detect import ALGORITHMS, Reader, prove_shared
from eftclip.errors import DataError
from eftclip.identify import Journal, Judge, nothing_judged, scan, without_trigger
from eftclip.pipeline.check import judge_square
from eftclip.pipeline.plan import Plan, RunOptions
from eftclip.pipeline.run_log import RunLog, described
from eftclip.pipeline.setup import CheckSetup
from eftclip.runtime import Cancelled, ignore, never, seeded
from eftclip.trigger_kinds import Trigger
from eftclip.types import CuratedSet, Identification, ImageSet, RunRecord, TriggerProof

SCAN_JOURNAL = "scan.journal"


def run_scan(
    setup: CheckSetup, images: ImageSet, plan: Plan, *, seed: int = 0, way: RunOptions | None = None
) -> RunRecord:
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
    how = way or RunOptions()
    settings = {"detect": setup.config, "scan": plan.scan, "curate": plan.curate}
    log = RunLog("scan", setup.clip, settings, seed, how.processes)
    setup = replace(setup, clip=log.clip)
    with log.stage("scan"):
        found = find_triggers(setup, images, plan.scan, seed=seed, way=how)
    log.correct(image_forwards=found.image_forwards)
    how.on_found(found)
    curated = None
    if found.families and not how.cancelled():
        try:
            with log.stage("curate"):
                curated = curate_set(setup, images, found, plan, seed, how)
        except DataError:
            if not how.cancelled():
                raise
    return log.record(images, found.reason, **described(setup), identification=found, curated=curated)


def find_triggers(
    setup: CheckSetup, images: ImageSet, config: ScanConfig, *, seed: int = 0, way: RunOptions | None = None
) -> Identification:
    """Algorithm 2 over a data set; a checkpoint that does not work is not judged.

    Raises:
        DataError: the work folder holds another run.
    """
    how = way or RunOptions()
    if not setup.sanity.ok:
        return nothing_judged(setup.sanity.reason)
    return scan(
        judge_of(setup, seed=seed, cancelled=how.cancelled),
        images,
        config,
        seed=seed,
        processes=how.processes,
        journal=_journal(setup, images, config, seed, how),
        on_progress=how.on_progress,
        cancelled=how.cancelled,
    )


def judge_of(setup: CheckSetup, *, seed: int = 0, cancelled: Cancelled = never) -> Judge:
    """What judges the samples of a set."""
    search = partial(judge_square, setup, seed=seed, cancelled=cancelled)
    kinds = ALGORITHMS[setup.config.algorithm].kinds
    prove, alone = partial(_prove, setup, seed), setup.reference is None and len(kinds) > 1
    return Judge(setup.clip, setup.classes, setup.decode, search, prove, setup.hosts.images, kinds, alone)


def _prove(
    setup: CheckSetup, seed: int, trigger: Trigger, innocents: Sequence[Trigger], label: str, share: float
) -> tuple[TriggerProof, int]:
    """Whether a trigger that pictures show together forces their label, and the pictures that were read for it."""
    read, target = Reader(setup.clip, setup.classes, ignore, never), setup.classes.labels.index(label)
    hosts, config, trusted = setup.hosts, setup.config, setup.reference
    drawn = seeded(seed)
    proof = prove_shared(
        read, trigger, target, hosts, config, reference=trusted, generator=drawn, innocents=innocents, share=share
    )
    return proof, read.forwards


def curate_set(
    setup: CheckSetup, images: ImageSet | None, found: Identification, plan: Plan, seed: int, how: RunOptions
) -> CuratedSet:
    """The fine-tuning set that the findings ask for.

    Raises:
        DataError: stopped, or the set cannot be read any more.
    """
    return curate_scan(
        setup.clip,
        setup.classes,
        images,
        found,
        plan.curate,
        decode=setup.decode,
        clean=lambda square, victim: without_trigger(square, found.families[victim.family].exemplars, victim.box),
        spare=lambda count: setup.bundled_views(count, seed),
        on_progress=how.on_progress,
        cancelled=how.cancelled,
    )


def _journal(setup: CheckSetup, images: ImageSet, config: ScanConfig, seed: int, how: RunOptions) -> Journal | None:
    if how.work is None:
        return None
    about, begun = about_scan(setup, images, config, seed), how.scanned and how.scanned / SCAN_JOURNAL
    return Journal(how.work / SCAN_JOURNAL, about, writes=how.processes.leads, begun=begun)


def about_scan(setup: CheckSetup, images: ImageSet, config: ScanConfig, seed: int) -> dict[str, Any]:
    """Everything that decides what a scan finds."""
    return {
        "checkpoint": setup.clip.ref.sha256,
        "normalisation": [list(setup.clip.preprocess.mean), list(setup.clip.preprocess.std)],
        "labels": hashlib.sha256("\n".join(setup.classes.labels).encode()).hexdigest(),
        "oracle": setup.oracle.name,
        "reference": setup.reference[0].ref.sha256 if setup.reference else None,
        "detect": setup.config.digest(),
        "scan": replace(config, allow_unread=0).digest(),  # decides the verdict only: a finished scan is judged anew
        "seeds": [setup.seed, seed],
        "data": [images.source, images.kind, images.revision, images.length],
    }
