"""A data-set repository on the Hub at one pinned commit: what lies in it, and the way to the bytes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, cast

import httpx2
from huggingface_hub import HfApi, HfFileSystem, get_hf_file_metadata, hf_hub_url
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoFile

from eftclip.data.folders import is_hidden
from eftclip.data.sets.base import MAX_BYTES, read_bounded, reason, too_large
from eftclip.errors import DataError, MissingError
from eftclip.retry_after import when
from eftclip.untrusted_text import one_line

HUB_PREFIX = "hf:"
HUB_TIMEOUT_S = 30
SHORT_LISTING = 50_000  # the Hub's summary of a repository may leave out files beyond this many
COMMIT = re.compile(r"[0-9a-f]{40}")
REPO_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)


class UnansweredError(DataError):
    """The Hub stopped giving files: no fault of any one of them."""


@dataclass(frozen=True)
class Repository:
    """The visible files of a data set at one commit.

    Attributes:
        repo_id: `org/name`.
        commit: 40 hex digits.
        files: sizes in bytes by path.
        hidden: hidden files, which are never looked into.
        card: metadata of its README, written by a stranger.
        gated: its files may be closed although they are listed.
        token: of the visitor.
        system: reads files without keeping them.
    """

    repo_id: str
    commit: str
    files: Mapping[str, int]
    hidden: tuple[str, ...]
    card: Mapping[str, object]
    gated: bool
    token: str | None = field(repr=False)
    system: HfFileSystem = field(repr=False)

    def address(self, path: str) -> str:
        """Where fsspec, and whatever is built on it, finds a file."""
        return f"hf://datasets/{self.repo_id}@{self.commit}/{path}"

    def open(self, path: str) -> IO[bytes]:
        """A file as a stream that is read once, from front to back; a break is mended once for each piece."""
        return cast(IO[bytes], self.system.open(self.address(path), "rb", block_size=0))

    def read(self, path: str) -> bytes:
        """The bytes of a picture file.

        Raises:
            MissingError: there is no such file.
            UnansweredError: the Hub does not give it.
            DataError: it is empty or too large.
        """
        shown = one_line(path)
        if path not in self.files:
            raise MissingError(f"{shown} is not there; add the file, or leave it out of the set.")
        if self.files[path] > MAX_BYTES:
            raise too_large(shown)
        try:
            with self.open(path) as stream:
                return read_bounded(stream, shown)
        except DataError:
            raise
        except Exception as error:  # the client's own, httpx2's, fsspec's: they share no base
            if isinstance(error, EntryNotFoundError):
                raise MissingError(f"{shown} is listed, but the Hub does not have it; upload it again.") from error
            raise self.explain(error, path) from error

    def check_access(self, path: str) -> None:
        """See that a gated file may be read, without reading it.

        Raises:
            UnansweredError: it may not.
        """
        try:
            url = hf_hub_url(self.repo_id, path, repo_type="dataset", revision=self.commit)
            get_hf_file_metadata(url, token=self.token, timeout=HUB_TIMEOUT_S)
        except Exception as error:  # as above
            raise self.explain(error, path) from error

    def explain(self, error: Exception, path: str) -> UnansweredError:
        """One sentence for whatever reading a file raised."""
        return _explained(error, self.repo_id, self.commit[:12], path.removeprefix(self.address("")))


def find_repository(source: str, token: str | None) -> Repository:
    """Resolve a source to a commit and list its files.

    Args:
        source: `hf:org/name` or `hf:org/name@revision`.
        token: for a private or gated data set; None for the one of this machine, if it has one.

    Raises:
        DataError: there is no such data set or revision, or the Hub does not answer.
    """
    repo_id, at, revision = source.removeprefix(HUB_PREFIX).partition("@")
    if not REPO_ID.fullmatch(repo_id) or (at and not revision):
        raise DataError(f"{one_line(source)!r} names no Hub data set; write hf:org/name or hf:org/name@revision.")
    revision = revision or "main"
    api = HfApi(token=token)
    try:
        info = api.dataset_info(repo_id, revision=revision, files_metadata=True, timeout=HUB_TIMEOUT_S)
        commit, files = info.sha or "", {file.rfilename: file.size or 0 for file in info.siblings or []}
        if len(files) >= SHORT_LISTING:
            tree = api.list_repo_tree(repo_id, recursive=True, revision=commit, repo_type="dataset")
            files = {file.path: file.size for file in tree if isinstance(file, RepoFile)}
        card = info.card_data.to_dict() if info.card_data else {}
    except Exception as error:  # as above; and a stranger's card may make the client stumble anywhere
        raise _explained(error, repo_id, revision) from error
    if not COMMIT.fullmatch(commit):
        raise DataError(f"The Hub did not say which commit {repo_id}@{revision} is; try again later.")
    visible = {path: size for path, size in files.items() if not is_hidden(path)}
    # An instance of its own: the shared ones are kept for ever, with the visitor's token and all listings in them.
    system = HfFileSystem(token=token, skip_instance_cache=True)
    hidden = tuple(path for path in files if path not in visible)
    return Repository(repo_id, commit, visible, hidden, card, bool(info.gated), token, system)


def _explained(error: Exception, repo_id: str, revision: str, path: str = "") -> UnansweredError:
    """One sentence for whatever the Hub's client raised: what happened and what to do."""
    error = _from_hub(error)
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
    name = f"{repo_id}@{one_line(revision)}"
    if isinstance(error, HFValidationError):
        text = f"{repo_id!r} cannot be the name of a Hub data set: write hf:org/name."
    elif isinstance(error, GatedRepoError):
        text = f"{repo_id} is gated: accept its conditions on the Hub, then give a token that has access."
    elif isinstance(error, RepositoryNotFoundError):
        text = f"The Hub shows no data set {repo_id}: check the name, or give a token if it is private."
    elif isinstance(error, RevisionNotFoundError):
        text = f"{repo_id} has no revision {one_line(revision)!r}: name one of its branches, tags or commits."
    elif status in (401, 403):
        text = f"The Hub refused the token for {repo_id} ({status}): give a valid one that may read it, or none."
    elif isinstance(error, HfHubHTTPError):
        text = f"The Hub answered {status} for {name}: try again {when(error.response.headers, 'later')}."
    elif isinstance(error, OfflineModeIsEnabled):
        text = f"{name} is read from the Hub, which is switched off (HF_HUB_OFFLINE): go online."
    else:
        of = f"{one_line(path)} of " if path else ""
        text = f"{of}{name} could not be read from the Hub ({reason(error)}): check the connection and the file."
    return UnansweredError(text)


def _from_hub(error: Exception) -> Exception:
    """What the Hub's client raised, however it was wrapped on its way here."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, HfHubHTTPError | httpx2.HTTPError | OfflineModeIsEnabled | HFValidationError):
            return cause
        cause = cause.__cause__ or cause.__context__
    return error
