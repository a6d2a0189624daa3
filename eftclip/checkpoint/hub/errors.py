"""What went wrong between this machine and the Hub, each case in one sentence that says what to do."""

import errno
from collections.abc import Mapping
from pathlib import Path

import httpx2
from huggingface_hub import constants
from huggingface_hub.errors import (
    DisabledRepoError,
    EntryNotFoundError,
    FileMetadataError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.file_download import repo_folder_name

from eftclip.checkpoint.error_text import reason
from eftclip.checkpoint.hub.mirror import asked_of
from eftclip.checkpoint.weights import holds_weights
from eftclip.errors import CheckpointError
from eftclip.retry_after import when

HUB_TIMEOUT_S = 30  # without any answer or any byte
BROKEN_OFF = (httpx2.ReadError, httpx2.WriteError, httpx2.RemoteProtocolError)
CUT_SHORT = ("Consistency check", "size mismatch")  # the client's own words, and hf_xet's
AT_HOME = "run EftCLIP on a machine of your own, as this page uses nobody's token to read"
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)


def explain_hub_error(
    error: Exception, repo_id: str, revision: str, *, file: str = "", token: object = None
) -> CheckpointError:
    """One sentence for whatever the Hub's client raised.

    Args:
        error: what it raised.
        repo_id: `org/name`.
        revision: as asked for.
        file: that was to be downloaded; empty where only the repository was asked for.
        token: False on a page that others can reach, who are not told what else is on this machine.
    """
    if isinstance(error, LocalEntryNotFoundError) and isinstance(error.__cause__, Exception):
        error = error.__cause__  # "not in the cache either" hides what the Hub said
    status, headers = http_status(error), http_headers(error)
    name = f"{repo_id}@{revision[:12] if len(revision) == 40 else revision}"
    copy = "" if file or token is False else _copy_here(repo_id, revision)
    public = token is False
    if isinstance(error, HFValidationError):
        return CheckpointError(f"{repo_id!r} cannot be the name of a Hub repository: write hf:org/name.")
    if isinstance(error, GatedRepoError):
        what = AT_HOME if public else "accept its conditions on the Hub, then give a token that has access (HF_TOKEN)"
        text = f"{repo_id} is gated: {what}."
    elif isinstance(error, DisabledRepoError):
        text = f"The Hub has closed the repository {repo_id}: choose another."
    elif isinstance(error, RepositoryNotFoundError):
        what = AT_HOME if public else "give a token (HF_TOKEN)"
        text = f"The Hub shows no model repository {repo_id}: check the name; if it is private, {what}."
    elif isinstance(error, RevisionNotFoundError):
        text = f"{repo_id} has no revision {revision!r}: name one of its branches, tags or commits."
    elif isinstance(error, EntryNotFoundError) and status is not None:
        text = f"{name}: the Hub lists {file}, but does not have it; choose another revision."
    elif status in (401, 403):
        text = f"The Hub refused the token for {repo_id} ({status}): give a valid one that may read it, or none{copy}."
    elif status == 429:
        text = f"The Hub asks to wait (429, too many requests): try again {when(headers)}{copy}."
    elif status is not None:
        text = f"The Hub answered {status} for {name}: try again {when(headers, 'later')}{copy}."
    elif isinstance(error, OfflineModeIsEnabled | LocalEntryNotFoundError):
        return CheckpointError(
            f"The Hub is switched off here (HF_HUB_OFFLINE), and {name} is not all on this machine: go online{copy}."
        )
    else:
        text = _of_the_line(error, name, file, copy)
    return CheckpointError(f"{asked_of(token)}{text}")


def http_status(error: Exception) -> int | None:
    """The status that the Hub answered; None where it did not."""
    return error.response.status_code if isinstance(error, HfHubHTTPError) else None


def http_headers(error: Exception) -> Mapping[str, str]:
    """The headers of that answer, by names in lower case."""
    return error.response.headers if isinstance(error, HfHubHTTPError) else {}


def _of_the_line(error: Exception, name: str, file: str, copy: str) -> str:
    """The Hub refused nothing: the connection, the disk or the client failed."""
    what = f"{name}: {file}" if file else name
    code = error.errno if isinstance(error, OSError) else None
    if code in NO_ROOM:
        return f"{what} could not be kept: the disk of this machine is full ({reason(error)}); make room."
    if code in NOT_WRITABLE:
        return (
            f"{what} could not be kept: the Hub's cache on this machine cannot be written; set HF_HOME to one that can."
        )
    if isinstance(error, httpx2.TimeoutException):
        return f"The Hub stopped answering while it was asked for {what}: try again later{copy}."
    if isinstance(error, FileMetadataError):
        return (
            f"{what} could not be had from the Hub ({reason(error)}): something in between answers without the Hub's "
            "headers; name a mirror that passes them on, or go round it."
        )
    if file and (isinstance(error, BROKEN_OFF) or any(sign in str(error) for sign in CUT_SHORT)):
        return f"{what} broke off on its way from the Hub ({reason(error)}); nothing half is kept, so try again."
    return f"{what} could not be had from the Hub ({reason(error)}): check the connection{copy}."


def _copy_here(repo_id: str, revision: str) -> str:
    """How to get on with the newest copy on this machine; empty without one.

    A branch may have moved on, so what was its copy is not taken for it.
    """
    try:
        folder = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repo_id, repo_type="model") / "snapshots"
        copies = {path.name: path.stat().st_mtime for path in folder.iterdir() if holds_weights(path)}
        if (folder / revision).is_dir() and revision not in copies:
            return "; of this commit only a part is on this machine"
        newest = max(copies, key=lambda commit: copies[commit])
    except (OSError, ValueError):
        return ""
    return f"; the copy on this machine may be old, and is used when its commit is named: hf:{repo_id}@{newest}"
