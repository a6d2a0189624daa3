"""Publishing for a page: who may write where, and from the archive that the page can download to the Hub."""

import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from eftclip.checkpoint import licence_of
from eftclip.errors import PublishError
from eftclip.publish import PICTURES, Published, account, check_name, doubts, own_token, publish, stage, writer
from eftclip.report import model_card, pinned_source
from eftclip.runtime import Cancelled, OnProgress, Progress
from eftclip.ui.checkpoint.request import Ask, typed
from eftclip.ui.components import html as markup
from eftclip.ui.publish import texts as publish_words
from eftclip.ui.rectify import html as run_markup
from eftclip.ui.serving.jobs import RECTIFY, Kept, Mended
from eftclip.ui.serving.loading import NO_TOKEN
from eftclip.ui.serving.queue import Ended, watch
from eftclip.ui.serving.runs import told
from eftclip.ui.serving.sessions import Visits

PUBLISH = "publish"


@dataclass(frozen=True)
class PublishAsk:
    """Where a mended checkpoint goes, as typed.

    Attributes:
        repo_id: `org/name`.
        private: whether a new repository is private.
        anyway: the visitor has read what speaks against it.
    """

    repo_id: str
    private: bool
    anyway: bool


@dataclass(frozen=True)
class PublishShown:
    """How publishing ended, or how far it is.

    Attributes:
        banner: HTML.
        doubted: something speaks against it, and the visitor may publish all the same.
    """

    banner: str
    doubted: bool = False


class DoubtError(PublishError):
    """Something speaks against publishing."""

    def __init__(self, against: Sequence[str]) -> None:
        """Name it, in sentences."""
        super().__init__(f"Not published. {' '.join(against)} Ask for it with `anyway` to publish it all the same.")
        self.against = tuple(against)


def publish_ask(repo_id: object, private: object, anyway: object) -> PublishAsk:
    """What came over the network.

    Raises:
        PublishError: that is no name of a repository.
    """
    name = typed(repo_id).removeprefix("hf:")
    if not name:
        raise PublishError("No repository is named. Write org/name: your name or an organisation, and a new name.")
    check_name(name)
    return PublishAsk(name, private is True, anyway is True)


def refused(reason: str) -> PublishShown:
    """Nothing was published."""
    return PublishShown(markup.banner("error", publish_words.failed(reason)))


class Publishing:
    """What pages publish."""

    def __init__(self, visits: Visits[Kept], *, private: bool) -> None:
        """Nothing is published yet.

        Args:
            visits: the open pages.
            private: only whoever sits at this machine can open the page, so its own Hub token may be used.
        """
        self._visits, self._private = visits, private

    def token(self, signed_in: str | None) -> str:
        """The visitor's own token: of his sign-in, or of his machine; empty without any."""
        return signed_in or (own_token() if self._private else "")

    def who(self, token: str, *, can_sign_in: bool) -> str:
        """HTML that says whose token it is and what may be written with it."""
        if not token:
            return run_markup.basis(publish_words.nobody(private=self._private, can_sign_in=can_sign_in))
        try:
            return run_markup.basis(publish_words.somebody(account(token)))
        except PublishError as error:
            return run_markup.basis(str(error))

    def ready(self, token: str, *, can_sign_in: bool) -> None:
        """Fail before hours of work rather than after.

        Raises:
            PublishError: there is no token, the Hub does not know it, or it does not write.
        """
        if not token:
            raise PublishError(publish_words.nobody(private=self._private, can_sign_in=can_sign_in))
        writer(token)

    def mended(self, ask: Ask, page: str) -> Mended | None:
        """What the last rectification of this page wrote, if it was of this checkpoint with these settings."""
        last = self._visits.kept(page, RECTIFY)
        return last if isinstance(last, Mended) and last.ask == ask and last.archive.is_file() else None

    def publish(self, ask: PublishAsk, mended: Mended, token: str, page: str) -> Iterator[PublishShown]:
        """Publish: progress as it comes, then how it ended; nobody listening any more stops it."""
        try:
            for item in self.work(ask, mended, token, page):
                yield published(item) if isinstance(item, Published) else PublishShown(running(item))
        except DoubtError as doubt:
            yield PublishShown(markup.banner("inconclusive", publish_words.doubted(doubt.against)), doubted=True)
        except Exception as error:
            yield refused(told(error))

    def work(self, ask: PublishAsk, mended: Mended, token: str, page: str) -> Iterator[Progress | Published]:
        """Publish: progress as it comes, then what is on the Hub; nobody listening any more stops it.

        Raises:
            DoubtError: something speaks against it, and the visitor has not said that he wants it all the same.
            PublishError: it was not published.
        """
        stop = self._visits.signal(page, PUBLISH)
        if (against := doubts(mended.document)) and not ask.anyway:
            raise DoubtError(against)

        def go(tell: OnProgress) -> Published | Exception:
            try:
                return _published(ask, mended, token, tell, stop.is_set, own=self._private)
            except Exception as error:
                return error

        with self._visits.working(page):
            for item in watch(go, stop, patience_s=float("inf")):  # what is on the Hub is known only at its end
                self._visits.touch(page)
                if isinstance(item, Ended) and isinstance(item.value, Exception):
                    raise item.value
                yield cast(Published, item.value) if isinstance(item, Ended) else item


def published(done: Published) -> PublishShown:
    """It is on the Hub."""
    return PublishShown(
        markup.banner("mended", publish_words.published(done), tag="Published")
        + run_markup.link(done.url, publish_words.place(done))
    )


def running(progress: Progress | None) -> str:
    """The banner while it goes on."""
    return run_markup.running(publish_words.PUBLISHING, progress, "Publishing")


def _published(
    ask: PublishAsk, mended: Mended, token: str, tell: OnProgress, cancelled: Cancelled, *, own: bool
) -> Published:
    """Unpack, stage, publish."""
    document = mended.document
    with tempfile.TemporaryDirectory(prefix="eftclip-publish-") as scratch:
        with zipfile.ZipFile(mended.archive) as archive:  # our own
            archive.extractall(scratch)
        home = next(path for path in Path(scratch).iterdir() if path.is_dir())
        licence = licence_of(pinned_source(document), token=None if own else NO_TOKEN)
        pictures = [name for name in PICTURES if (home / name).is_file()]
        card = model_card(document, licence=licence, repo_id=ask.repo_id, pictures=pictures)
        staged = stage(home, Path(scratch) / "staged", ask.repo_id, document, card)
        return publish(staged, token=token, private=ask.private, on_progress=tell, cancelled=cancelled)
