"""CLIP repositories on the Hub by a part of their name, for whoever is still typing it: quick, or not at all."""

from collections.abc import Iterator
from typing import Any

from huggingface_hub import constants, get_session
from huggingface_hub.utils._headers import build_hf_headers

from eftclip.checkpoint.source import REPO_ID

SEARCH_TIMEOUT_S = 2.5  # who types does not wait longer
MOST_FOUND, MOST_ID_CHARS = 8, 193
# What most CLIP repositories are filed under; then those that only say which library reads them.
CLIP: tuple[dict[str, str], ...] = ({"pipeline_tag": "zero-shot-image-classification"}, {"filter": "open_clip"})


def search_hub(text: str, *, token: Any = False) -> tuple[str, ...] | None:
    """Repositories of CLIP checkpoints whose id has a text in it, the most downloaded first.

    Args:
        text: a part of `org/name`.
        token: of the caller; False for none at all, so that nobody's private repositories are told.

    Returns:
        at most `MOST_FOUND` ids; None where the Hub does not answer, is not asked, or sends something else.
    """
    if constants.HF_HUB_OFFLINE:
        return None
    found: dict[str, None] = {}
    try:
        for kind in CLIP:
            found |= dict.fromkeys(_ids(text, kind, token))
            if len(found) >= MOST_FOUND:
                break
    except Exception:  # the client's own and httpx2's; and what a mirror sends may be anything
        return tuple(found) or None
    return tuple(found)[:MOST_FOUND]


def _ids(text: str, kind: dict[str, str], token: Any) -> Iterator[str]:
    asked = {"search": text, "sort": "downloads", "limit": str(MOST_FOUND), **kind}
    answer = get_session().get(
        f"{constants.ENDPOINT}/api/models",
        params=asked,
        headers=build_hf_headers(token=token),
        timeout=SEARCH_TIMEOUT_S,
    )
    for item in answer.raise_for_status().json():
        named = str(item["id"])
        if len(named) <= MOST_ID_CHARS and REPO_ID.fullmatch(named):
            yield named
