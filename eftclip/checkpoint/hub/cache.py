"""The Hub's cache on this machine: what is in use stays, and the rest can be held below a bound."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from huggingface_hub import CachedRepoInfo, DeleteCacheStrategy, HFCacheInfo, constants, scan_cache_dir
from huggingface_hub.file_download import repo_folder_name

if sys.platform != "win32":
    import fcntl

LOCK = "eftclip.lock"


@contextmanager
def in_use(repo_id: str | None) -> Iterator[None]:
    """While files of a repository are fetched and read, nothing of it is pruned, by no other process either.

    Args:
        repo_id: `org/name`; None for a local folder, which is nobody's to prune.
    """
    with ExitStack() as held:
        if repo_id is not None:
            folder = repo_folder_name(repo_id=repo_id, repo_type="model")
            lock = Path(constants.HF_HUB_CACHE) / ".locks" / folder / LOCK
            with suppress(OSError):  # a cache that cannot be written cannot be pruned either
                lock.parent.mkdir(parents=True, exist_ok=True)
                _hold(lock, held, alone=False)
        yield


def prune_cache(most_gb: float) -> int:
    """Delete what was used least recently of the checkpoints in the Hub's cache, until they take no more than a bound.

    Only repositories are touched and counted that EftCLIP loaded or looked at: no data sets, no other models. What is
    in use at this moment stays, so it may be that more is left. For a page that others can reach; on a machine of
    one's own the cache is its owner's.

    Args:
        most_gb: what may be left, in 10⁹ bytes.

    Returns:
        bytes that were freed.
    """
    root = Path(constants.HF_HUB_CACHE).expanduser().resolve()
    if sys.platform == "win32" or not root.is_dir():
        return 0
    with ExitStack() as held:
        locks = sorted(root.glob(f".locks/models--*/{LOCK}"))
        ours = {root / lock.parent.name for lock in locks}
        idle = {root / lock.parent.name for lock in locks if _hold(lock, held, alone=True)}
        found = scan_cache_dir(root)
        sound = [repo for repo in found.repos if repo.repo_path in ours]
        freed = _delete_remains(found, idle)
        excess = sum(repo.size_on_disk for repo in sound) - most_gb * 1e9
        return freed + _delete_oldest(found, [repo for repo in sound if repo.repo_path in idle], excess)


def _delete_remains(found: HFCacheInfo, idle: set[Path]) -> int:
    """Delete what nobody can use: downloads that were broken off, and repositories with holes in them."""
    freed = 0
    for file in found.incomplete_files:
        if file.file_path.parents[1] in idle:
            file.file_path.unlink(missing_ok=True)
            freed += file.size_on_disk
    for folder in idle - {repo.repo_path for repo in found.repos}:
        freed += sum(path.stat().st_size for path in folder.glob("blobs/*") if path.is_file())
        shutil.rmtree(folder, ignore_errors=True)
    return freed


def _delete_oldest(found: HFCacheInfo, idle: list[CachedRepoInfo], excess: float) -> int:
    """Delete revisions, those that were used least recently first, until at least so many bytes are free."""
    by_age = sorted(
        (
            (revision.snapshot_path.stat().st_mtime, revision.commit_hash, repo)
            for repo in idle
            for revision in repo.revisions
        ),
        key=lambda one: one[:2],
    )
    chosen: dict[Path, list[str]] = {}
    plans: dict[Path, DeleteCacheStrategy] = {}
    for _, commit, repo in by_age:
        if sum(plan.expected_freed_size for plan in plans.values()) >= excess:
            break
        chosen.setdefault(repo.repo_path, []).append(commit)
        # Repository by repository: the same commit may lie in a copy of one, and that may be in use.
        plans[repo.repo_path] = replace(found, repos=frozenset({repo})).delete_revisions(*chosen[repo.repo_path])
    for plan in plans.values():
        plan.execute()
    return sum(plan.expected_freed_size for plan in plans.values())


def _hold(lock: Path, held: ExitStack, *, alone: bool) -> bool:
    """Lock a file until `held` ends: together with others, or alone, which fails while anybody else has it."""
    handle = held.enter_context(lock.open("a"))
    if sys.platform != "win32":
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB if alone else fcntl.LOCK_SH)
        except OSError:
            return False
        held.callback(fcntl.flock, handle, fcntl.LOCK_UN)  # said expressly: a forked process keeps the handle open
    return True
