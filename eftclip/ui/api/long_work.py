"""Long work for programs: a result has a key, as a program has no page to come back to."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gradio.utils import get_upload_folder

from eftclip.errors import DataError, PublishError
from eftclip.publish import Published
from eftclip.runtime import Progress
from eftclip.ui.backend import Desk
from eftclip.ui.checkpoint.request import shown as quoted
from eftclip.ui.publish.publisher import PUBLISH, PublishAsk
from eftclip.ui.rectify.view import RectifyShown
from eftclip.ui.scan import request as run_asks
from eftclip.ui.scan.view import ScanShown
from eftclip.ui.serving.jobs import RECTIFY, SCAN, Mended
from eftclip.ui.serving.result_store import is_ticket, new_ticket

PRACTICE = "practice"
Answer = tuple[dict[str, Any], str | None]


def source(data: object, pictures: object, split: object, most: object, *, folders: bool) -> run_asks.Source:
    """Where the pictures come from, as a program names it.

    Args:
        data: `practice`, `hf:org/name`, or a folder where folders may be named; empty with pictures.
        pictures: uploaded files.
        split: of a Hub data set.
        most: samples that are taken.
        folders: folders of this machine may be named.

    Raises:
        EftclipError: one of them cannot be used.
    """
    if data and pictures:
        raise DataError("Both a data set and pictures were sent; send one of them.")
    kind = "upload" if pictures else PRACTICE if data == PRACTICE else "hub"
    if folders and isinstance(data, str) and data and not pictures and not data.startswith(("hf:", PRACTICE)):
        kind = "folder"
    values = {"kind": kind, "files": pictures, "hub": data, "folder": data, "split": split, "most": most}
    values |= {"count": 48, "percent": 25, "trigger": "badnets"}
    return run_asks.source(values, uploads=Path(get_upload_folder()), folders=folders)


def scan(desk: Desk, ask: run_asks.ScanAsk, key: str = "") -> Iterator[Answer]:
    """Scan: how far it is, then the document with its key and the archive.

    Raises:
        EftclipError: it could not be done.
    """
    key = key or new_ticket()
    desk.visits.arrive(key, key)
    desk.visits.begin(key, SCAN)
    for item in desk.runs.scan(ask, key):
        if isinstance(item, ScanShown):
            yield _document(item, key), item.archive
        else:
            yield _running(item), None


def rectify(desk: Desk, ask: run_asks.RectifyAsk, given: run_asks.Source | None, result: object) -> Iterator[Answer]:
    """Rectify: how far it is, then the document with its key and the archive.

    Args:
        desk: behind the page.
        ask: what to mend.
        given: pictures to scan first; None without any.
        result: key of an earlier scan; empty without one.

    Raises:
        EftclipError: it could not be done.
    """
    key = new_ticket() if not result else str(result)
    if result and (not is_ticket(result) or desk.returns.arrive(key, key).scan is None):
        raise DataError(f"No scan is kept under {quoted(result)}; results are kept for a day. Scan again.")
    if given is not None:
        yield from ((news, None) for news, _ in scan(desk, run_asks.ScanAsk(ask.check, given, ask.plan), key))
    desk.visits.arrive(key, key)
    desk.visits.begin(key, RECTIFY)
    for item in desk.runs.rectify(ask, key):
        if isinstance(item, RectifyShown):
            yield _document(item, key), item.checkpoint
        else:
            yield _running(item.progress), None


def publish(desk: Desk, ask: PublishAsk, result: object, token: str) -> Iterator[dict[str, Any]]:
    """Publish: how far it is, then where it is.

    Raises:
        PublishError: it was not published.
    """
    key = str(result)
    if is_ticket(result):
        desk.returns.arrive(key, key)
    mended = desk.visits.kept(key, RECTIFY) if is_ticket(result) else None
    if not isinstance(mended, Mended):
        raise PublishError(f"No mended checkpoint is kept under {quoted(result)}; results are kept for a day.")
    desk.visits.begin(key, PUBLISH)
    for item in desk.publishing.work(ask, mended, token, key):
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


def _document(shown: ScanShown | RectifyShown, key: str) -> dict[str, Any]:
    """What was written, with the key.

    Raises:
        DataError: nothing was.
    """
    if shown.document is None:
        raise DataError(shown.problem or "The work was stopped before there was a result.")
    return {**json.loads(Path(shown.document).read_text(encoding="ascii")), "result": key}
