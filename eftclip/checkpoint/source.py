"""A source as typed to the files it holds: a local folder or file, or a Hub repository at one pinned commit."""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

import open_clip
from huggingface_hub import HfApi, ModelInfo, constants
from huggingface_hub.file_download import repo_folder_name

from eftclip.checkpoint.error_text import reason
from eftclip.checkpoint.hub.errors import HUB_TIMEOUT_S, explain_hub_error
from eftclip.checkpoint.hub.mirror import add_sizes, asked_of
from eftclip.checkpoint.weights import WEIGHT_SUFFIXES, holds_weights
from eftclip.errors import CheckpointError

HUB_PREFIX = "hf:"
HUB_HOSTS = ("huggingface.co", "hf.co")
ADDRESS = re.compile(
    r"https?://(?P<host>[^/]+)/(?P<repo>[^/?#]+/[^/?#]+)(?:/(?:tree|blob|resolve)/(?P<revision>[^/?#]+)[^?#]*)?/?(?:[?#].*)?"
)
COMMIT = re.compile(r"[0-9a-f]{40}")
DIGEST = re.compile(r"[0-9a-f]{64}|[0-9a-f]{40}")
REPO_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
LICENCE = re.compile(r"[\w.+-]{1,64}", re.ASCII)


@dataclass(frozen=True)
class Listing:
    """The files of a checkpoint, known by name and size before any of them is opened.

    Attributes:
        source: what the user typed.
        files: names at the top of the folder or repository, with their sizes in bytes.
        folder: the local folder; None while the files are still on the Hub.
        repo_id: `org/name` on the Hub; None for a local folder.
        revision: the commit, 40 hex digits; None for a local folder.
        from_cache: the Hub could not be asked; only what is on this machine is known.
        announced: digests that the Hub states: sha256 of its large files, git's sha1 of the others.
        licence: what the Hub states; None where it says nothing.
        gated: its files may be closed although they are listed.
        single: the source is one file; `folder` is where it lies.
        architecture: what the user says of weights that come alone: a name of open_clip's, or a folder.
    """

    source: str
    files: Mapping[str, int]
    folder: Path | None = None
    repo_id: str | None = None
    revision: str | None = None
    from_cache: bool = False
    announced: Mapping[str, str] = field(default_factory=dict)
    licence: str | None = None
    gated: bool = False
    single: bool = False
    architecture: str | None = None

    def __str__(self) -> str:
        """For error messages: the folder, or the repository with a short commit."""
        if self.revision is None:
            return self.source
        known = " (as far as it is on this machine; the Hub did not answer, so go online for the rest)"
        return f"{self.repo_id}@{self.revision[:12]}{known if self.from_cache else ''}"


def locate(source: str, token: str | None = None, architecture: str | None = None, name: str | None = None) -> Listing:
    """Find the files of a source; on the Hub, resolve its revision to a commit first.

    Args:
        source: a folder or a weight file, or a Hub repository in any of the ways that people write them.
        token: for private or gated repositories.
        architecture: see `Listing`.
        name: of a folder or a file of this machine, for whoever reads messages and reports; `source` when left out.

    Raises:
        CheckpointError: there is no such folder, file or repository, or the revision cannot be resolved.
    """
    if (named := hub_source(source)) is not None:
        return replace(_on_hub(source, *_parse(named), token), architecture=architecture)
    try:
        path = Path(source).expanduser()
        if source and path.is_dir():
            return Listing(name or source, file_sizes(path), folder=path, architecture=architecture)
        if source and path.is_file() and path.suffix in WEIGHT_SUFFIXES:
            return _of_file(name or source, path, architecture)
        found = "is a file" if source and path.exists() else "does not exist"
        if found == "does not exist" and _is_repository(source):
            return replace(_on_hub(source, *_parse(f"{HUB_PREFIX}{source}"), token), architecture=architecture)
    except (OSError, RuntimeError, ValueError) as error:  # no permission, ~nobody, a name that cannot be
        found = f"cannot be read ({reason(error)})"
    raise CheckpointError(_not_found(name or source, found))


def hub_source(text: str) -> str | None:
    """`hf:org/name[@revision]` for a Hub repository by `hf:`, `hf-hub:` or its address; None for anything else."""
    for prefix in (HUB_PREFIX, "hf-hub:"):
        if text.startswith(prefix):
            inner = text.removeprefix(prefix).strip()
            return hub_source(inner) or f"{HUB_PREFIX}{inner}"
    if not (address := ADDRESS.fullmatch(text)):
        return None
    if address["host"] not in {*HUB_HOSTS, urlsplit(constants.ENDPOINT).netloc}:
        return None
    revision = f"@{unquote(address['revision'])}" if address["revision"] else ""
    return f"{HUB_PREFIX}{address['repo']}{revision}"


def pin(source: str, token: str | None = None) -> str:
    """A Hub source at the commit that it names at this moment; anything else, and what is pinned already, as it is.

    Raises:
        CheckpointError: the revision cannot be resolved.
    """
    named = hub_source(source)
    if named is None or COMMIT.fullmatch(_parse(named)[1]):
        return source
    listing = locate(source, token)
    return f"{HUB_PREFIX}{listing.repo_id}@{listing.revision}"


def _of_file(source: str, path: Path, architecture: str | None) -> Listing:
    """A file and the texts beside it, which may state its architecture unless the user does; not the other weights."""
    beside = {} if architecture else file_sizes(path.parent)
    texts = {name: size for name, size in beside.items() if Path(name).suffix not in WEIGHT_SUFFIXES}
    files = {**texts, path.name: path.stat().st_size}
    return Listing(source, files, folder=path.parent, single=True, architecture=architecture)


def _is_repository(source: str) -> bool:
    """Whether `org/name` can only mean the Hub: a mistyped path of this machine is not sent to it."""
    repo_id = source.partition("@")[0]
    return bool(REPO_ID.fullmatch(repo_id)) and not Path(repo_id.partition("/")[0]).exists()


def _not_found(source: str, found: str) -> str:
    """What to do about a source that is none."""
    said = f"The checkpoint {source!r} {found}"
    if source in open_clip.list_models():
        return f"{said}: it is the name of an architecture, not of weights; name their folder, file or repository."
    if re.match(r"[A-Za-z]:[\\/]", source) and os.name != "nt":
        return f"{said}: it is a path of a Windows machine, and this one has none; give a path of this machine."
    if found == "is a file":
        return f"{said}, but none of {', '.join(WEIGHT_SUFFIXES)}; give a folder, a weight file, or hf:org/name."
    return f"{said}; give a folder, a weight file, or hf:org/name."


def _parse(source: str) -> tuple[str, str]:
    """`hf:org/name@revision` to repository and revision; `main` where none is given."""
    repo_id, at, revision = source.removeprefix(HUB_PREFIX).partition("@")
    if not REPO_ID.fullmatch(repo_id) or (at and not revision):
        raise CheckpointError(f"{source!r} does not name a Hub repository; write hf:org/name or hf:org/name@revision.")
    return repo_id, revision or "main"


def _on_hub(source: str, repo_id: str, revision: str, token: str | None) -> Listing:
    try:
        info = HfApi().model_info(repo_id, revision=revision, files_metadata=True, timeout=HUB_TIMEOUT_S, token=token)
        add_sizes(info, repo_id, token, HUB_TIMEOUT_S)
    except Exception as error:  # the client's own, httpx2's; and a stranger's card may make the client stumble anywhere
        # A commit never changes, so a cached copy of a pinned one is as good as the Hub's; a branch's may be stale.
        if COMMIT.fullmatch(revision) and (folder := _cached(repo_id, revision)):
            return Listing(
                source,
                file_sizes(folder),
                repo_id=repo_id,
                revision=revision,
                from_cache=True,
                announced=_cached_digests(folder),
            )
        raise explain_hub_error(error, repo_id, revision, token=token) from error
    if not COMMIT.fullmatch(info.sha or ""):
        raise CheckpointError(
            f"{asked_of(token)}The Hub did not say which commit {repo_id}@{revision} is; try again later."
        )
    return _listing_of(source, repo_id, info, token)


def _listing_of(source: str, repo_id: str, info: ModelInfo, token: str | None) -> Listing:
    """What the Hub says of a commit; only files at its top count, so a name is never a path."""
    top = [file for file in info.siblings or [] if not {"/", "\\"} & set(file.rfilename)]
    unsized = [file.rfilename for file in top if file.size is None]
    if unsized:
        raise CheckpointError(
            f"{asked_of(token)}The Hub did not say how large the files of {repo_id} are; try again later."
        )
    licence = info.card_data.get("license") if info.card_data else None
    return Listing(
        source,
        {file.rfilename: file.size or 0 for file in top},
        repo_id=repo_id,
        revision=info.sha,
        announced={file.rfilename: (file.lfs.sha256 if file.lfs else file.blob_id) or "" for file in top},
        licence=licence if isinstance(licence, str) and LICENCE.fullmatch(licence) else None,
        gated=bool(info.gated),
    )


def _cached(repo_id: str, commit: str) -> Path | None:
    """The cached copy of a commit, if its weights are there: they are fetched last. No request is made."""
    home = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repo_id, repo_type="model")
    folder = home / "snapshots" / commit
    try:
        return folder if folder.is_dir() and holds_weights(folder) else None
    except OSError:
        return None


def _cached_digests(folder: Path) -> dict[str, str]:
    """What the Hub stated when the files were downloaded: the cache names its contents by their digests."""
    found = {}
    for path in folder.iterdir():
        with suppress(OSError):  # a cache without symbolic links tells nothing
            if DIGEST.fullmatch(name := path.readlink().name):
                found[path.name] = name
    return found


def file_sizes(folder: Path) -> dict[str, int]:
    """The files at the top of a folder, with their sizes in bytes."""
    return {path.name: path.stat().st_size for path in sorted(folder.iterdir()) if path.is_file()}
