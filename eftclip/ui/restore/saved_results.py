"""Visitors who come back, after a reload or a restart of the server: what they found is shown to them again."""

import logging
from dataclasses import dataclass

from eftclip.ui.rectify.job import RectifyResult
from eftclip.ui.rectify.view import RectifyView
from eftclip.ui.restore import serialization
from eftclip.ui.scan.job import ScanResult
from eftclip.ui.scan.view import ScanView
from eftclip.ui.serving.result_store import ResultStore, StoredResult, is_access_key, new_access_key
from eftclip.ui.serving.sessions import RECTIFY, SCAN, Sessions

log = logging.getLogger(__name__)
KINDS = (SCAN, RECTIFY)
StepResult = ScanResult | RectifyResult


@dataclass(frozen=True)
class RestoredResults:
    """What is shown again.

    Attributes:
        access_key: of the visitor, for the browser to remember.
        scan, rectify: the last ones; None where nothing is kept.
        age_s: seconds since the newer of them ended.
    """

    access_key: str
    scan: ScanView | None = None
    rectify: RectifyView | None = None
    age_s: float = 0.0


class SavedResults:
    """Between the sessions, which are forgotten soon, and the result store."""

    def __init__(self, store: ResultStore, sessions: Sessions[StepResult]) -> None:
        """Nobody has come back yet."""
        self._store, self._sessions = store, sessions

    def restore(self, session_id: str, access_key: object) -> RestoredResults:
        """A page was opened: give it what its visitor found earlier.

        Args:
            session_id: of the page that was opened.
            access_key: what the browser remembers; anything else than a key means that nobody was here before.
        """
        known = str(access_key) if is_access_key(access_key) else ""
        self._sessions.register(session_id, known or new_access_key())
        nothing = RestoredResults(self._sessions.access_key(session_id))
        if not known:
            return nothing
        scan, rectification = self._store.get(known, SCAN), self._store.get(known, RECTIFY)
        if scan or rectification:
            self._sessions.open(session_id)
        return RestoredResults(
            known,
            self._scan(session_id, scan) if scan else None,
            self._rectification(session_id, rectification) if rectification else None,
            min((stored.age_s for stored in (scan, rectification) if stored), default=0.0),
        )

    def save_scan(self, session_id: str, shown: ScanView, result: ScanResult) -> None:
        """A scan has ended."""
        self._save(session_id, SCAN, serialization.store_scan(shown, result))

    def save_rectification(self, session_id: str, shown: RectifyView, result: RectifyResult) -> None:
        """A rectification has ended."""
        self._save(session_id, RECTIFY, serialization.store_rectification(shown, result))

    def forget(self, session_id: str) -> None:
        """The visitor wants it forgotten."""
        self._store.forget(self._sessions.access_key(session_id))
        for kind in KINDS:
            self._sessions.forget(session_id, kind)

    def remove_old(self) -> None:
        """Take away what is too old."""
        self._store.remove_old()

    def _save(self, session_id: str, kind: str, stored: StoredResult) -> None:
        """What cannot be kept, on a full disk, is still shown now."""
        if access_key := self._sessions.access_key(session_id):
            try:
                self._store.put(access_key, kind, stored)
            except OSError:
                log.exception("a finished result could not be kept")

    def _scan(self, session_id: str, stored: StoredResult) -> ScanView:
        shown, result = serialization.restore_scan(stored, self._sessions.folder(session_id, SCAN))
        self._sessions.keep(session_id, SCAN, result)
        return shown

    def _rectification(self, session_id: str, stored: StoredResult) -> RectifyView:
        shown, result = serialization.restore_rectification(stored, self._sessions.folder(session_id, RECTIFY))
        self._sessions.keep(session_id, RECTIFY, result)
        return shown
