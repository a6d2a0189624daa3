"""Algorithm 2 over a data set: read every sample once, search where it matters, until the whole set was reached."""

from collections.abc import Collection, Iterator, Sequence
from itertools import islice, takewhile

from torch import Tensor

from eftclip.config import ScanConfig
from eftclip.errors import DataError
from eftclip.identify.journal import Journal
from eftclip.identify.judge import Judge
from eftclip.identify.reading import read_samples
from eftclip.identify.recognise import recognise
from eftclip.identify.samples import SampleReading, SearchOutcome, SearchTask
from eftclip.identify.scan_state import ScanState
from eftclip.identify.together.passes import Together
from eftclip.runtime import Cancelled, OnProgress, Processes, Progress, ignore, never
from eftclip.trigger_kinds import Trigger, box_of
from eftclip.types import (
    Detection,
    Entry,
    Finding,
    Identification,
    ImageSet,
    Status,
)
from eftclip.zeroshot import probabilities

Known = Sequence[tuple[int, Sequence[Trigger]]]  # number and exemplars of each family that comes into question
BLOCK = 64  # samples between two decisions; it is the same for any number of processes, so is what they find


def scan(
    judge: Judge,
    images: ImageSet,
    config: ScanConfig,
    *,
    seed: int = 0,
    processes: Processes | None = None,
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
        judge: what reads and searches a sample.
        images: the data set.
        config: settings.
        seed: draws the samples remembered for curating.
        processes: those that share the work; each of them calls this function.
        journal: where finished blocks are noted, so that a scan that was killed can be taken up again.
        on_progress: told after every sample.
        cancelled: asked before every sample; a cancel ends `inconclusive`.
    """
    state = ScanState(config, seed, judge.kinds)
    return _Scan(judge, images, state, processes or Processes(), journal, on_progress, cancelled).run()


def nothing_judged(reason: str) -> Identification:
    """A scan that was not begun, and why."""
    return ScanState(ScanConfig()).conclude(complete=False, stopped=reason)


class _StoppedError(Exception):
    """The user cancelled, in this process or in another one of those that work together."""


class _Scan:
    """One run through a data set."""

    def __init__(
        self,
        judge: Judge,
        images: ImageSet,
        state: ScanState,
        processes: Processes,
        journal: Journal | None,
        on_progress: OnProgress,
        cancelled: Cancelled,
    ) -> None:
        self._judge, self._images, self._state = judge, images, state
        self._processes, self._journal = processes, journal
        self._on_progress, self._cancelled = on_progress, cancelled
        self._done = 0

    def run(self) -> Identification:
        """The whole set, then once more what turned out to matter."""
        try:
            self._done = self._resume()
            for block in _blocks(self._images.entries(self._done)):
                self._round(block)
            self._look_at_all_again()
            together = Together(self._judge, self._state, self._ask, self._while_asking, self._carriers)
            together.average_alike()
            self._look_at_all_again()
            together.average_all()
            self._look_at_all_again()
            together.smooth()
            if self._images.length not in (None, self._done):
                raise DataError(f"it was said to hold {self._images.length} samples; scan it again.")
        except _StoppedError:
            return self._state.conclude(complete=False, stopped=f"Stopped after {self._done} samples of the set.")
        except DataError as error:
            return self._state.conclude(
                complete=False, stopped=f"The set broke off after {self._done} samples: {error}"
            )
        return self._state.conclude(complete=True)

    def _resume(self) -> int:
        """Feed the state what an earlier run noted; the first sample that is not in it."""
        done = 0
        for readings, outcomes in self._journal.blocks() if self._journal is not None else ():
            self._state.admit(readings)
            self._state.record(outcomes)
            done += len(readings)
        return done

    def _read(self, block: Sequence[Entry]) -> list[tuple[SampleReading, Tensor | None]]:
        """This process's share of a block, read once."""
        judge = self._judge
        return read_samples(judge.clip, judge.classes, self._processes.share_of(block), judge.decode)

    def _round(self, block: Sequence[Entry]) -> None:
        """Read a block, decide, look closer; every process comes to the same state."""
        self._ask()
        mine = self._read(block)
        squares = {seen.index: square for seen, square in mine if square is not None}
        readings = self._processes.gather([seen for seen, _ in mine])
        tasks = [task for task in self._state.admit(readings) if task.index in squares]
        self._finish(readings, self._work(tasks, squares, {entry.index: entry.name for entry in block}))
        self._done += len(block)
        self._tell()

    def _look_at_all_again(self) -> None:
        while waiting := self._state.waiting:
            self._look_again(waiting)
            if lost := waiting & self._state.waiting:
                raise DataError(f"{len(lost)} samples that were there at first were not there again.")

    def _while_asking(self, chosen: Collection[int]) -> Iterator[Entry]:
        """Some samples, and between blocks the question whether to stop."""
        entries = takewhile(lambda entry: entry.index <= max(chosen, default=-1), self._images.entries())
        for block in _blocks(entry for entry in entries if entry.index in chosen):
            self._ask()
            yield from block

    def _carriers(self, label: str, trigger: Trigger, suspects: Collection[int]) -> list[SearchOutcome]:
        """Samples whose label goes with a trigger that their average has shown."""
        matches = []
        for block in _blocks(self._while_asking(suspects)):
            for seen, square in self._read(block):
                if square is not None:
                    task = SearchTask(seen.index, label, known=True)
                    matches.append(self._compare(task, square, seen.name, [(-1, [trigger])]))
        return self._processes.gather([match for match in matches if match is not None])

    def _look_again(self, waiting: frozenset[int]) -> None:
        """Samples that were only read, of labels that are affected as is known by now."""
        chosen = (entry for entry in self._images.entries() if entry.index in waiting)
        for block in _blocks(chosen):
            self._ask()
            mine = self._read(block)
            squares = {seen.index: square for seen, square in mine if square is not None}
            tasks = [SearchTask(seen.index, seen.label, known=True) for seen, square in mine if square is not None]
            names = {entry.index: entry.name for entry in block}
            lost = [
                SearchOutcome(seen.index, seen.name, "", Status.ERROR, reason="It could be read once, but not again.")
                for seen, square in mine
                if square is None
            ]
            self._finish([], [*self._work(tasks, squares, names), *lost])

    def _work(
        self, tasks: Sequence[SearchTask], squares: dict[int, Tensor], names: dict[int, str]
    ) -> list[SearchOutcome]:
        """What comes of this process's tasks; a cancel ends the list early."""
        outcomes = []
        for k, task in enumerate(tasks):
            if self._cancelled():
                break
            self._tell(k / max(1, len(tasks)))
            square = squares[task.index]
            known = self._state.families.of_label(task.label) if task.known else []
            outcome = self._compare(task, square, names[task.index], known)
            outcome = outcome or self._search(task, square, names[task.index])
            if self._cancelled() and outcome.status is not Status.FOUND:
                break  # a search that was broken off says nothing
            outcomes.append(outcome)
        return outcomes

    def _finish(self, readings: Sequence[SampleReading], outcomes: Sequence[SearchOutcome]) -> None:
        """Bring the processes together, and note the block unless it was broken off."""
        together = self._processes.gather(outcomes)
        self._state.record(together)
        self._ask()  # after the state: what a cancelled round has proven is kept, but the round is not noted as done
        if self._journal is not None and self._processes.leads:
            self._journal.note(readings, together)

    def _compare(self, task: SearchTask, square: Tensor, name: str, known: Known) -> SearchOutcome | None:
        """Remove a known trigger if there is one, and see whether the label goes with it."""
        seen = recognise(square, known)
        if seen is None:
            return None
        restored = self._best_label(seen.trigger.remove(square, seen.mask))
        if restored == task.label:
            return None
        match = (seen.family, box_of(seen.mask), restored)
        return SearchOutcome(task.index, name, task.label, Status.FOUND, match=match, forwards=1)

    def _search(self, task: SearchTask, square: Tensor, name: str) -> SearchOutcome:
        """The whole of Algorithm 1."""
        detection = self._judge.search(square)
        finding = _finding(task, name, detection)
        forwards = detection.image_forwards
        return SearchOutcome(
            task.index, name, task.label, detection.status, finding, reason=detection.reason, forwards=forwards
        )

    def _best_label(self, square: Tensor) -> str:
        row = probabilities(self._judge.clip, square[None], self._judge.classes)[0]
        return self._judge.classes.labels[int(row.argmax())]

    def _ask(self) -> None:
        if self._processes.any(self._cancelled()):
            raise _StoppedError

    def _tell(self, share: float = 0.0) -> None:
        """How far the scan is; a block in work counts by the share of its tasks that are done."""
        found = len(self._state.families)
        stage = "Scanning" if not found else f"Scanning, {found} trigger{'s' * (found > 1)} so far"
        length = self._images.length or 0
        self._on_progress(Progress(stage, min(self._done + int(share * BLOCK), length or self._done), length))


def _blocks(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    while block := list(islice(entries, BLOCK)):
        yield block


def _finding(task: SearchTask, name: str, detection: Detection) -> Finding | None:
    """A proven trigger as one sample shows it."""
    found = detection.trigger
    if found is None:
        return None
    return Finding(
        task.index,
        name,
        found.target_label,
        detection.purified_predictions[0].label,
        found.triggers,
        found.box,
        found.transplant,
        found.control,
        detection.reason,
    )
