"""Data sets from the Hub: the real clients against a local server that speaks the Hub's protocol."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets
import pytest
from huggingface_hub import constants
from support.hub import GOOD_TOKEN, Hub, lead_to
from support.packed import at_most, complaint, folder, parquet, png, samples, seen, tarred, what

from eftclip.data import ImageSet, open_set
from eftclip.data.pictures import MAX_FILE_MB
from eftclip.data.sets.hub import repository as repository_module
from eftclip.data.sets.splits import splits_of
from eftclip.errors import DataError

REPO, SOURCE = "datasets/friends/set", "hf:friends/set"
PICTURE, TEXT = datasets.Image(), datasets.Value("string")
FEATURES = {"image": PICTURE, "caption": TEXT}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A Hub of its own; the suite's offline switch is lifted for this test, and nobody waits between attempts."""
    server = Hub()
    lead_to(server, monkeypatch, tmp_path)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(datasets.config, "HF_ENDPOINT", server.url)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets-cache")
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    yield server
    server.close()


def _columns(*numbers: int) -> dict[str, list[Any]]:
    cells = [{"bytes": png(i), "path": f"{i}.png"} for i in numbers]
    return {"image": cells, "caption": [f"picture {i}" for i in numbers]}


def _parquet(path: Path) -> None:
    for name, numbers in (
        ("train-00001-of-00002", range(4, 9)),
        ("train-00000-of-00002", range(4)),
        ("test-00000-of-00001", [70]),
    ):
        parquet(path / "data" / f"{name}.parquet", _columns(*numbers), FEATURES, rows=3)


def _shards(path: Path) -> None:
    for name, numbers in (("train/b", range(4, 9)), ("train/a", range(4)), ("test/a", [70])):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        tarred(path / f"{name}.tar", samples(numbers))


def _pictures(path: Path) -> None:
    table = "file_name,caption\n" + "".join(f"{i}.png,picture {i}\n" for i in range(9))
    folder(path / "train", {f"{i}.png": png(i) for i in range(9)} | {"metadata.csv": table.encode()})
    folder(path / "test", {"x/70.png": png(70)})


KINDS: dict[str, Callable[[Path], None]] = {"parquet": _parquet, "shards": _shards, "pictures": _pictures}


@pytest.fixture(params=KINDS)
def repository(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The same data set in every form, with a loading script beside it."""
    path = tmp_path / "repository"
    KINDS[request.param](path)
    folder(
        path,
        {
            "set.py": b"raise SystemExit('this must never run')",
            "README.md": b"---\nlicense: mit\n---\n# Set",
            ".gitattributes": b"",
        },
    )
    return path


def _fetched(hub: Hub) -> set[str]:
    return {line.split("/resolve/")[1].split("/", 1)[1] for line in hub.requests if "/resolve/" in line}


def test_every_form_is_pinned_streamed_and_the_same_in_every_pass(hub: Hub, repository: Path, tmp_path: Path) -> None:
    commit = hub.push(REPO, repository)
    images = open_set(SOURCE)
    assert seen(images.entries()) == [(i, f"picture {i}") for i in range(9)] == seen(images.entries())
    assert (images.kind, images.revision, images.text_kind, images.source) == ("hub", commit, "caption", SOURCE)
    assert [(entry.index, what(entry)) for entry in images.entries(5)] == [(i, i) for i in range(5, 9)]
    assert images.notes == ("1 other file was left out: set.py.",)
    assert not any("set.py" in name or name.startswith(("data/test", "test/")) for name in _fetched(hub))
    assert not list(tmp_path.glob("*cache")), "nothing is kept on this machine"


def test_a_split_is_taken_by_its_name(hub: Hub, repository: Path) -> None:
    hub.push(REPO, repository)
    assert [what(entry) for entry in open_set(SOURCE, split="test").entries()] == [70]
    with pytest.raises(DataError, match=r"^friends/set has no split 'val'; name one of: test, train\.$"):
        open_set(SOURCE, split="val")


def test_a_new_commit_does_not_change_a_set_that_is_open(hub: Hub, repository: Path, tmp_path: Path) -> None:
    first = hub.push(REPO, repository)
    images = open_set(SOURCE)
    second = hub.push(REPO, folder(tmp_path / "other", {"a.png": png(99)}))
    assert [what(entry) for entry in images.entries()] == list(range(9))
    assert open_set(SOURCE).revision == second
    assert open_set(f"{SOURCE}@{first[:9]}").revision == first


def test_private_and_gated_sets_open_with_a_token(hub: Hub, repository: Path) -> None:
    hub.push(REPO, repository)
    hub.repositories[REPO].private = True
    with pytest.raises(DataError, match=r"shows no data set friends/set.*private"):
        open_set(SOURCE)
    assert [what(entry) for entry in open_set(SOURCE, token=GOOD_TOKEN).entries()] == list(range(9))
    hub.repositories[REPO].private, hub.repositories[REPO].gated = False, True
    with pytest.raises(DataError, match="friends/set is gated: accept its conditions"):
        open_set(SOURCE)
    assert [what(entry) for entry in open_set(SOURCE, token=GOOD_TOKEN).entries()] == list(range(9))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("hf:friends/nobody", "shows no data set friends/nobody"),
        ("hf:friends/set@v9", "has no revision 'v9'"),
        ("hf:friends/set@" + "0" * 40, "has no revision '0000"),
        ("hf:set", "names no Hub data set"),
        ("hf:friends/set@", "names no Hub data set"),
        ("hf:../../etc/passwd", "names no Hub data set"),
        ("hf:friends/bad--name", "cannot be the name of a Hub data set"),
    ],
)
def test_sources_that_lead_nowhere(hub: Hub, tmp_path: Path, source: str, message: str) -> None:
    hub.push(REPO, folder(tmp_path / "set", {"a.png": png(1)}))
    with pytest.raises(DataError, match=message) as caught:
        open_set(source)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        ("offline", "HF_HUB_OFFLINE"),
        ("gone", "could not be read from the Hub"),
        ("503", "answered 503"),
        ("401", "refused the token"),
        ("bad token", "refused the token"),
    ],
)
def test_a_hub_that_does_not_serve(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str, message: str
) -> None:
    hub.push(REPO, folder(tmp_path / "set", {"a.png": png(1)}))
    token = "hf_wrong" if trouble == "bad token" else None
    if trouble == "offline":
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    elif trouble == "gone":
        hub.close()
    elif trouble.isdigit():
        hub.broken = int(trouble)
    with pytest.raises(DataError, match=message) as caught:
        open_set(SOURCE, token=token)
    assert "\n" not in str(caught.value)


def test_what_holds_no_pictures(hub: Hub, tmp_path: Path) -> None:
    hub.push(REPO, folder(tmp_path / "a", {"x.json": b"", "y.json": b"", "z.zip": b"", "LICENSE": b"", ".a.png": b""}))
    with pytest.raises(DataError, match=r"no parquet files, .* only 2 \.json, 1 LICENSE, 1 \.zip; choose"):
        open_set(SOURCE)
    hub.push(REPO, folder(tmp_path / "b", {".gitattributes": b""}))
    with pytest.raises(DataError, match="only nothing; choose another"):
        open_set(SOURCE)


def _first(images: ImageSet) -> list[str | int]:
    return [what(entry) for entry in images.entries()]


def test_a_path_in_a_hub_table_is_never_opened(hub: Hub, tmp_path: Path) -> None:
    secret = folder(tmp_path, {"secret.png": png(13)}) / "secret.png"
    paths = [str(secret), f"file://{secret}", f"{hub.url}/x.png", "secret.png", "hf://datasets/friends/set/a.png"]
    for column, feature in (([{"bytes": None, "path": path} for path in paths], PICTURE), (paths, TEXT)):
        path = tmp_path / "set" / "a.parquet"
        hub.push(REPO, parquet(path, {"image": column}, {"image": feature}).parent)
        entries = list(open_set(SOURCE).entries())
        hub.requests.clear()
        assert len(entries) == 5 and all("no such file is opened" in complaint(entry) for entry in entries)
        assert not hub.requests


def test_a_row_in_a_hub_folder_leads_nowhere_else(hub: Hub, tmp_path: Path) -> None:
    secret = folder(tmp_path, {"secret.png": png(13)}) / "secret.png"
    rows = f"file_name\n{secret}\n../../secret.png\n{hub.url}/x.png\ngone.png\nother/a.png\na.png\n"
    hub.push(
        REPO,
        folder(tmp_path / "set", {"train/a.png": png(1), "metadata.csv": b"", "train/metadata.csv": rows.encode()}),
    )
    assert _first(open_set(SOURCE)) == ["bad", "bad", "bad", "missing", "missing", 1]


@pytest.mark.parametrize("name", ["a::file:b.parquet", "x.parquet::zip:y.parquet"])
def test_a_file_name_that_would_lead_elsewhere_is_refused(hub: Hub, tmp_path: Path, name: str) -> None:
    path = parquet(tmp_path / "set" / "a.parquet", _columns(1), FEATURES)
    hub.push(REPO, path.rename(path.parent / name).parent)
    with pytest.raises(DataError, match="has :: in its name"):
        open_set(SOURCE)


def test_pictures_too_large_or_empty_are_told(hub: Hub, tmp_path: Path) -> None:
    path = folder(tmp_path / "set", {"b.png": b"", "c.png": b"x", "d.png": png(4), "e #%1.png": png(5)})
    (path / "a.png").write_bytes(bytes(MAX_FILE_MB * 1_000_000 + 1))
    hub.push(REPO, path)
    entries = list(open_set(SOURCE).entries())
    assert [what(entry) for entry in entries] == ["bad", "bad", "bad", 4, 5]
    assert "larger than" in complaint(entries[0]) and "a.png" not in _fetched(hub)


def test_a_stream_that_breaks_ends_the_pass_with_an_error(hub: Hub, tmp_path: Path) -> None:
    hub.push(REPO, tarred(tmp_path / "a.tar", samples(range(9))).parent)
    images = open_set(SOURCE)
    hub.cut["a.tar"] = 9 * 1024
    got = []
    with pytest.raises(DataError, match=r"could not be read from the Hub|is cut off"):
        for entry in images.entries():
            got.append(what(entry))
    assert got == [0, 1, 2, 3]


def test_rows_that_break_off_end_the_pass_with_an_error(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets.config, "STREAMING_READ_MAX_RETRIES", 1)
    path = parquet(tmp_path / "set" / "b.parquet", _columns(*range(9)), FEATURES)
    parquet(path.parent / "a.parquet", _columns(20), FEATURES)
    hub.push(REPO, path.parent)
    images = open_set(SOURCE)
    hub.cut["b.parquet"] = 900
    got = []
    with pytest.raises(DataError, match="could not be read from the Hub"):
        for entry in images.entries():
            got.append(what(entry))
    assert got == [20]


def test_a_hub_that_stops_answering_ends_the_pass_and_blames_no_picture(hub: Hub, tmp_path: Path) -> None:
    commit = hub.push(REPO, folder(tmp_path / "set", {f"{i}.png": png(i) for i in range(9)}))
    images = open_set(SOURCE)
    del hub.repositories[REPO].commits[commit]["1.png"]
    got = []
    with pytest.raises(DataError, match=r"refused the token for friends/set \(403\)"):
        for entry in images.entries():
            got.append(what(entry))
            hub.broken = 403 if len(got) == 4 else None
    assert got == [0, "missing", 2, 3, "bad"]
    hub.broken = None
    assert [what(entry) for entry in images.entries(7)] == [7, 8], "a later pass has a chance of its own"


def test_a_gated_set_with_a_token_without_access(hub: Hub, tmp_path: Path) -> None:
    hub.push(REPO, folder(tmp_path / "set", {"a.png": png(1)}))
    hub.repositories[REPO].gated = True
    with pytest.raises(DataError, match="refused the token"):
        open_set(SOURCE, token="hf_wrong")


def test_a_gated_set_of_pictures_is_not_opened_first_and_refused_afterwards(hub: Hub, tmp_path: Path) -> None:
    hub.push(REPO, folder(tmp_path / "set", {"a.png": png(1)}))
    hub.repositories[REPO].gated = True
    with pytest.raises(DataError, match="friends/set is gated"):
        open_set(SOURCE)


def test_a_summary_that_is_cut_short_is_not_relied_on(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository_module, "SHORT_LISTING", 2)
    hub.push(REPO, folder(tmp_path / "set", {f"{i}.png": png(i) for i in range(5)}))
    hub.summarised = 2
    assert _first(open_set(SOURCE)) == list(range(5))


def test_a_hub_shard_costs_one_picture_at_a_time(hub: Hub, tmp_path: Path) -> None:
    hub.push(REPO, tarred(tmp_path / "a.tar", {f"{i}.png": bytes([i + 1]) * 1_000_000 for i in range(40)}).parent)
    images = open_set(SOURCE)
    with at_most(60):  # of which the server's copy of the shard is 40
        assert all(entry.read()[0] == entry.index + 1 for entry in images.entries())


def test_the_card_says_which_files_belong_to_a_split(hub: Hub, tmp_path: Path) -> None:
    card = "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: extra\n    path: [b*, c/**]\n---\n# Set\n"
    files = {"a.png": png(0), "b.png": png(1), "c/d/e.png": png(2), "README.md": card.encode()}
    hub.push(REPO, folder(tmp_path / "set", files))
    images = open_set(SOURCE, split="extra")
    assert _first(images) == [1, 2]
    assert images.notes == ("1 data file of no split was left out: a.png.",)
    with pytest.raises(DataError, match="has no split 'train'; name one of: extra"):
        open_set(SOURCE)


FILES = ["a.png", "data/train-00000-of-00001.x", "data/my.odd-00000-of-00001.x", "deep/valid/x.png", "s-test.png"]


@pytest.mark.parametrize(
    ("files", "configs", "expected"),
    [
        (FILES[:1], None, {"train": FILES[:1]}),
        (FILES, None, {"train": FILES[1:2], "my.odd": FILES[2:3]}),
        (FILES[:1] + FILES[3:], None, {"validation": FILES[3:4]}),
        (FILES[:1] + FILES[4:], None, {"test": FILES[4:]}),
        (["contest.png", "trainer/x.png"], None, {"train": ["contest.png", "trainer/x.png"]}),
        (FILES, [{"data_files": "a*"}], {"train": FILES[:1]}),
        (FILES, [{"data_files": ["a*", "**/x.png"]}], {"train": [FILES[0], FILES[3]]}),
        (FILES, [{"data_files": [{"split": "s", "path": "**/*.png"}]}], {"s": [FILES[0], FILES[3], FILES[4]]}),
        (FILES, [{"data_files": "x"}, {"config_name": "default", "data_files": "a*"}], {"train": FILES[:1]}),
        (FILES, [{"data_files": "x"}, {"default": True, "data_files": "a*"}], {"train": FILES[:1]}),
        (FILES[:1], [{"data_files": ["/etc/*", "../*", "https://x/y", "hf://datasets/a/b/*"]}], {"train": FILES[:1]}),
        (FILES[:1], [{"data_files": 3}, "x"], {"train": FILES[:1]}),
        (FILES[:1], [{"data_files": [{"split": None}, {"path": [1]}]}], {"train": FILES[:1]}),
        (FILES[:1], {"a": 1}, {"train": FILES[:1]}),
    ],
)  # fmt: skip
def test_splits(files: list[str], configs: object, expected: dict[str, list[str]]) -> None:
    assert splits_of(files, {"configs": configs}, "set") == expected


def test_a_choice_of_configurations_is_not_guessed() -> None:
    configs = [{"config_name": name, "data_files": "*"} for name in ("small", "large")]
    with pytest.raises(DataError, match=r"several configurations \(small, large\) and none is the default"):
        splits_of(["a.png"], {"configs": configs}, "set")


def test_a_pattern_made_to_take_long_takes_no_time() -> None:
    begin = time.process_time()
    splits_of(["a/" * 60 + "a.png"], {"configs": [{"data_files": "**/" * 500 + "*a" * 500}]}, "set")
    assert time.process_time() - begin < 1


def test_the_classes_of_a_benchmark_are_named(hub: Hub, tmp_path: Path) -> None:
    path = folder(tmp_path / "set", {"classnames.txt": b"cat\nhot dog\n", "test/nshards.txt": b"1"})
    tarred(path / "test" / "0.tar", [("s0.cls", b"1"), ("s0.webp", png(1))])
    hub.push(REPO, path)
    images = open_set(SOURCE, split="test")
    assert seen(images.entries()) == [(1, "hot dog")]
