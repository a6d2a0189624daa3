"""Result files: where they are, and what can be made of them. A broken one costs its own rows and nothing else."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from eftclip.benchmark import audits, detect, rectify, scans, zoo
from eftclip.benchmark.leaderboard import Document, Leaderboard
from eftclip.errors import ResultsError

FOLDER = Path("examples/results")  # in the repository; a package that was installed by pip has no such folder
MOST_BYTES = 32_000_000  # of a file; the largest has some 200,000
MOST_FILES = 40  # of one section
BROKEN = (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError)  # what a wrong structure ends in
Maker = Callable[[Mapping[str, Document]], Leaderboard]
# Which files make which leaderboards: all whose names begin so.
BOARDS: dict[str, tuple[Maker, ...]] = {
    "rivals_detect": (detect.pictures, detect.checkpoints),
    "rivals_rectify": (rectify.methods,),
    "zoo_": (zoo.zoo,),
    "scans": (scans.scans,),
    "audits": (audits.audits,),
}


@dataclass(frozen=True)
class Section:
    """What became of the files whose names begin alike.

    Attributes:
        name: how they begin.
        boards: made of those that could be read.
        faults: a sentence for each that is missing or broken.
    """

    name: str
    boards: tuple[Leaderboard, ...]
    faults: tuple[str, ...]


def results_folder() -> Path:
    """Where the repository has its result files, whatever the working folder; it need not be there."""
    return Path(__file__).resolve().parents[2] / FOLDER


def read_document(path: Path) -> Document:
    """A result file.

    Raises:
        ResultsError: it is missing, too large or not JSON.
    """
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise ResultsError(f"{path.name} has {size:,} bytes, and at most {MOST_BYTES:,} are read.")
        document = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)
    except OSError as error:
        raise ResultsError(f"{path.name} cannot be read ({error.strerror or type(error).__name__}).") from error
    except (ValueError, RecursionError) as error:
        raise ResultsError(f"{path.name} is not valid JSON ({' '.join(str(error).split())[:200]}).") from error
    if not isinstance(document, dict):
        raise ResultsError(f"{path.name} holds a {type(document).__name__}, and an object was expected.")
    return document


def read_sections(folder: Path) -> list[Section]:
    """Every leaderboard that the files of a folder give."""
    return [_section(folder, name, makers) for name, makers in BOARDS.items()]


def _section(folder: Path, name: str, makers: tuple[Maker, ...]) -> Section:
    documents: dict[str, Document] = {}
    faults: list[str] = []
    for path in sorted(folder.glob(f"{name}*.json"))[:MOST_FILES]:
        try:
            documents[path.stem] = _usable(path, makers)
        except ResultsError as error:
            faults.append(str(error))
    if not documents and not faults:
        faults.append(f"There is no result file {name}*.json in {FOLDER}.")
    return Section(name, tuple(make(documents) for make in makers) if documents else (), tuple(faults))


def _usable(path: Path, makers: tuple[Maker, ...]) -> Document:
    """A document of which every leaderboard can be made; tried alone, so that it spoils no other."""
    document = read_document(path)
    for make in makers:
        try:
            make({path.stem: document}).best()
        except BROKEN as error:
            what = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            raise ResultsError(f"{path.name} is not built as expected ({what}).") from error
    return document


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")
