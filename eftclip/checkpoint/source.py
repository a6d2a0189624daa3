"""A source as typed to the files it holds: a local folder, or a Hub repository at one pinned commit."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
from huggingface_hub import HfApi, hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from eftclip.checkpoint.reason import reason
from eftclip.errors import CheckpointError

HUB_PREFIX = "hf:"
HUB_TIMEOUT_S = 30
PIN = "; a copy on this machine is used only when its commit is pinned (hf:org/name@ and 40 hex digits)"
COMMIT = re.compile(r"[0-9a-f]{40}")
REPO_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
# HfHubHTTPError is an OSError, but httpx2's connection errors are neither OSError nor HfHubHTTPError.
HUB_ERRORS = (HfHubHTTPError, httpx2.HTTPError, OSError, ValueError, RuntimeError)


@dataclass(frozen=True)
class Place:
    """The files of a checkpoint, known by name and size before any of them is opened.

    Attributes:
        source: what the user typed.
        files: names at the top of the folder or repository, with their sizes in bytes.
        folder: the local folder; None while the files are still on the Hub.
        repo_id: `org/name` on the Hub; None for a local folder.
        revision: the commit, 40 hex digits; None for a local folder.
        from_cache: the Hub could not be asked; only what is on this machine is known.
        announced: sha256 that the Hub states for its large files.
        licence: what the Hub states; None where it says nothing.
    """

    source: str
    files: Mapping[str, int]
    folder: Path | None = None
    repo_id: str | None = None
    revision: str | None = None
    from_cache: bool = False
    announced: Mapping[str, str] = field(default_factory=dict)
    licence: str | None = None

    def __str__(self) -> str:
        """For error messages: the folder, or the repository with a short commit."""
        if self.revision is None:
            return self.source
        known = " (as far as it is on this machine; the Hub did not answer)" if self.from_cache else ""
        return f"{self.repo_id}@{self.revision[:12]}{known}"


def locate(source: str, token: str | None = None) -> Place:
    """Find the files of a source; on the Hub, resolve its revision to a commit first.

    Raises:
        CheckpointError: there is no such folder or repository, or the revision cannot be resolved.
    """
    if source.startswith(HUB_PREFIX):
        return _on_hub(source, *_parse(source), token)
    try:
        folder = Path(source).expanduser()
        if source and folder.is_dir():
            return Place(source, _listing(folder), folder=folder)
        found = "is a file" if source and folder.exists() else "does not exist"
    except (OSError, RuntimeError, ValueError) as error:  # no permission, ~nobody, a name that cannot be
        found = f"cannot be read ({reason(error)})"
    raise CheckpointError(
        f"The checkpoint folder {source!r} {found}; give a folder in open_clip format, or hf:org/name."
    )


def pin(source: str, token: str | None = None) -> str:
    """A Hub source at the commit that it names at this moment; anything else, and what is pinned already, as it is.

    Raises:
        CheckpointError: the revision cannot be resolved.
    """
    if not source.startswith(HUB_PREFIX) or COMMIT.fullmatch(_parse(source)[1]):
        return source
    place = locate(source, token)
    return f"{HUB_PREFIX}{place.repo_id}@{place.revision}"


def fetch(place: Place, names: Sequence[str], token: str | None = None) -> Path:
    """Bring exactly the named files, those of them that exist, to a local folder.

    File by file: these requests have time limits, and a name is never a pattern that could match more.

    Raises:
        CheckpointError: the Hub refuses, or cannot be reached and the files are not in the cache.
    """
    if place.folder is not None:
        return place.folder
    paths = []
    for name in sorted(set(names) & set(place.files)):
        try:
            paths.append(Path(hf_hub_download(str(place.repo_id), name, revision=place.revision, token=token)))
        except HUB_ERRORS as error:
            raise _explained(error, str(place.repo_id), str(place.revision)) from error
    return paths[0].parent if paths else Path()


def _parse(source: str) -> tuple[str, str]:
    """`hf:org/name@revision` to repository and revision; `main` where none is given."""
    repo_id, at, revision = source.removeprefix(HUB_PREFIX).partition("@")
    if not REPO_ID.fullmatch(repo_id) or (at and not revision):
        raise CheckpointError(f"{source!r} does not name a Hub repository; write hf:org/name or hf:org/name@revision.")
    return repo_id, revision or "main"


def _on_hub(source: str, repo_id: str, revision: str, token: str | None) -> Place:
    try:
        info = HfApi().model_info(repo_id, revision=revision, files_metadata=True, timeout=HUB_TIMEOUT_S, token=token)
    except HUB_ERRORS as error:
        # A commit never changes, so a cached copy of a pinned one is as good as the Hub's; a branch's may be stale.
        if COMMIT.fullmatch(revision) and (folder := _cached(repo_id, revision)):
            return Place(source, _listing(folder), repo_id=repo_id, revision=revision, from_cache=True)
        raise _explained(error, repo_id, revision) from error
    if not COMMIT.fullmatch(info.sha or ""):
        raise CheckpointError(f"The Hub did not say which commit {repo_id}@{revision} is; try again later.")
    top = [file for file in info.siblings or [] if "/" not in file.rfilename]
    licence = info.card_data.get("license") if info.card_data else None
    return Place(
        source,
        {file.rfilename: file.size or 0 for file in top},
        repo_id=repo_id,
        revision=info.sha,
        announced={file.rfilename: file.lfs.sha256 for file in top if file.lfs},
        licence=licence if isinstance(licence, str) else None,
    )


def _cached(repo_id: str, commit: str) -> Path | None:
    """The cached copy of a commit, complete or not; no request is made."""
    config = try_to_load_from_cache(repo_id, "open_clip_config.json", revision=commit)
    return Path(config).parent if isinstance(config, str) else None


def _listing(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in sorted(folder.iterdir()) if path.is_file()}


def _explained(error: Exception, repo_id: str, revision: str) -> CheckpointError:
    """One sentence for whatever the Hub client raised: what happened and what to do."""
    if isinstance(error, LocalEntryNotFoundError) and isinstance(error.__cause__, Exception):
        error = error.__cause__  # "not in the cache either" hides what the Hub said
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
    name = f"{repo_id}@{revision}"
    if isinstance(error, HFValidationError):
        text = f"{repo_id!r} cannot be the name of a Hub repository: write hf:org/name."
    elif isinstance(error, GatedRepoError):
        text = f"{repo_id} is gated: accept its conditions on the Hub, then give a token that has access."
    elif isinstance(error, RepositoryNotFoundError):
        text = f"The Hub shows no model repository {repo_id}: check the name, or give a token if it is private."
    elif isinstance(error, RevisionNotFoundError):
        text = f"{repo_id} has no revision {revision!r}: name one of its branches, tags or commits."
    elif status in (401, 403):
        text = f"The Hub refused the token for {repo_id} ({status}): give a valid one that may read it, or none{PIN}."
    elif status is not None:
        text = f"The Hub answered {status} for {name}: try again later{PIN}."
    elif isinstance(error, OfflineModeIsEnabled | LocalEntryNotFoundError):
        text = f"{name} is not on this machine and the Hub is switched off (HF_HUB_OFFLINE): go online{PIN}."
    else:
        text = f"{name} could not be had from the Hub ({reason(error)}): check the connection{PIN}."
    return CheckpointError(text)
