"""From the Hub to this machine: only named files, only as much as is announced, and only the announced bytes."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import httpx2
from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import GatedRepoError

from eftclip.checkpoint.digests import git_sha1_of, sha256_of
from eftclip.checkpoint.hub_errors import HUB_TIMEOUT_S, explain_hub_error, http_headers, http_status
from eftclip.checkpoint.source import Place
from eftclip.errors import CheckpointError
from eftclip.retry_after import wait_s

# Several times the largest that are published: a Gemma tokenizer has 34 MB, a configuration some 2 kB.
MOST_TEXT_MB = 50.0
MOST_MB = {"open_clip_config.json": 1.0, "README.md": 1.0, "tokenizer_config.json": 10.0}


def oversized(place: Place, names: Sequence[str]) -> list[str]:
    """A sentence for each of the named text files that is larger than any checkpoint needs it to be."""
    found = {name: place.files[name] / 1e6 for name in sorted(set(names) & set(place.files))}
    return [
        f"{place}: {name} has {size:,.0f} MB, and of such a file no more than {MOST_MB.get(name, MOST_TEXT_MB):g} MB "
        "are ever read; choose another checkpoint."
        for name, size in found.items()
        if size > MOST_MB.get(name, MOST_TEXT_MB)
    ]


def check_weights_size(place: Place, name: str, max_gb: float | None) -> None:
    """Refuse weights that are larger than whoever owns this machine allows.

    Raises:
        CheckpointError: they are.
    """
    found = place.files.get(name, 0) / 1e9
    if max_gb is not None and found > max_gb:
        raise CheckpointError(
            f"{place}: {name} has {found:,.2f} GB, and no more than {max_gb:g} GB are loaded here; run EftCLIP on a "
            f"machine of your own, where nothing is limited: `eftclip check … --checkpoint {place.source}`."
        )


def fetch_texts(place: Place, names: Sequence[str], token: str | None = None) -> Path:
    """Bring the named small files, those of them that exist, to a local folder, and see that they are the announced.

    File by file: these requests have time limits, and a name is never a pattern that could match more.

    Raises:
        CheckpointError: one is too large, the Hub refuses, or cannot be reached and the files are not in the cache.
    """
    if refused := oversized(place, names):
        raise CheckpointError(refused[0])
    if place.folder is not None:
        return place.folder
    folder = Path()
    for name in sorted(set(names) & set(place.files)):
        path = _download(place, name, token)
        if not _as_announced(place, name, path):  # a copy that was spoiled on this machine is replaced, once
            evict(path)
            path = _download(place, name, token)
        if not _as_announced(place, name, path):
            evict(path)
            raise CheckpointError(f"{place}: {name} is not the file that the Hub announced; try again later.")
        folder = path.parent
    return folder


def fetch_weights(place: Place, name: str, token: str | None = None) -> Path:
    """Bring the weights to a local folder; whether they are the announced ones is seen when they are read.

    Raises:
        CheckpointError: the Hub refuses, or cannot be reached and the file is not in the cache.
    """
    if place.folder is not None:
        return place.folder / name
    path = _download(place, name, token)
    if path.stat().st_size != place.files[name]:
        evict(path)
        path = _download(place, name, token)
    return path


def evict(path: Path) -> None:
    """Take a file that is not what it should be out of the Hub's cache, so that the next attempt gets it anew."""
    with suppress(OSError):
        if path.is_symlink():
            (path.parent / path.readlink()).unlink()
        path.unlink()


def _download(place: Place, name: str, token: str | None) -> Path:
    """One file, from the cache of this machine if it is there."""
    repo_id, revision = str(place.repo_id), str(place.revision)
    try:
        if place.gated or not isinstance(try_to_load_from_cache(repo_id, name, revision=revision), str):
            _ask_first(place, name, token)
        path = Path(hf_hub_download(repo_id, name, revision=revision, token=token))
    except CheckpointError:
        raise
    except Exception as error:  # as in source.py
        raise explain_hub_error(error, repo_id, revision, file=name, token=token) from error
    with suppress(OSError):
        os.utime(path.parent)  # when it was used last; access times are switched off on many machines
    return path


def _ask_first(place: Place, name: str, token: str | None) -> None:
    """Hear at once that the Hub hangs or asks to wait: the client would ask six more times, or sleep as it is told.

    And whether it may be read at all: a copy that was fetched with the owner's token is not everybody's. Whatever else
    goes wrong is left to the client, which tries again.

    Raises:
        CheckpointError: the file has not the size that was announced, and all limits are held against that.
    """
    url = hf_hub_url(str(place.repo_id), name, revision=place.revision)
    try:
        size = get_hf_file_metadata(url, token=token, timeout=HUB_TIMEOUT_S).size
    except Exception as error:
        busy = http_status(error) == 429 or wait_s(http_headers(error)) is not None
        if busy or isinstance(error, httpx2.TimeoutException | GatedRepoError):
            raise
        return
    if size not in (None, place.files[name]):
        raise CheckpointError(f"{place}: {name} is not the file that the Hub announced; try again later.")


def _as_announced(place: Place, name: str, path: Path) -> bool:
    """By sha256 as for the Hub's large files, or by git's sha1; true where nothing was announced."""
    announced = place.announced.get(name)
    if not announced:
        return True
    return announced == (sha256_of(path) if len(announced) == 64 else git_sha1_of(path))
