"""The Hub's cache of a page that others can reach: held below a bound, and nothing that is in use goes."""

import os
import threading
from pathlib import Path

import pytest
from huggingface_hub import constants, hf_hub_download
from support import pulling
from support.hub import Hub
from support.pulling import WEIGHTS, load, snapshot

from eftclip.checkpoint import inspect, prune_cache
from eftclip.checkpoint.hub.cache import in_use
from eftclip.errors import CheckpointError

hub, folder = pulling.hub, pulling.folder  # fixtures
NAMES = ("friends/first", "friends/second", "friends/third")


@pytest.fixture
def commits(hub: Hub, folder: Path) -> dict[str, str]:
    """Three checkpoints in the cache, loaded one after another."""
    pushed = {name: hub.push(name, folder) for name in NAMES}
    for name in NAMES:
        load(f"hf:{name}")
    return pushed


@pytest.fixture
def one_gb(folder: Path) -> float:
    """What one checkpoint takes, in 10⁹ bytes."""
    names = ("open_clip_config.json", WEIGHTS, "tokenizer.json", "tokenizer_config.json")
    return sum((folder / name).stat().st_size for name in names) / 1e9


def _here(commits: dict[str, str]) -> set[str]:
    """Which of them are in the cache, whole."""
    return {name for name, commit in commits.items() if (snapshot(commit, name) / WEIGHTS).is_file()}


def _size() -> int:
    return sum(path.stat().st_size for path in Path(constants.HF_HUB_CACHE).glob("models--*/blobs/*"))


def test_what_was_used_least_recently_goes_first(commits: dict[str, str], one_gb: float) -> None:
    load("hf:friends/first")
    assert prune_cache(3.001 * one_gb) == 0
    before = _size()
    freed = prune_cache(2.001 * one_gb)
    assert _here(commits) == {"friends/first", "friends/third"}
    assert freed == before - _size() > 3_000_000
    prune_cache(1.001 * one_gb)
    assert _here(commits) == {"friends/first"}
    prune_cache(0)
    assert _size() == 0
    assert load("hf:friends/second").ref.revision == commits["friends/second"]


def test_revisions_that_share_their_weights_are_counted_once(hub: Hub, folder: Path, one_gb: float) -> None:
    first = hub.push("friends/first", folder)
    load("hf:friends/first")
    config = folder / "open_clip_config.json"
    config.write_text(config.read_text() + "\n")
    second = hub.push("friends/first", folder)
    load("hf:friends/first")
    prune_cache(1.0005 * one_gb)
    assert _here({"friends/first": second}), "only what belongs to the older commit alone goes"
    prune_cache(one_gb)
    assert not snapshot(first, "friends/first").exists()
    assert load(f"hf:friends/first@{second}").ref.revision == second
    prune_cache(0)
    assert _size() == 0


def test_what_is_in_use_stays(commits: dict[str, str], one_gb: float) -> None:
    with in_use("friends/first"), in_use("friends/first"):
        prune_cache(0)
        assert _here(commits) == {"friends/first"}
    prune_cache(0)
    assert _here(commits) == set()


def test_loads_and_pruning_at_the_same_time_do_not_disturb_each_other(commits: dict[str, str]) -> None:
    """Each load finds its files, however often the cache is emptied beside it."""
    done, troubles = threading.Event(), []

    def prune() -> None:
        while not done.is_set():
            prune_cache(0)

    def use(name: str) -> None:
        try:
            for _ in range(3):
                assert load(f"hf:{name}").ref.revision == commits[name]
                assert inspect(f"hf:{name}").problems == ()
        except Exception as error:
            troubles.append(f"{name}: {error}")

    emptying = threading.Thread(target=prune)
    users = [threading.Thread(target=use, args=(name,)) for name in NAMES]
    for thread in (emptying, *users):
        thread.start()
    for thread in users:
        thread.join()
    done.set()
    emptying.join()
    assert troubles == []


def test_only_our_own_is_touched(hub: Hub, folder: Path, commits: dict[str, str]) -> None:
    """Other programs of this machine keep their models, and nobody's data sets are looked at."""
    other = hub.push("friends/other", folder)
    hf_hub_download("friends/other", WEIGHTS)
    hub.push("datasets/friends/pictures", folder)
    data = Path(hf_hub_download("friends/pictures", "README.md", repo_type="dataset"))
    prune_cache(0)
    assert _here(commits) == set()
    assert _here({"friends/other": other})
    assert data.is_file()


def test_what_nobody_can_use_goes_first(commits: dict[str, str], one_gb: float) -> None:
    """A download that was killed in the middle, and a repository with a hole in it."""
    half = snapshot(commits["friends/third"], "friends/third").parents[1] / "blobs" / "abc.0123abcd.incomplete"
    half.write_bytes(b"x" * 1000)
    holed = snapshot(commits["friends/first"], "friends/first")
    Path(os.path.realpath(holed / "tokenizer.json")).unlink()
    with in_use("friends/third"):
        prune_cache(9)
        assert half.exists(), "perhaps it goes on at this moment"
    assert prune_cache(9) == 1000
    assert not half.exists()
    assert not holed.exists()
    assert _here(commits) == {"friends/second", "friends/third"}


def test_a_machine_without_a_cache_has_nothing_to_prune(hub: Hub) -> None:
    assert prune_cache(0) == 0


def test_looks_count_too(hub: Hub, folder: Path) -> None:
    """Whoever only looks fills the disk as well, slowly."""
    hub.push("friends/first", folder)
    inspect("hf:friends/first")
    assert prune_cache(0) > 0
    assert _size() == 0


def test_a_cache_that_cannot_be_written_is_still_read(
    commits: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    with in_use("friends/first"):
        pass
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "file" / "cache"))
    with in_use("friends/first"):
        pass
    with pytest.raises(CheckpointError, match=r"could not be (had|kept)"):
        load("hf:friends/first")
