"""The Hub's side of publishing: one commit, there as a whole or not at all, and checked before it is announced."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi, ModelInfo
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError
from huggingface_hub.hf_api import RepoFile

from eftclip.errors import PublishError
from eftclip.publish.client import HUB_ERRORS, NO_TOKEN, TIMEOUT_S, explained
from eftclip.publish.staging import WEIGHTS, Staged
from eftclip.runtime import Cancelled, OnProgress, Progress, ignore, never

OWN_FILE = ".gitattributes"  # the Hub puts it into every new repository
STEPS = ("Asking the Hub", "Making the repository", "Uploading", "Comparing what arrived")


@dataclass(frozen=True)
class Published:
    """What is on the Hub now.

    Attributes:
        repo_id: `org/name`.
        url: of the repository, or of the pull request.
        revision: the commit, 40 hex digits.
        sha256: of the weights, as the Hub states it; equal to that of the local file.
        pull_request: whether somebody still has to merge it.
    """

    repo_id: str
    url: str
    revision: str
    sha256: str
    pull_request: bool


def publish(
    staged: Staged,
    *,
    token: str,
    private: bool = False,
    on_progress: OnProgress = ignore,
    cancelled: Cancelled = never,
) -> Published:
    """Put a staged folder on the Hub: into a new repository, or as a pull request to one that holds something.

    One commit carries all files, so a repository never holds half of them. A new repository that could not be filled is
    taken away again. When the answer to the commit is lost, the Hub is asked whether it arrived. The same call goes on
    where an earlier one was broken off.

    Args:
        staged: see `stage`.
        token: the visitor's own; it appears in no message.
        private: whether a new repository is private.
        on_progress: told of four steps.
        cancelled: asked before each step that changes anything.

    Raises:
        PublishError: it is not published; the text says what is on the Hub now and what to do.
    """
    if not token:
        raise PublishError(NO_TOKEN)
    attempt = _Attempt(HfApi(token=token), staged, private)
    on_progress(Progress(STEPS[0], 0, len(STEPS)))
    info = attempt.look()
    attempt.stop_if(cancelled())
    on_progress(Progress(STEPS[1], 1, len(STEPS)))
    if info is None:
        attempt.make()
    with attempt.undone_on_failure():
        attempt.stop_if(cancelled())
        on_progress(Progress(STEPS[2], 2, len(STEPS)))
        done = attempt.commit(info)
        on_progress(Progress(STEPS[3], 3, len(STEPS)))
        attempt.compare(done)
    on_progress(Progress(STEPS[3], 4, len(STEPS)))
    return done


@dataclass(eq=False)
class _Attempt:
    """One attempt, and what it has changed on the Hub so far."""

    api: HfApi
    staged: Staged
    private: bool
    made: bool = False
    request: int | None = None  # the pull request that was opened

    @property
    def name(self) -> str:
        return self.staged.repo_id

    @property
    def title(self) -> str:
        """Of the commit and the pull request; the same weights have the same one."""
        return f"Rectified checkpoint {self.staged.weights_sha256[:12]}"

    # --- the steps ---

    def look(self) -> ModelInfo | None:
        """What is in the repository; None if there is none."""
        try:
            return self.api.model_info(self.name, timeout=TIMEOUT_S)
        except RepositoryNotFoundError:
            return None
        except HUB_ERRORS as error:
            raise self._failed(error, "Nothing was changed.") from None

    def make(self) -> None:
        """A new repository."""
        try:
            self.api.create_repo(self.name, private=self.private, exist_ok=False)
        except HUB_ERRORS as error:
            # The request may have arrived although its answer did not.
            unsure = not isinstance(error, HfHubHTTPError) or error.response.status_code >= 500
            left = self._taken_away() if unsure else "Nothing was changed."
            raise self._failed(error, left) from None
        self.made = True

    def commit(self, info: ModelInfo | None) -> Published:
        """All files at once."""
        names = {file.rfilename for file in (info.siblings or [] if info else [])}
        as_request = not names <= {OWN_FILE}
        if as_request and (earlier := self._open_request()):
            return earlier
        operations = [
            CommitOperationAdd(path_in_repo=path.name, path_or_fileobj=path)
            for path in sorted(self.staged.folder.iterdir())
        ]
        try:
            done = self.api.create_commit(self.name, operations, commit_message=self.title, create_pr=as_request)
        except HUB_ERRORS as error:
            if (landed := self._landed(as_request)) is None:
                raise self._failed(error, "") from None
            return landed
        if as_request and done.pr_num is not None:
            self.request = done.pr_num
        url = done.pr_url if as_request and done.pr_url else self._url
        return Published(self.name, url, done.oid, self.staged.weights_sha256, as_request)

    def compare(self, done: Published) -> None:
        """Every file on the Hub with the one here, by the digests that the Hub states."""
        try:
            files = self.api.get_paths_info(self.name, sorted(self.staged.sha256), revision=done.revision)
        except HUB_ERRORS as error:
            raise self._failed(error, "What arrived could not be compared.") from None
        there = {file.path: file for file in files if isinstance(file, RepoFile)}
        wrong = [name for name in self.staged.sha256 if not self._same(name, there.get(name))]
        if wrong:
            raise PublishError(f"What arrived on the Hub is not what was sent ({', '.join(wrong)}).")

    def stop_if(self, cancelled: bool) -> None:
        """A cancel."""
        if cancelled:
            raise PublishError("Stopped; nothing was published.")

    # --- when something breaks ---

    @contextmanager
    def undone_on_failure(self) -> Iterator[None]:
        """Whatever this attempt changed is taken back, and the message says so, or says what is left."""
        try:
            yield
        except PublishError as error:
            if self.made:
                raise PublishError(f"{error} {self._taken_away()}") from None
            if self.request is not None:
                raise PublishError(f"{error} {self._closed()}") from None
            raise PublishError(f"{error} {self.name} is as it was.") from None
        except BaseException:
            if self.made:
                self._taken_away()
            raise

    def _taken_away(self) -> str:
        """Delete the repository that this attempt made; a sentence."""
        try:
            self.api.delete_repo(self.name, missing_ok=True)
        except HUB_ERRORS:
            return (
                f"An empty repository {self.name} may be left on the Hub: publish to it again, which fills it, or "
                f"delete it at {self._url}/settings."
            )
        return "Nothing is left on the Hub; try again."

    def _closed(self) -> str:
        """Close the pull request that this attempt opened; a sentence."""
        try:
            self.api.change_discussion_status(self.name, self.request or 0, "closed")
        except HUB_ERRORS:
            return f"The pull request {self._url}/discussions/{self.request} is still open: do not merge it."
        return f"The pull request was closed; {self.name} is as it was."

    def _landed(self, as_request: bool) -> Published | None:
        """Whether the commit arrived although its answer did not."""
        with suppress(*HUB_ERRORS):
            if as_request:
                return self._open_request()
            info = self.api.model_info(self.name, files_metadata=True, timeout=TIMEOUT_S)
            digests = {file.rfilename: file.lfs.sha256 for file in info.siblings or [] if file.lfs}
            if info.sha and digests.get(WEIGHTS) == self.staged.weights_sha256:
                return Published(self.name, self._url, info.sha, self.staged.weights_sha256, False)
        return None

    def _open_request(self) -> Published | None:
        """An open pull request with the same weights."""
        with suppress(*HUB_ERRORS):
            for found in self.api.get_repo_discussions(
                self.name, discussion_type="pull_request", discussion_status="open"
            ):
                if found.title == self.title and found.git_reference:
                    info = self.api.model_info(self.name, revision=found.git_reference, timeout=TIMEOUT_S)
                    return Published(self.name, found.url, str(info.sha), self.staged.weights_sha256, True)
        return None

    # --- words ---

    @property
    def _url(self) -> str:
        return f"{self.api.endpoint}/{self.name}"

    def _same(self, name: str, there: RepoFile | None) -> bool:
        if there is None:
            return False
        if there.lfs is not None:
            return there.lfs.sha256 == self.staged.sha256[name]
        return there.blob_id == _git_sha1(self.staged.folder / name)

    def _failed(self, error: Exception, left: str) -> PublishError:
        return PublishError(f"{explained(error, self.name)} {left}".strip())


def _git_sha1(path: Path) -> str:
    """Git's name for the content of a file."""
    body = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(body) + body, usedforsecurity=False).hexdigest()
