"""Finished scans and rectifications as values for the result store, and back on a page."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

from eftclip.config import DetectConfig
from eftclip.pipeline import identification_from_dict, identification_to_dict
from eftclip.ui.checkpoint.request import CheckpointRequest
from eftclip.ui.checkpoint.uploaded import UploadedCheckpoint
from eftclip.ui.rectify.job import RectifyResult
from eftclip.ui.rectify.view import RectifyView
from eftclip.ui.scan.job import ScanResult
from eftclip.ui.scan.request import DataSource, NamedDataSet, PracticeSet, Upload
from eftclip.ui.scan.view import ScanView
from eftclip.ui.serving.result_store import StoredResult, link

FILES = ("archive", "document", "checkpoint")  # fields that hold the path of a file for download
KINDS = {PracticeSet: "Practice", NamedDataSet: "Named", Upload: "Upload"}  # as stored, whatever the classes are called
S = TypeVar("S", ScanView, RectifyView)


def store_scan(shown: ScanView, result: ScanResult) -> StoredResult:
    """A scan, with the pictures that were uploaded for it."""
    source = result.source
    uploads = source.files if isinstance(source, Upload) else ()
    values = {
        "check": asdict(result.checkpoint),
        "source": {"kind": KINDS[type(source)], **asdict(source)},
        "identification": identification_to_dict(result.identification),
    }
    if isinstance(source, Upload):
        values["source"]["files"] = [name for _, name in uploads]
    return _stored(shown, values, {f"upload {k}": path for k, (path, _) in enumerate(uploads)})


def restore_scan(stored: StoredResult, folder: Path) -> tuple[ScanView, ScanResult]:
    """A scan back on a page.

    Args:
        stored: by `store_scan`.
        folder: of the page, for what it may download.
    """
    values = stored.values
    result = ScanResult(
        _checkpoint_request(values["check"]),
        _source(stored),
        folder,
        identification_from_dict(values["identification"]),
    )
    return _restored_view(ScanView, stored, folder), result


def store_rectification(shown: RectifyView, result: RectifyResult) -> StoredResult:
    """A rectification, with the rectified checkpoint."""
    return _stored(shown, {"ask": asdict(result.checkpoint), "record": dict(result.document)}, {})


def restore_rectification(stored: StoredResult, folder: Path) -> tuple[RectifyView, RectifyResult]:
    """A rectification back on a page; see `restore_scan`."""
    shown = _restored_view(RectifyView, stored, folder)
    return shown, RectifyResult(
        _checkpoint_request(stored.values["ask"]), Path(str(shown.checkpoint)), stored.values["record"]
    )


def _stored(shown: ScanView | RectifyView, values: Mapping[str, Any], more: Mapping[str, Path]) -> StoredResult:
    parts = {field.name: getattr(shown, field.name) for field in fields(shown)}
    files = {name: Path(parts[name]) for name in FILES if parts.get(name)}
    pictures = {name: part for name, part in parts.items() if isinstance(part, tuple)}
    texts = {name: part for name, part in parts.items() if isinstance(part, str) and name not in FILES}
    return StoredResult({"shown": texts, **values}, pictures, {**files, **more})


def _restored_view(kind: type[S], stored: StoredResult, folder: Path) -> S:
    values: dict[str, Any] = {**stored.values["shown"], **stored.pictures}
    for name in FILES:
        if name in stored.files:
            target = folder / stored.files[name].name
            link(stored.files[name], target)
            values[name] = str(target)
    return kind(**values)


def _checkpoint_request(values: Mapping[str, Any]) -> CheckpointRequest:
    labels, upload = values["labels"], values.get("upload")
    read = {
        "labels": labels and tuple(labels),
        "config": DetectConfig(**values["config"]),
        "upload": upload and UploadedCheckpoint(**upload),
    }
    return CheckpointRequest(**{**values, **read})


def _source(stored: StoredResult) -> DataSource:
    values = dict(stored.values["source"])
    kind = values.pop("kind")
    if kind == KINDS[PracticeSet]:
        return PracticeSet(**{**values, "triggers": tuple(values["triggers"])})
    if kind == KINDS[NamedDataSet]:
        return NamedDataSet(**values)
    files = tuple((stored.files[f"upload {k}"], name) for k, name in enumerate(values["files"]))
    return Upload(files, values["most"])
