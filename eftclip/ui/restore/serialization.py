"""Finished scans and rectifications as parcels for the shelf, and back on a page."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

from eftclip.config import DetectConfig
from eftclip.pipeline import of_identification, to_identification
from eftclip.ui.checkpoint.request import Ask
from eftclip.ui.rectify.view import RectifyShown
from eftclip.ui.scan.request import Named, Practice, Source, Upload
from eftclip.ui.scan.view import ScanShown
from eftclip.ui.serving.jobs import Found, Mended
from eftclip.ui.serving.result_store import Parcel, link

FILES = ("archive", "document", "checkpoint")  # fields that hold the path of a file for download
S = TypeVar("S", ScanShown, RectifyShown)


def of_scan(shown: ScanShown, found: Found) -> Parcel:
    """A scan, with the pictures that were uploaded for it."""
    source = found.source
    uploads = source.files if isinstance(source, Upload) else ()
    values = {
        "check": asdict(found.check),
        "source": {"kind": type(source).__name__, **asdict(source)},
        "identification": of_identification(found.identification),
    }
    if isinstance(source, Upload):
        values["source"]["files"] = [name for _, name in uploads]
    return _parcel(shown, values, {f"upload {k}": path for k, (path, _) in enumerate(uploads)})


def to_scan(parcel: Parcel, folder: Path) -> tuple[ScanShown, Found]:
    """A scan back on a page.

    Args:
        parcel: see `of_scan`.
        folder: of the page, for what it may download.
    """
    values = parcel.values
    found = Found(_ask(values["check"]), _source(parcel), folder, to_identification(values["identification"]))
    return _shown(ScanShown, parcel, folder), found


def of_rectification(shown: RectifyShown, mended: Mended) -> Parcel:
    """A rectification, with the mended checkpoint."""
    return _parcel(shown, {"ask": asdict(mended.ask), "record": dict(mended.document)}, {})


def to_rectification(parcel: Parcel, folder: Path) -> tuple[RectifyShown, Mended]:
    """A rectification back on a page; see `to_scan`."""
    shown = _shown(RectifyShown, parcel, folder)
    return shown, Mended(_ask(parcel.values["ask"]), Path(str(shown.checkpoint)), parcel.values["record"])


def _parcel(shown: ScanShown | RectifyShown, values: Mapping[str, Any], more: Mapping[str, Path]) -> Parcel:
    parts = {field.name: getattr(shown, field.name) for field in fields(shown)}
    files = {name: Path(parts[name]) for name in FILES if parts.get(name)}
    pictures = {name: part for name, part in parts.items() if isinstance(part, tuple)}
    texts = {name: part for name, part in parts.items() if isinstance(part, str) and name not in FILES}
    return Parcel({"shown": texts, **values}, pictures, {**files, **more})


def _shown(kind: type[S], parcel: Parcel, folder: Path) -> S:
    values: dict[str, Any] = {**parcel.values["shown"], **parcel.pictures}
    for name in FILES:
        if name in parcel.files:
            target = folder / parcel.files[name].name
            link(parcel.files[name], target)
            values[name] = str(target)
    return kind(**values)


def _ask(values: Mapping[str, Any]) -> Ask:
    labels = values["labels"]
    return Ask(**{**values, "labels": labels and tuple(labels), "config": DetectConfig(**values["config"])})


def _source(parcel: Parcel) -> Source:
    values = dict(parcel.values["source"])
    kind = values.pop("kind")
    if kind == "Practice":
        return Practice(**{**values, "triggers": tuple(values["triggers"])})
    if kind == "Named":
        return Named(**values)
    files = tuple((parcel.files[f"upload {k}"], name) for k, name in enumerate(values["files"]))
    return Upload(files, values["most"])
