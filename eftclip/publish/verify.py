"""Whether the files on the Hub are the ones here, by the digests that the Hub states."""

from huggingface_hub import HfApi
from huggingface_hub.hf_api import RepoFile

from eftclip.checkpoint.digests import git_sha1_of
from eftclip.publish.staging import Staged


def wrong_files(api: HfApi, staged: Staged, revision: str) -> list[str]:
    """Names of the staged files that are not the same at a revision; whatever the client raises is let through."""
    files = api.get_paths_info(staged.repo_id, sorted(staged.sha256), revision=revision)
    there = {file.path: file for file in files if isinstance(file, RepoFile)}
    return [name for name in staged.sha256 if not _same(staged, name, there.get(name))]


def _same(staged: Staged, name: str, there: RepoFile | None) -> bool:
    if there is None:
        return False
    if there.lfs is not None:
        return there.lfs.sha256 == staged.sha256[name]
    return there.blob_id == git_sha1_of(staged.folder / name)
