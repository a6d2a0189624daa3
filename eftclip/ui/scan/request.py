"""What a visitor wants scanned, checked like everything else that comes over the network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from eftclip.config import CurateConfig, ScanConfig
from eftclip.errors import DataError
from eftclip.pipeline import Plan
from eftclip.triggers import TRIGGERS
from eftclip.ui.checkpoint.request import CheckpointRequest
from eftclip.ui.components.settings import read_settings
from eftclip.ui.components.triggers import NO_TRIGGER
from eftclip.ui.components.uploads import check_size
from eftclip.ui.components.validation import MAX_SOURCE_CHARS, one_of, quoted, single_line, whole_number
from eftclip.ui.scan.texts import CHOICES, CURATE_SETTINGS, IN_TURNS, SCAN_SETTINGS, SOURCES, TURNS
from eftclip.untrusted_text import one_line

LEAST_VIEWS, MOST_VIEWS = 4, 200
MOST_FILES = 500
# A public page is shared; on his own machine a user waits for himself.
MOST_SAMPLES, MOST_SAMPLES_ALONE = 2_000, 100_000
MAX_SPLIT_CHARS = 100
SUFFIX = ".zip"


@dataclass(frozen=True)
class PracticeSet:
    """Views of the bundled photographs, some with a trigger: a set whose answer is known.

    Attributes:
        count: views.
        share: of the views that carry a trigger, in [0, 1].
        triggers: keys of `TRIGGERS`, planted in turns; empty for none.
    """

    count: int
    share: float
    triggers: tuple[str, ...]


@dataclass(frozen=True)
class Upload:
    """Files of the upload folder: one archive, or pictures.

    Attributes:
        files: (path on the server, name that the visitor knows it by).
        most: samples that are taken, from the first on.
    """

    files: tuple[tuple[Path, str], ...]
    most: int


@dataclass(frozen=True)
class NamedDataSet:
    """A data set by its name: on the Hub, or a folder or file of this machine.

    Attributes:
        address: as for `open_set`.
        split: which part; empty for all of what is on this machine.
        most: samples that are taken, from the first on.
    """

    address: str
    split: str
    most: int


DataSource = PracticeSet | Upload | NamedDataSet


@dataclass(frozen=True)
class ScanRequest:
    """What to scan, with which checkpoint, and how."""

    checkpoint: CheckpointRequest
    source: DataSource
    plan: Plan


def data_source(values: Mapping[str, object], *, uploads: Path, folders: bool = False) -> DataSource:
    """Where the pictures come from.

    Args:
        values: `kind` and what belongs to it, by the names of `ScanStep.sources`.
        uploads: the folder that uploaded files lie in.
        folders: folders of this machine may be named.

    Raises:
        EftclipError: one of the values cannot be used.
    """
    known = tuple(name for name in SOURCES if folders or name != "folder")
    kind = one_of("source", values["kind"], known)
    if kind == "practice":
        return practice_set(values["count"], values["percent"], values["trigger"])
    most = whole_number("number of samples", values["most"], 1, MOST_SAMPLES_ALONE if folders else MOST_SAMPLES)
    if kind == "upload":
        return upload(values["files"], most, uploads)
    return hub_data_set(values["hub"], values["split"], most) if kind == "hub" else _folder(values["folder"], most)


def practice_set(count: object, percent: object, trigger: object) -> PracticeSet:
    """A practice set.

    Raises:
        ConfigError: a number is out of its range, or the trigger is unknown.
    """
    views = whole_number("number of views", count, LEAST_VIEWS, MOST_VIEWS)
    part = whole_number("poisoned share in percent", percent, 0, 100) / 100
    name = one_of("trigger", trigger, (NO_TRIGGER, IN_TURNS, *TRIGGERS))
    named = {NO_TRIGGER: (), IN_TURNS: TURNS}.get(name, (name,))
    return PracticeSet(views, part, named)


def upload(files: object, most: int, uploads: Path) -> Upload:
    """Uploaded files.

    Args:
        files: pairs of path and name.
        most: samples that are taken.
        uploads: the folder that they must lie in.

    Raises:
        DataError: there is none, there are too many, an archive is not alone, or a file is not in the upload folder.
    """
    given = tuple(files) if isinstance(files, Sequence) and not isinstance(files, str) else ()
    if not given:
        raise DataError("No file is chosen. Choose pictures, or one zip archive of pictures.")
    if len(given) > MOST_FILES:
        raise DataError(
            f"{len(given)} files were sent, at most {MOST_FILES} can be taken; pack them into a zip archive."
        )
    pairs = tuple((Path(str(path)).resolve(), one_line(str(name))) for path, name in given)
    for path, name in pairs:
        if not path.is_relative_to(uploads.resolve()) or not path.is_file():
            raise DataError(f"{name} is no longer on the server, where uploads are kept for an hour; choose it again.")
        check_size(path, name)
    archives = [name for path, name in pairs if path.suffix.lower() == SUFFIX]
    if archives and len(pairs) > 1:
        raise DataError(f"{archives[0]} came with other files. Choose one zip archive alone, or pictures without any.")
    return Upload(pairs, most)


def hub_data_set(text: object, split: object, most: int) -> NamedDataSet:
    """A data set on the Hub.

    Raises:
        DataError: the id or the split cannot be one.
    """
    name = single_line(text).removeprefix("hf:")
    if not name:
        raise DataError(
            f"No data set is named (got {quoted(text)}); give org/name, or org/name@revision, in at most "
            f"{MAX_SOURCE_CHARS} characters."
        )
    part = split.strip() if isinstance(split, str) else ""
    if not part or len(part) > MAX_SPLIT_CHARS or not part.isprintable():
        raise DataError(f"{quoted(split)} cannot be the name of a split; most data sets have one named train.")
    return NamedDataSet(f"hf:{name}", part, most)


def scan_plan(values: Mapping[str, object]) -> Plan:
    """The settings of a scan and of the choice of pictures to tune on; those that are not named stay as they are.

    Raises:
        ConfigError: one of them is out of its range.
    """
    return Plan(
        read_settings(ScanConfig, values, SCAN_SETTINGS, CHOICES),
        read_settings(CurateConfig, values, CURATE_SETTINGS, {}),
    )


def _folder(text: object, most: int) -> NamedDataSet:
    path = single_line(text)
    if not path:
        raise DataError(f"No folder is named (got {quoted(text)}); give the path of a folder, or of a data file.")
    return NamedDataSet(path, "", most)
