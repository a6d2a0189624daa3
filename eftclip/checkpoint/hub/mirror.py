"""A mirror that `HF_ENDPOINT` names instead of the Hub: it is named where something fails, and asked once more."""

from contextlib import suppress

from huggingface_hub import ModelInfo, constants, get_session
from huggingface_hub.hf_api import BlobLfsInfo
from huggingface_hub.utils._headers import build_hf_headers

from eftclip.untrusted_text import one_line

HUBS = ("https://huggingface.co", "https://hf.co")


def asked_of(token: object) -> str:
    """The beginning of a sentence about what the Hub did: that it was a mirror; empty where it was the Hub itself.

    Args:
        token: False on a page that others can reach, who are not told the address.
    """
    if constants.ENDPOINT in HUBS:
        return ""
    if token is False:
        return "Asked of a mirror (HF_ENDPOINT): "
    scheme, colon, rest = constants.ENDPOINT.rpartition("://")
    host, slash, path = rest.partition("/")
    address = one_line(f"{scheme}{colon}{host.rpartition('@')[2]}{slash}{path}")  # without anybody's password
    return f"Asked of the mirror {address} (HF_ENDPOINT): "


def add_sizes(info: ModelInfo, repo_id: str, token: object, timeout_s: float) -> None:
    """Fill in sizes and digests that a summary leaves out, as mirrors' do, from the listing of the repository's top.

    Whatever goes wrong with that, the sizes stay unknown, and whoever needs them says so.

    Args:
        info: the summary of a commit.
        repo_id: `org/name`.
        token: of the caller.
        timeout_s: seconds without an answer or any byte of it.
    """
    unsized = {file.rfilename: file for file in info.siblings or [] if file.size is None}
    if not unsized:
        return
    with suppress(Exception):  # the client's own and httpx2's; and what a stranger's server sends may be anything
        url = f"{constants.ENDPOINT}/api/models/{repo_id}/tree/{info.sha}"
        headers = build_hf_headers(token=token)  # type: ignore[arg-type]
        answer = get_session().get(url, headers=headers, timeout=timeout_s)
        for item in answer.raise_for_status().json():
            file, size = unsized.get(item["path"]), item["size"]
            if file is None or item["type"] != "file" or not isinstance(size, int) or size < 0:
                continue
            large = item.get("lfs")
            if large:
                file.lfs = BlobLfsInfo(size=size, sha256=str(large["oid"]), pointer_size=0)
            file.size, file.blob_id = size, str(item["oid"])
