"""The journal of a scan: one line for each finished block, so that a scan that was killed can be taken up again."""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from eftclip.errors import DataError
from eftclip.identify.samples import SampleReading, SearchOutcome
from eftclip.identify.serialize import finding_from_dict, finding_to_dict
from eftclip.types import Status

FORMAT = 3
Block = tuple[list[SampleReading], list[SearchOutcome]]


class Journal:
    """A file of JSON lines: what is scanned and how, then the blocks.

    A line is written at once and forced to the disk before the next block begins, so after a kill at most the last line
    is torn; it is dropped and its block done again.
    """

    def __init__(self, path: Path, about: dict[str, Any], *, writes: bool = True, begun: Path | None = None) -> None:
        """Open or begin a journal.

        Args:
            path: the file; its folder must exist.
            about: everything that decides the result, as plain values.
            writes: whether this process may change the file; of a team only the one that leads.
            begun: the journal of the same scan elsewhere, which a new one goes on from; it is left as it is.

        Raises:
            DataError: the file, or the one it goes on from, is the journal of something else.
        """
        self._path, self._about = path, {"journal": FORMAT, **about}
        lines, source = _whole_lines(path), path
        if not lines and begun is not None:
            lines, source = _whole_lines(begun), begun
        if lines and json.loads(lines[0]) != self._about:
            raise DataError(
                f"{source} is the journal of another scan (other data, checkpoint or settings); "
                "choose another folder, or delete it to begin anew."
            )
        self._kept = lines[1:]
        if writes:
            kept = lines or [json.dumps(self._about)]
            _rewrite(path, kept)

    def __len__(self) -> int:
        """Blocks noted by earlier runs."""
        return len(self._kept)

    def blocks(self) -> Iterator[Block]:
        """What earlier runs noted."""
        for line in self._kept:
            noted = json.loads(line)
            yield (
                [SampleReading(*values) for values in noted["glances"]],
                [_outcome(values) for values in noted["outcomes"]],
            )

    def note(self, readings: Sequence[SampleReading], outcomes: Sequence[SearchOutcome]) -> None:
        """Add a finished block."""
        rows = [[g.index, g.name, g.label, g.margin, g.digest, g.fault, g.reason] for g in readings]
        line = json.dumps({"glances": rows, "outcomes": [_plain(outcome) for outcome in outcomes]})
        with self._path.open("a", encoding="ascii") as stream:
            stream.write(line + "\n")
            stream.flush()
            os.fsync(stream.fileno())


def _whole_lines(path: Path) -> list[str]:
    """The lines that were written to their end; a torn one is the last."""
    if not path.is_file():
        return []
    text = path.read_text(encoding="ascii", errors="replace")
    return [line.removesuffix("\n") for line in text.splitlines(keepends=True) if line.endswith("\n")]


def _rewrite(path: Path, lines: Sequence[str]) -> None:
    """Replace the file in one step."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
    fresh.replace(path)


def _plain(outcome: SearchOutcome) -> dict[str, Any]:
    finding, match = outcome.finding, outcome.match
    return {
        "index": outcome.index,
        "name": outcome.name,
        "label": outcome.label,
        "status": outcome.status.value,
        "reason": outcome.reason,
        "forwards": outcome.forwards,
        "finding": None if finding is None else finding_to_dict(finding),
        "match": None if match is None else [match[0], list(match[1]), match[2]],
    }


def _outcome(values: dict[str, Any]) -> SearchOutcome:
    match = values["match"]
    return SearchOutcome(
        values["index"],
        values["name"],
        values["label"],
        Status(values["status"]),
        None if values["finding"] is None else finding_from_dict(values["finding"]),
        None if match is None else (match[0], tuple(match[1]), match[2]),
        values["reason"],
        values["forwards"],
    )
