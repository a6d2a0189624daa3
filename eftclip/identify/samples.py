"""What a scan notes of one sample: how it was read, what is to be done with it, and what came of that."""

from dataclasses import dataclass

from eftclip.types import Box, Finding, Status


@dataclass(frozen=True)
class SampleReading:
    """One sample, read once.

    Attributes:
        index: position in the set.
        name: what the user finds it by.
        label: the best label; empty where there is no picture.
        margin: how far the best label's cosine lies above the second best.
        digest: 64 bits of the sha256 of its bytes.
        fault: `corrupt`, `missing`, `left_out` or empty.
        reason: of the fault.
    """

    index: int
    name: str
    label: str = ""
    margin: float = 0.0
    digest: int = 0
    fault: str = ""
    reason: str = ""


@dataclass(frozen=True)
class SearchTask:
    """What is to be done with a sample: a search; known triggers are tried first where its label is an affected one."""

    index: int
    label: str
    known: bool


@dataclass(frozen=True, eq=False)
class SearchOutcome:
    """What came of a task.

    Attributes:
        index, name, label: of the sample.
        status: of the search; `found` after a match.
        finding: a proven trigger.
        match: (family number, box, restored label) when a known trigger was recognised and the label went with it.
        reason: the verdict's sentence.
        forwards: pictures that went through the checkpoint.
    """

    index: int
    name: str
    label: str
    status: Status
    finding: Finding | None = None
    match: tuple[int, Box, str] | None = None
    reason: str = ""
    forwards: int = 0
