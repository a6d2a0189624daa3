"""Publishing for a page: who may write where, and from the archive that the page can download to the Hub."""

import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

from eftclip.checkpoint import licence_of
from eftclip.errors import PublishError
from eftclip.publish import PICTURES, Published, account, doubts, own_token, publish, stage, writer
from eftclip.report import model_card, pinned_source
from eftclip.runtime import Cancelled, OnProgress, Progress
from eftclip.ui.checkpoint.request import CheckpointRequest
from eftclip.ui.components import html
from eftclip.ui.components.banner import banner
from eftclip.ui.publish import texts
from eftclip.ui.publish.request import PublishRequest
from eftclip.ui.publish.view import PublishView, published, refused, running
from eftclip.ui.rectify.job import RectifyResult
from eftclip.ui.restore.saved_results import StepResult
from eftclip.ui.serving.background import Ended, watch
from eftclip.ui.serving.error_messages import error_message
from eftclip.ui.serving.loading import NO_TOKEN
from eftclip.ui.serving.sessions import PUBLISH, RECTIFY, Sessions


class DoubtError(PublishError):
    """Something speaks against publishing."""

    def __init__(self, against: Sequence[str]) -> None:
        """Name it, in sentences."""
        super().__init__(f"Not published. {' '.join(against)} Ask for it with `anyway` to publish it all the same.")
        self.against = tuple(against)


class Publisher:
    """What pages publish."""

    def __init__(self, sessions: Sessions[StepResult], *, private: bool) -> None:
        """Nothing is published yet.

        Args:
            sessions: the open pages.
            private: only whoever sits at this machine can open the page, so its own Hub token may be used.
        """
        self._sessions, self._private = sessions, private

    def token(self, signed_in: str | None) -> str:
        """The visitor's own token: of his sign-in, or of his machine; empty without any."""
        return signed_in or (own_token() if self._private else "")

    def who(self, token: str, *, can_sign_in: bool) -> str:
        """HTML that says whose token it is and what may be written with it."""
        if not token:
            return html.basis_note(texts.not_signed_in(private=self._private, can_sign_in=can_sign_in))
        try:
            return html.basis_note(texts.signed_in(account(token)))
        except PublishError as error:
            return html.basis_note(str(error))

    def check_token(self, token: str, *, can_sign_in: bool) -> None:
        """Fail before hours of work rather than after.

        Raises:
            PublishError: there is no token, the Hub does not know it, or it does not write.
        """
        if not token:
            raise PublishError(texts.not_signed_in(private=self._private, can_sign_in=can_sign_in))
        writer(token)

    def last_rectification(self, checkpoint: CheckpointRequest, session_id: str) -> RectifyResult | None:
        """What the last rectification of this page wrote, if it was of this checkpoint with these settings."""
        last = self._sessions.kept(session_id, RECTIFY)
        return (
            last
            if isinstance(last, RectifyResult) and last.checkpoint == checkpoint and last.archive.is_file()
            else None
        )

    def publish(
        self, request: PublishRequest, result: RectifyResult, token: str, session_id: str
    ) -> Iterator[PublishView]:
        """Publish: progress as it comes, then how it ended; nobody listening any more stops it."""
        try:
            for item in self.run(request, result, token, session_id):
                yield published(item) if isinstance(item, Published) else PublishView(running(item))
        except DoubtError as doubt:
            yield PublishView(banner("inconclusive", texts.doubted(doubt.against)), doubted=True)
        except Exception as error:
            yield refused(error_message(error))

    def run(
        self, request: PublishRequest, result: RectifyResult, token: str, session_id: str
    ) -> Iterator[Progress | Published]:
        """Publish: progress as it comes, then what is on the Hub; nobody listening any more stops it.

        Raises:
            DoubtError: something speaks against it, and the visitor has not said that he wants it all the same.
            PublishError: it was not published.
        """
        stop = self._sessions.stop_signal(session_id, PUBLISH)
        if (against := doubts(result.document)) and not request.anyway:
            raise DoubtError(against)

        def go(tell: OnProgress) -> Published | Exception:
            try:
                return _publish_archive(request, result, token, tell, stop.is_set, own=self._private)
            except Exception as error:
                return error

        with self._sessions.working(session_id):
            for item in watch(go, stop, patience_s=float("inf")):  # what is on the Hub is known only at its end
                self._sessions.touch(session_id)
                if isinstance(item, Ended) and isinstance(item.value, Exception):
                    raise item.value
                yield cast(Published, item.value) if isinstance(item, Ended) else item


def _publish_archive(
    request: PublishRequest, result: RectifyResult, token: str, tell: OnProgress, cancelled: Cancelled, *, own: bool
) -> Published:
    """Unpack, stage, publish."""
    document = result.document
    with tempfile.TemporaryDirectory(prefix="eftclip-publish-") as scratch:
        with zipfile.ZipFile(result.archive) as archive:  # our own
            archive.extractall(scratch)
        home = next(path for path in Path(scratch).iterdir() if path.is_dir())
        licence = licence_of(pinned_source(document), token=None if own else NO_TOKEN)
        pictures = [name for name in PICTURES if (home / name).is_file()]
        card = model_card(document, licence=licence, repo_id=request.repo_id, pictures=pictures)
        staged = stage(home, Path(scratch) / "staged", request.repo_id, document, card)
        return publish(staged, token=token, private=request.private, on_progress=tell, cancelled=cancelled)
