"""The Hub's side of publishing: one commit, there as a whole or not at all, and checked before it is announced."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, ModelInfo
from huggingface_hub.errors import RepositoryNotFoundError

from eftclip.errors import PublishError
from eftclip.publish.client import HUB_ERRORS, NO_TOKEN, TIMEOUT_S, explain_hub_error, may_have_arrived
from eftclip.publish.staging import Staged
from eftclip.publish.verify import wrong_files
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
    unsure: bool = False  # a commit was sent, and nobody knows whether it arrived
    request: int | None = None  # the pull request that was opened
    filled: str = ""  # the commit in a repository that was there and empty

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
            left = self._taken_away() if may_have_arrived(error) else "Nothing was changed."
            raise self._failed(error, left) from None
        self.made = True

    def commit(self, info: ModelInfo | None) -> Published:
        """All files at once."""
        names = {file.rfilename for file in (info.siblings or [] if info else [])}
        as_request = not names <= {OWN_FILE}
        if as_request and info is not None and (earlier := self._already_there(info) or self._open_request()):
            return earlier
        operations = [
            CommitOperationAdd(path_in_repo=path.name, path_or_fileobj=path)
            for path in sorted(self.staged.folder.iterdir())
        ]
        try:
            done = self.api.create_commit(self.name, operations, commit_message=self.title, create_pr=as_request)
        except HUB_ERRORS as error:
            self.unsure = may_have_arrived(error)
            if (landed := self._landed(as_request)) is None:
                raise self._failed(error, "") from None
        else:
            self.unsure = True  # until it was compared, it is not said to be there
            self.request = done.pr_num if as_request else None
            url = done.pr_url if as_request and done.pr_url else self._url
            landed = Published(self.name, url, done.oid, self.staged.weights_sha256, as_request)
        if not as_request and not self.made:
            self.filled = landed.revision
        return landed

    def compare(self, done: Published) -> None:
        """Every file on the Hub with the one here, by the digests that the Hub states."""
        try:
            wrong = wrong_files(self.api, self.staged, done.revision)
        except HUB_ERRORS as error:
            raise self._failed(error, "What arrived could not be compared.") from None
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
            raise PublishError(f"{error} {self._undone()}") from None
        except BaseException:
            if self.made:
                self._taken_away()
            raise

    def _undone(self) -> str:
        """What this attempt changed is taken back; a sentence that says what is left."""
        if self.made:
            return self._taken_away()
        if self.request is not None:
            return self._closed()
        if self.filled:
            return self._emptied()
        if self.unsure:
            return f"{self.name} is as it was, unless the Hub still goes on with it: publish again, which finds that."
        return f"{self.name} is as it was."

    def _taken_away(self) -> str:
        """Delete the repository that this attempt made; a sentence."""
        try:
            self.api.delete_repo(self.name, missing_ok=True)
        except HUB_ERRORS:
            what, how = ("A repository", "fills or compares") if self.unsure else ("An empty repository", "fills")
            return (
                f"{what} {self.name} may be left on the Hub: publish to it again, which {how} it, or delete it at "
                f"{self._url}/settings."
            )
        return "Nothing is left on the Hub; try again."

    def _closed(self) -> str:
        """Close the pull request that this attempt opened; a sentence."""
        try:
            self.api.change_discussion_status(self.name, self.request or 0, "closed")
        except HUB_ERRORS:
            return f"The pull request {self._url}/discussions/{self.request} is still open: do not merge it."
        return f"The pull request was closed; {self.name} is as it was."

    def _emptied(self) -> str:
        """Take the files out of a repository again that was empty; a sentence."""
        files = [CommitOperationDelete(path_in_repo=name) for name in self.staged.sha256]
        try:
            self.api.create_commit(self.name, files, commit_message="Taken back: it did not arrive as it was sent")
        except HUB_ERRORS:
            commit = f"The commit {self.filled[:12]} of {self.name}"
            return f"{commit} must not be relied on: delete it ({self._url}/settings)."
        return f"The files were taken out of {self.name} again; try again."

    def _landed(self, as_request: bool) -> Published | None:
        """Whether the commit arrived although its answer did not."""
        with suppress(*HUB_ERRORS):
            if as_request:
                return self._open_request()
            info = self.api.model_info(self.name, files_metadata=True, timeout=TIMEOUT_S)
            digests = {file.rfilename: file.lfs.sha256 for file in info.siblings or [] if file.lfs}
            if info.sha and digests.get(self.staged.weights) == self.staged.weights_sha256:
                return Published(self.name, self._url, info.sha, self.staged.weights_sha256, False)
        return None

    def _already_there(self, info: ModelInfo) -> Published | None:
        """Whether an earlier attempt, of which only the end was lost, did everything."""
        with suppress(*HUB_ERRORS):
            if info.sha and not wrong_files(self.api, self.staged, info.sha):
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

    def _failed(self, error: Exception, left: str) -> PublishError:
        return PublishError(f"{explain_hub_error(error, self.name)} {left}".strip())
