"""Visitors who come back, after a reload or a restart of the server: what they found is shown to them again."""

import logging
from dataclasses import dataclass

from eftclip.ui.rectify.view import RectifyShown
from eftclip.ui.restore import serialization as parcels
from eftclip.ui.scan.view import ScanShown
from eftclip.ui.serving.jobs import RECTIFY, SCAN, Found, Kept, Mended
from eftclip.ui.serving.result_store import Parcel, Shelf, is_ticket, new_ticket
from eftclip.ui.serving.sessions import Visits

log = logging.getLogger(__name__)
KINDS = (SCAN, RECTIFY)


@dataclass(frozen=True)
class Back:
    """What is shown again.

    Attributes:
        ticket: of the visitor, for the browser to remember.
        scan, rectify: the last ones; None where nothing is kept.
        age_s: seconds since the newer of them ended.
    """

    ticket: str
    scan: ScanShown | None = None
    rectify: RectifyShown | None = None
    age_s: float = 0.0


class Returns:
    """Between the pages, which are forgotten soon, and the shelf."""

    def __init__(self, shelf: Shelf, visits: Visits[Kept]) -> None:
        """Nobody has come back yet."""
        self._shelf, self._visits = shelf, visits

    def arrive(self, page: str, ticket: object) -> Back:
        """A page was opened.

        Args:
            page: that was opened.
            ticket: what the browser remembers; anything else than a ticket means that nobody was here before.
        """
        known = str(ticket) if is_ticket(ticket) else ""
        self._visits.arrive(page, known or new_ticket())
        back = Back(self._visits.ticket(page))
        if not known:
            return back
        scan, mended = self._shelf.get(known, SCAN), self._shelf.get(known, RECTIFY)
        if scan or mended:
            self._visits.open(page)
        return Back(
            known,
            self._scan(page, scan) if scan else None,
            self._rectification(page, mended) if mended else None,
            min((parcel.age_s for parcel in (scan, mended) if parcel), default=0.0),
        )

    def keep_scan(self, page: str, shown: ScanShown, found: Found) -> None:
        """A scan has ended."""
        self._keep(page, SCAN, parcels.of_scan(shown, found))

    def keep_rectification(self, page: str, shown: RectifyShown, mended: Mended) -> None:
        """A rectification has ended."""
        self._keep(page, RECTIFY, parcels.of_rectification(shown, mended))

    def forget(self, page: str) -> None:
        """The visitor wants it forgotten."""
        self._shelf.forget(self._visits.ticket(page))
        for kind in KINDS:
            self._visits.forget(page, kind)

    def sweep(self) -> None:
        """Take away what is too old."""
        self._shelf.sweep()

    def _keep(self, page: str, kind: str, parcel: Parcel) -> None:
        """What cannot be kept, on a full disk, is still shown now."""
        if ticket := self._visits.ticket(page):
            try:
                self._shelf.put(ticket, kind, parcel)
            except OSError:
                log.exception("a finished result could not be kept")

    def _scan(self, page: str, parcel: Parcel) -> ScanShown:
        shown, found = parcels.to_scan(parcel, self._visits.folder(page, SCAN))
        self._visits.keep(page, SCAN, found)
        return shown

    def _rectification(self, page: str, parcel: Parcel) -> RectifyShown:
        shown, mended = parcels.to_rectification(parcel, self._visits.folder(page, RECTIFY))
        self._visits.keep(page, RECTIFY, mended)
        return shown
