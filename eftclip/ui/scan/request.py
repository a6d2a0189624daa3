"""What a visitor asked of a scan or a rectification, checked like everything else that comes over the network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from eftclip.config import CurateConfig, RectifyConfig, ScanConfig, Settings
from eftclip.errors import ConfigError, DataError
from eftclip.legible import one_line
from eftclip.pipeline import Plan
from eftclip.triggers import TRIGGERS
from eftclip.ui.check.photographs import NO_TRIGGER
from eftclip.ui.checkpoint.request import MAX_SOURCE_CHARS, Ask, one_of, shown, typed, whole
from eftclip.ui.scan.texts import (
    CURATE_SETTINGS,
    IN_TURNS,
    RECTIFY_CHOICES,
    RECTIFY_SETTINGS,
    SCAN_CHOICES,
    SCAN_SETTINGS,
    SOURCES,
    TURNS,
    Choices,
    Rows,
)

LEAST_VIEWS, MOST_VIEWS = 4, 200
MOST_FILES = 500
MOST_SAMPLES, MOST_SAMPLES_ALONE = (
    2_000,
    100_000,
)  # a public page is shared, on his own machine a user waits for himself
MAX_SPLIT_CHARS = 100
SUFFIX = ".zip"


@dataclass(frozen=True)
class Practice:
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
class Named:
    """A data set by its name: on the Hub, or a folder or file of this machine.

    Attributes:
        address: as for `open_set`.
        split: which part of a Hub data set.
        most: samples that are taken, from the first on.
    """

    address: str
    split: str
    most: int


Source = Practice | Upload | Named


@dataclass(frozen=True)
class ScanAsk:
    """What to scan, with which checkpoint, and how."""

    check: Ask
    source: Source
    plan: Plan


@dataclass(frozen=True)
class RectifyAsk:
    """Which checkpoint to mend, and how."""

    check: Ask
    plan: Plan


def source(values: Mapping[str, object], *, uploads: Path, folders: bool = False) -> Source:
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
        return practice(values["count"], values["percent"], values["trigger"])
    most = whole("number of samples", values["most"], 1, MOST_SAMPLES_ALONE if folders else MOST_SAMPLES)
    if kind == "upload":
        return upload(values["files"], most, uploads)
    return hub(values["hub"], values["split"], most) if kind == "hub" else _folder(values["folder"], most)


def practice(count: object, percent: object, trigger: object) -> Practice:
    """A practice set.

    Raises:
        ConfigError: a number is out of its range, or the trigger is unknown.
    """
    views = whole("number of views", count, LEAST_VIEWS, MOST_VIEWS)
    part = whole("poisoned share in percent", percent, 0, 100) / 100
    name = one_of("trigger", trigger, (NO_TRIGGER, IN_TURNS, *TRIGGERS))
    named = {NO_TRIGGER: (), IN_TURNS: TURNS}.get(name, (name,))
    return Practice(views, part, named)


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
    archives = [name for path, name in pairs if path.suffix.lower() == SUFFIX]
    if archives and len(pairs) > 1:
        raise DataError(f"{archives[0]} came with other files. Choose one zip archive alone, or pictures without any.")
    return Upload(pairs, most)


def hub(text: object, split: object, most: int) -> Named:
    """A data set on the Hub.

    Raises:
        DataError: the id or the split cannot be one.
    """
    name = typed(text).removeprefix("hf:")
    if not name:
        raise DataError(
            f"No data set is named (got {shown(text)}); give org/name, or org/name@revision, in at most "
            f"{MAX_SOURCE_CHARS} characters."
        )
    part = split.strip() if isinstance(split, str) else ""
    if not part or len(part) > MAX_SPLIT_CHARS or not part.isprintable():
        raise DataError(f"{shown(split)} cannot be the name of a split; most data sets have one named train.")
    return Named(f"hf:{name}", part, most)


def plan(values: Mapping[str, object]) -> Plan:
    """The settings of the stages after the check; those that are not named stay as they are.

    Raises:
        ConfigError: one of them is unknown or out of its range.
    """
    known = {field.name for config in (ScanConfig, CurateConfig, RectifyConfig) for field in fields(config)}
    if stray := sorted(set(values) - known):
        raise ConfigError(f"Unknown settings {', '.join(stray)}; known are {', '.join(sorted(known))}.")
    return replace(scan_plan(values), rectify=read_settings(RectifyConfig, values, RECTIFY_SETTINGS, RECTIFY_CHOICES))


def scan_plan(values: Mapping[str, object]) -> Plan:
    """The settings of a scan and of the choice of pictures to tune on; those that are not named stay as they are.

    Raises:
        ConfigError: one of them is out of its range.
    """
    return Plan(
        read_settings(ScanConfig, values, SCAN_SETTINGS, SCAN_CHOICES),
        read_settings(CurateConfig, values, CURATE_SETTINGS, {}),
    )


def _folder(text: object, most: int) -> Named:
    path = typed(text)
    if not path:
        raise DataError(f"No folder is named (got {shown(text)}); give the path of a folder, or of a data file.")
    return Named(path, "train", most)


C = TypeVar("C", bound=Settings)


def read_settings(config: type[C], values: Mapping[str, object], rows: Rows, choices: Choices) -> C:
    """The settings of one stage: choices from their lists, numbers within the range that the page offers.

    Args:
        config: of the stage.
        values: by the names of its fields, as they came over the network; those that are not named keep their defaults.
        rows: the numbers.
        choices: the choices.

    Raises:
        ConfigError: one of them cannot be used.
    """
    names = [field.name for field in fields(config) if field.name in values]  # type: ignore[arg-type]
    defaults = config().to_dict()
    return config.from_dict({name: _setting(name, values[name], defaults[name], rows, choices) for name in names})


def _setting(name: str, value: object, default: object, rows: Rows, choices: Choices) -> Any:
    if name in choices:
        return one_of(name, value, tuple(choices[name][1]))
    label, low, high, _, _ = rows[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"The setting “{label}” must be a number, got {shown(value)}.")
    if not low <= value <= high:
        raise ConfigError(f"The setting “{label}” must lie between {low:g} and {high:g}, got {shown(value)}.")
    return whole(f"setting “{label}”", value, int(low), int(high)) if isinstance(default, int) else float(value)
