"""Long work for programs: a result has a key, as a program has no page to come back to."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from eftclip.errors import DataError, PublishError
from eftclip.publish import Published
from eftclip.runtime import Progress
from eftclip.ui.backend import Backend
from eftclip.ui.components.validation import quoted
from eftclip.ui.publish.request import PublishRequest
from eftclip.ui.rectify.job import RectifyResult
from eftclip.ui.rectify.request import RectifyRequest
from eftclip.ui.rectify.view import RectifyView
from eftclip.ui.scan.request import DataSource, ScanRequest
from eftclip.ui.scan.view import ScanView
from eftclip.ui.serving.result_store import is_access_key, new_access_key
from eftclip.ui.serving.sessions import PUBLISH, RECTIFY, SCAN

Answer = tuple[dict[str, Any], str | None]


def scan(backend: Backend, request: ScanRequest, key: str = "") -> Iterator[Answer]:
    """Scan: how far it is, then the document with its key and the archive.

    Raises:
        EftclipError: it could not be done.
    """
    key = key or new_access_key()
    backend.sessions.register(key, key)
    backend.sessions.begin(key, SCAN)
    for item in backend.scans.run(request, key):
        if isinstance(item, ScanView):
            yield _document(item, key), item.archive
        else:
            yield _running(item), None


def rectify(backend: Backend, request: RectifyRequest, given: DataSource | None, result: object) -> Iterator[Answer]:
    """Rectify: how far it is, then the document with its key and the archive.

    Args:
        backend: behind the page.
        request: what to rectify.
        given: pictures to scan first; None without any.
        result: key of an earlier scan; empty without one.

    Raises:
        EftclipError: it could not be done.
    """
    key = new_access_key() if not result else str(result)
    if result and (not is_access_key(result) or backend.saved_results.restore(key, key).scan is None):
        raise DataError(f"No scan is kept under {quoted(result)}; results are kept for a day. Scan again.")
    if given is not None:
        yield from (
            (news, None) for news, _ in scan(backend, ScanRequest(request.checkpoint, given, request.plan), key)
        )
    backend.sessions.register(key, key)
    backend.sessions.begin(key, RECTIFY)
    for item in backend.rectifications.run(request, key):
        if isinstance(item, RectifyView):
            yield _document(item, key), item.checkpoint
        else:
            yield _running(item.progress), None


def publish(backend: Backend, request: PublishRequest, result: object, token: str) -> Iterator[dict[str, Any]]:
    """Publish: how far it is, then where it is.

    Raises:
        PublishError: it was not published.
    """
    key = str(result)
    if is_access_key(result):
        backend.saved_results.restore(key, key)
    rectified = backend.sessions.kept(key, RECTIFY) if is_access_key(result) else None
    if not isinstance(rectified, RectifyResult):
        raise PublishError(f"No mended checkpoint is kept under {quoted(result)}; results are kept for a day.")
    backend.sessions.begin(key, PUBLISH)
    for item in backend.publisher.run(request, rectified, token, key):
        if isinstance(item, Published):
            yield {
                "status": "published",
                "repo_id": item.repo_id,
                "url": item.url,
                "revision": item.revision,
                "sha256": item.sha256,
                "pull_request": item.pull_request,
            }
        else:
            yield _running(item)


def _running(progress: Progress | None) -> dict[str, Any]:
    step = progress or Progress("Beginning", 0, 0)
    return {"status": "running", "stage": step.stage, "done": step.done, "total": step.total}


def _document(shown: ScanView | RectifyView, key: str) -> dict[str, Any]:
    """What was written, with the key.

    Raises:
        DataError: nothing was.
    """
    if shown.document is None:
        raise DataError(shown.problem or "The work was stopped before there was a result.")
    return {**json.loads(Path(shown.document).read_text(encoding="ascii")), "result": key}
