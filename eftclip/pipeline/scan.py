"""Algorithm 2 over a data set: read every sample once, search where it matters, until the whole set was reached."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

import torch
from torch import Tensor

from eftclip import data
from eftclip.config import ScanConfig
from eftclip.data import Entry, ImageSet
from eftclip.errors import DataError, MissingError
from eftclip.fill import remove
from eftclip.identify import Glance, Ledger, Outcome, Task, recognise
from eftclip.paste import box_of, cut
from eftclip.pipeline.check import judge_square
from eftclip.pipeline.journal import Journal
from eftclip.pipeline.prepare import CheckSetup
from eftclip.runtime import Cancelled, OnProgress, Progress, Team, ignore, never
from eftclip.types import Detection, Finding, Identification, Status
from eftclip.zeroshot import IMAGES_PER_BATCH, margins, probabilities

BLOCK = 64  # samples between two decisions; it is the same for any number of processes, so is what they find


def scan(
    setup: CheckSetup,
    images: ImageSet,
    config: ScanConfig,
    *,
    seed: int = 0,
    team: Team | None = None,
    journal: Journal | None = None,
    on_progress: OnProgress = ignore,
    cancelled: Cancelled = never,
) -> Identification:
    """Find trigger families, affected labels and victims in a data set (method.md section 2; the paper's Algorithm 2).

    Every sample is read once. Which ones are searched is up to `config.search`; a sample of an affected label is first
    compared with the triggers that are known by then. Samples that were only read and whose label turns out to be
    affected later are looked at again at the end. The same set, settings and seed give the same result, whatever the
    number of processes and however often the scan was taken up again.

    Args:
        setup: what `prepare_check` returned.
        images: the data set.
        config: settings.
        seed: draws the places of transplants and the samples remembered for curating.
        team: the processes that share the work; each of them calls this function.
        journal: where finished blocks are noted, so that a scan that was killed can be taken up again.
        on_progress: told after every sample.
        cancelled: asked before every sample; a cancel ends `inconclusive`.
    """
    if not setup.sanity.ok:
        return Ledger(config, seed).conclude(complete=False, stopped=setup.sanity.reason)
    return _Scan(setup, images, Ledger(config, seed), seed, team or Team(), journal, on_progress, cancelled).run()


class _Stopped(Exception):
    """The user cancelled, in this process or in another one of the team."""


class _Scan:
    """One run through a data set."""

    def __init__(
        self,
        setup: CheckSetup,
        images: ImageSet,
        ledger: Ledger,
        seed: int,
        team: Team,
        journal: Journal | None,
        on_progress: OnProgress,
        cancelled: Cancelled,
    ) -> None:
        self._setup, self._images, self._ledger, self._seed = setup, images, ledger, seed
        self._team, self._journal = team, journal
        self._on_progress, self._cancelled = on_progress, cancelled
        self._done = 0

    def run(self) -> Identification:
        """The whole set, then once more what turned out to matter."""
        try:
            self._done = self._take_up()
            for block in _blocks(self._images.entries(self._done)):
                self._round(block)
            while self._ledger.waiting:
                self._look_again()
        except _Stopped:
            return self._ledger.conclude(complete=False, stopped=f"Stopped after {self._done} samples of the set.")
        except DataError as error:
            return self._ledger.conclude(
                complete=False, stopped=f"The set broke off after {self._done} samples: {error}"
            )
        return self._ledger.conclude(complete=True)

    def _take_up(self) -> int:
        """Feed the ledger what an earlier run noted; the first sample that is not in it."""
        done = 0
        for glances, outcomes in self._journal.blocks() if self._journal is not None else ():
            self._ledger.admit(glances)
            self._ledger.record(outcomes)
            done += len(glances)
        return done

    def _round(self, block: Sequence[Entry]) -> None:
        """Read a block, decide, look closer; every process comes to the same ledger."""
        self._ask()
        mine = glance(self._setup, self._team.mine(block))
        squares = {seen.index: square for seen, square in mine if square is not None}
        glances = self._team.gather([seen for seen, _ in mine])
        tasks = [task for task in self._ledger.admit(glances) if task.index in squares]
        self._finish(glances, self._work(tasks, squares, {entry.index: entry.name for entry in block}))
        self._done += len(block)
        self._tell()

    def _look_again(self) -> None:
        """Samples that were only read, of labels that are affected as is known by now."""
        waiting = self._ledger.waiting
        chosen = (entry for entry in self._images.entries() if entry.index in waiting)
        for block in _blocks(chosen):
            self._ask()
            mine = glance(self._setup, self._team.mine(block))
            squares = {seen.index: square for seen, square in mine if square is not None}
            tasks = [Task(seen.index, seen.label, known=True) for seen, square in mine if square is not None]
            names = {entry.index: entry.name for entry in block}
            lost = [
                Outcome(seen.index, seen.name, "", Status.ERROR, reason="It could be read once, but not again.")
                for seen, square in mine
                if square is None
            ]
            self._finish([], [*self._work(tasks, squares, names), *lost])

    def _work(self, tasks: Sequence[Task], squares: dict[int, Tensor], names: dict[int, str]) -> list[Outcome]:
        """What comes of this process's tasks; a cancel ends the list early."""
        outcomes = []
        for k, task in enumerate(tasks):
            if self._cancelled():
                break
            self._tell(k / max(1, len(tasks)))
            square = squares[task.index]
            outcome = self._compare(task, square, names[task.index]) if task.known else None
            outcome = outcome or self._search(task, square, names[task.index])
            if self._cancelled() and outcome.status is not Status.FOUND:
                break  # a search that was broken off says nothing
            outcomes.append(outcome)
        return outcomes

    def _finish(self, glances: Sequence[Glance], outcomes: Sequence[Outcome]) -> None:
        """Bring the processes together, and note the block unless it was broken off."""
        together = self._team.gather(outcomes)
        self._ledger.record(together)
        self._ask()  # after the ledger: what a cancelled round has proven is kept, but the round is not noted as done
        if self._journal is not None and self._team.leads:
            self._journal.note(glances, together)

    def _compare(self, task: Task, square: Tensor, name: str) -> Outcome | None:
        """Remove a known trigger if there is one, and see whether the label goes with it."""
        seen = recognise(square, self._ledger.families.of_label(task.label))
        if seen is None:
            return None
        number, mask = seen
        restored = self._best_label(remove(square, mask))
        if restored == task.label:
            return None
        match = (number, box_of(mask), restored)
        return Outcome(task.index, name, task.label, Status.FOUND, match=match, forwards=1)

    def _search(self, task: Task, square: Tensor, name: str) -> Outcome:
        """The whole of Algorithm 1."""
        detection = judge_square(self._setup, square, seed=self._seed, cancelled=self._cancelled)
        finding = _finding(task, name, square, detection)
        forwards = detection.image_forwards
        return Outcome(
            task.index, name, task.label, detection.status, finding, reason=detection.reason, forwards=forwards
        )

    def _best_label(self, square: Tensor) -> str:
        row = probabilities(self._setup.clip, square[None], self._setup.classes)[0]
        return self._setup.classes.labels[int(row.argmax())]

    def _ask(self) -> None:
        if self._team.any(self._cancelled()):
            raise _Stopped

    def _tell(self, share: float = 0.0) -> None:
        """How far the scan is; a block in work counts by the share of its tasks that are done."""
        found = len(self._ledger.families)
        stage = "Scanning" if not found else f"Scanning, {found} trigger{'s' * (found > 1)} so far"
        length = self._images.length or 0
        self._on_progress(Progress(stage, min(self._done + int(share * BLOCK), length or self._done), length))


def _blocks(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    while block := list(islice(entries, BLOCK)):
        yield block


def _read(setup: CheckSetup, entry: Entry) -> tuple[Glance, Tensor | None]:
    """A sample's square, and a glance at it that still lacks the reading."""
    try:
        raw = entry.read()
    except MissingError as error:
        return Glance(entry.index, entry.name, fault="missing", reason=str(error)), None
    except DataError as error:
        return Glance(entry.index, entry.name, fault="corrupt", reason=str(error)), None
    digest = int.from_bytes(hashlib.sha256(raw).digest()[:8], "big")
    try:
        square, _ = setup.clip.preprocess.square(data.read_picture(raw))
    except DataError as error:
        return Glance(entry.index, entry.name, fault="corrupt", reason=str(error)), None
    return Glance(entry.index, entry.name, digest=digest), square


def glance(setup: CheckSetup, entries: Sequence[Entry]) -> list[tuple[Glance, Tensor | None]]:
    """Read some samples once, many pictures at a time; the square of each is None where there is no picture."""
    read = [_read(setup, entry) for entry in entries]
    squares = [square for _, square in read if square is not None]
    readings: list[tuple[str, float]] = []
    for start in range(0, len(squares), IMAGES_PER_BATCH):
        best, margin = margins(setup.clip, torch.stack(squares[start : start + IMAGES_PER_BATCH]), setup.classes)
        readings += zip([setup.classes.labels[i] for i in best.tolist()], margin.tolist(), strict=True)
    ahead = iter(readings)
    return [(seen if square is None else _with_reading(seen, *next(ahead)), square) for seen, square in read]


def _with_reading(seen: Glance, label: str, margin: float) -> Glance:
    return replace(seen, label=label, margin=margin)


def _finding(task: Task, name: str, square: Tensor, detection: Detection) -> Finding | None:
    """A proven trigger, cut out of its picture."""
    trigger = detection.trigger
    if trigger is None:
        return None
    restored = detection.purified_predictions[0].label
    parts = tuple(cut(square, part, in_place=trigger.in_place) for part in trigger.parts)
    return Finding(
        task.index,
        name,
        trigger.target_label,
        restored,
        parts,
        trigger.box,
        trigger.transplant,
        trigger.control,
        detection.reason,
    )
