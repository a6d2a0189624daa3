"""The file of a benchmark and its budget: written after every cell, so that the same command does what is missing."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eftclip.runtime import Stopwatch

Document = dict[str, Any]
SPENT = "the budget did not reach"
LONG = 5.0  # seconds; how slow a machine is, is not seen by a cell that hardly takes longer than its beginning


class ResultFile:
    """A run, its budget, and its file.

    Attributes:
        document: what the file holds.
    """

    def __init__(self, path: Path, fresh: Document, minutes: float) -> None:
        """Take up what the file holds.

        Args:
            path: of the file.
            fresh: the document of a run that begins; its `settings` must be those of the file.
            minutes: the budget.

        Raises:
            SystemExit: the file was measured with other settings.
        """
        self._path, self._minutes, self._watch = path, minutes, Stopwatch()
        self._expected = self._taken = 0.0  # seconds of the cells so far
        self.document: Document = {**fresh, "checkpoints": {}, "left_out": []}
        if path.is_file():
            self.document = json.loads(path.read_text(encoding="utf-8"))
            settings = fresh["settings"]
            held = {name: self.document["settings"].get(name) for name in settings}
            if held != settings:
                raise SystemExit(f"{path} was measured with {held}, not with {settings}; name another --out.")
            commands = dict.fromkeys([*self.document["command"].split(" && "), fresh["command"]])
            self.document["command"] = " && ".join(commands)  # of a file that several made

    @property
    def seconds_left(self) -> float:
        """Of the budget."""
        return self._minutes * 60 - self._watch.seconds

    def share(self, checkpoints: int) -> float:
        """When the next of so many checkpoints has to end, by the run's own clock: all of them get as much."""
        return self._watch.seconds + self.seconds_left / checkpoints

    def fits(self, expected: float, deadline: float) -> bool:
        """Whether a cell of so many seconds ends in time, if it is as slow as the cells so far were on this machine."""
        slower = max(1.0, self._taken / self._expected) if self._expected else 1.0
        return self._watch.seconds + expected * slower <= deadline

    def keep(self, checkpoint: str, kind: str, cell: str, expected: float, measured: Callable[[], Document]) -> None:
        """Measure a cell and write it down."""
        watch = Stopwatch()
        self.document["checkpoints"][checkpoint][kind][cell] = measured()
        if expected >= LONG:
            self._expected, self._taken = self._expected + expected, self._taken + watch.seconds
        self._forget(checkpoint, cell)
        self.write()
        self.tell(f"{checkpoint} {cell}")

    def entry(self, checkpoint: str, fresh: Document) -> Document:
        """The part of the file about a checkpoint.

        Raises:
            SystemExit: the file is about another checkpoint of that name.
        """
        entry: Document = self.document["checkpoints"].setdefault(checkpoint, fresh)
        if entry["sha256"] != fresh["sha256"]:
            other = f"{self._path} holds another {checkpoint} ({entry['sha256'][:12]}…)"
            raise SystemExit(f"{other}; name another --out.")
        return entry

    def write(self) -> None:
        """Whole or not at all, so that an interrupted run leaves a file that can be taken up."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_suffix(".part")
        part.write_text(json.dumps(self.document, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
        part.replace(self._path)

    def leave_out(self, checkpoint: str, cell: str, why: str = SPENT) -> None:
        """A cell that there is no time for, told in the file."""
        self._forget(checkpoint, cell)
        self.document["left_out"].append({"checkpoint": checkpoint, "method": cell, "reason": why})
        self.tell(f"{checkpoint} {cell}: left out, {why}")

    def cannot_judge(self, checkpoint: str, why: str) -> None:
        """A checkpoint that no method is tried on."""
        self.leave_out(checkpoint, "every method", f"the checkpoint cannot be judged ({why.rstrip('.')})")
        self.write()

    def _forget(self, checkpoint: str, cell: str) -> None:
        """That an earlier run left a cell out."""
        self.document["left_out"] = [
            one for one in self.document["left_out"] if (one["checkpoint"], one["method"]) != (checkpoint, cell)
        ]

    def tell(self, text: str) -> None:
        """Progress, for whoever waits."""
        print(f"[{self._watch.seconds:6.0f} s of {self._minutes * 60:g}] {text}", file=sys.stderr, flush=True)
