"""From the Hub to this machine: only named files, only as much as is announced, and only the announced bytes."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import httpx2
from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import GatedRepoError

from eftclip.checkpoint.digests import git_sha1_of, sha256_of
from eftclip.checkpoint.hub.errors import HUB_TIMEOUT_S, explain_hub_error, http_headers, http_status
from eftclip.checkpoint.hub.mirror import asked_of
from eftclip.checkpoint.source import Listing
from eftclip.checkpoint.weights import WeightFile
from eftclip.errors import CheckpointError
from eftclip.retry_after import wait_s


def oversized(listing: Listing, limits: Mapping[str, float]) -> list[str]:
    """A sentence for each text file that is larger than any checkpoint needs it to be.

    Args:
        listing: the files there are.
        limits: names of text files, each with its largest size in MB.
    """
    found = {name: listing.files[name] / 1e6 for name in sorted(limits) if name in listing.files}
    return [
        f"{listing}: {name} has {size:,.0f} MB, and of such a file no more than {limits[name]:g} MB "
        "are ever read; choose another checkpoint."
        for name, size in found.items()
        if size > limits[name]
    ]


def check_weights_size(listing: Listing, weights: WeightFile, max_gb: float | None) -> None:
    """Refuse weights that are larger than whoever owns this machine allows.

    Raises:
        CheckpointError: they are.
    """
    found = sum(listing.files.get(name, 0) for name in weights.files) / 1e9
    if max_gb is not None and found > max_gb:
        raise CheckpointError(
            f"{listing}: {weights.name} has {found:,.2f} GB, and no more than {max_gb:g} GB are loaded here; run "
            f"EftCLIP on a machine of your own, where nothing is limited: `eftclip check … --checkpoint "
            f"{listing.source}`."
        )


def fetch_texts(listing: Listing, limits: Mapping[str, float], token: str | None = None) -> Path:
    """Bring the named small files, those of them that exist, to a local folder, and see that they are the announced.

    File by file: these requests have time limits, and a name is never a pattern that could match more.

    Args:
        listing: the files there are.
        limits: names of text files, each with its largest size in MB.
        token: for a private or gated repository.

    Raises:
        CheckpointError: one is too large, the Hub refuses, or cannot be reached and the files are not in the cache.
    """
    if refused := oversized(listing, limits):
        raise CheckpointError(refused[0])
    if listing.folder is not None:
        return listing.folder
    folder = Path()
    for name in sorted(set(limits) & set(listing.files)):
        path = _download(listing, name, token)
        if not _as_announced(listing, name, path):  # a copy that was spoiled on this machine is replaced, once
            evict(path)
            path = _download(listing, name, token)
        if not _as_announced(listing, name, path):
            evict(path)
            raise _other_file(listing, name, token)
        folder = path.parent
    return folder


def fetch_weights(listing: Listing, weights: WeightFile, token: str | None = None) -> list[Path]:
    """Bring the weights to a local folder; whether they are the announced ones is seen when they are read.

    Raises:
        CheckpointError: the Hub refuses, or cannot be reached and a file is not in the cache.
    """
    if listing.folder is not None:
        return [listing.folder / name for name in weights.files]
    return [_fetch_whole(listing, name, token) for name in weights.files]


def _fetch_whole(listing: Listing, name: str, token: str | None) -> Path:
    path = _download(listing, name, token)
    if path.stat().st_size != listing.files[name]:
        evict(path)
        path = _download(listing, name, token)
    return path


def evict(path: Path) -> None:
    """Take a file that is not what it should be out of the Hub's cache, so that the next attempt gets it anew."""
    with suppress(OSError):
        if path.is_symlink():
            (path.parent / path.readlink()).unlink()
        path.unlink()


def _download(listing: Listing, name: str, token: str | None) -> Path:
    """One file, from the cache of this machine if it is there."""
    repo_id, revision = str(listing.repo_id), str(listing.revision)
    try:
        if listing.gated or not isinstance(try_to_load_from_cache(repo_id, name, revision=revision), str):
            _ask_first(listing, name, token)
        path = Path(hf_hub_download(repo_id, name, revision=revision, token=token))
    except CheckpointError:
        raise
    except Exception as error:  # as in source.py
        raise explain_hub_error(error, repo_id, revision, file=name, token=token) from error
    with suppress(OSError):
        os.utime(path.parent)  # when it was used last; access times are switched off on many machines
    return path


def _ask_first(listing: Listing, name: str, token: str | None) -> None:
    """Hear at once that the Hub hangs or asks to wait: the client would ask six more times, or sleep as it is told.

    And whether it may be read at all: a copy that was fetched with the owner's token is not everybody's. Whatever else
    goes wrong is left to the client, which tries again.

    Raises:
        CheckpointError: the file has not the size that was announced, and all limits are held against that.
    """
    url = hf_hub_url(str(listing.repo_id), name, revision=listing.revision)
    try:
        size = get_hf_file_metadata(url, token=token, timeout=HUB_TIMEOUT_S).size
    except Exception as error:
        busy = http_status(error) == 429 or wait_s(http_headers(error)) is not None
        if busy or isinstance(error, httpx2.TimeoutException | GatedRepoError):
            raise
        return
    if size not in (None, listing.files[name]):
        raise _other_file(listing, name, token)


def _other_file(listing: Listing, name: str, token: str | None) -> CheckpointError:
    said = f"{listing}: {name} is not the file that the Hub announced; try again later."
    return CheckpointError(f"{asked_of(token)}{said}")


def _as_announced(listing: Listing, name: str, path: Path) -> bool:
    """By sha256 as for the Hub's large files, or by git's sha1; true where nothing was announced."""
    announced = listing.announced.get(name)
    if not announced:
        return True
    return announced == (sha256_of(path) if len(announced) == 64 else git_sha1_of(path))
