"""Safetensors of the Hub without their values: what a file begins with, names and shapes, is a few kilobytes.

https://huggingface.co/docs/safetensors: eight bytes with the length of a header, the header, then the values.
"""

from pathlib import Path
from typing import Any

from huggingface_hub import get_session, hf_hub_url
from huggingface_hub.utils._headers import build_hf_headers

from eftclip.checkpoint.hub.errors import HUB_TIMEOUT_S
from eftclip.checkpoint.source import Listing
from eftclip.checkpoint.weights import WeightFile
from eftclip.errors import CheckpointError

LENGTH = 8
MOST_HEADER = 25_000_000  # bytes, the largest that huggingface_hub reads as well


def fetch_headers(listing: Listing, weights: WeightFile, token: str | None, home: Path) -> list[Path] | None:
    """Files with the beginning and the size of those on the Hub, and holes where the values would be.

    Args:
        listing: of a repository.
        weights: its safetensors.
        token: for a private or gated repository.
        home: a folder for them, of this call alone.

    Returns:
        None where the Hub does not answer such questions just now: then the loading will tell.

    Raises:
        CheckpointError: a file does not begin as safetensors do.
    """
    paths = []
    for name in weights.files:
        beginning = _beginning(listing, name, token)
        if beginning is None:
            return None
        paths.append(home / Path(name).name)
        with paths[-1].open("wb") as file:
            file.write(beginning)
            file.truncate(max(listing.files[name], len(beginning)))
    return paths


def _beginning(listing: Listing, name: str, token: str | None) -> bytes | None:
    first = _part(listing, name, token, 0, LENGTH)
    if first is None:
        return None
    length = int.from_bytes(first, "little")
    if len(first) < LENGTH or not 0 < length <= MOST_HEADER:
        raise CheckpointError(f"{listing}: {name} is damaged; it does not begin as safetensors do. Get another one.")
    header = _part(listing, name, token, LENGTH, length)
    return None if header is None else first + header


def _part(listing: Listing, name: str, token: Any, start: int, count: int) -> bytes | None:
    """So many bytes from there; a server that sends all of the file is not listened to."""
    url = hf_hub_url(str(listing.repo_id), name, revision=listing.revision)
    headers = {**build_hf_headers(token=token), "Range": f"bytes={start}-{start + count - 1}"}
    try:
        with get_session().stream("GET", url, headers=headers, timeout=HUB_TIMEOUT_S, follow_redirects=True) as answer:
            if answer.status_code != 206 or int(answer.headers.get("Content-Length", count)) > count:
                return None
            return bytes(answer.read()[:count])
    except Exception:  # the client's own and httpx2's; whatever it is, the loading meets it again and explains it
        return None
