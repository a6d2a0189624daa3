"""Data sets as they should be, from every source; hostile archives and the Hub have files of their own."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.packed import at_most, complaint, folder, number, parquet, png, samples, seen, tarred, what, zipped

from eftclip.data import list_left_out, list_pictures, list_set, open_set
from eftclip.data.pictures import MAX_FILE_MB
from eftclip.errors import DataError, MissingError

pytestmark = pytest.mark.quick

CAPTIONS = [(i, f"picture {i}") for i in range(9)]
TABLE = "file_name,caption\n" + "".join(f"{i}.png,picture {i}\n" for i in range(9))
TABLED = {"metadata.csv": TABLE.encode(), **{f"{i}.png": png(i) for i in range(9)}}
EMBEDDED: dict[str, list[Any]] = {
    "image": [{"bytes": png(i), "path": f"{i}.png"} for i in range(9)],
    "caption": [text for _, text in CAPTIONS],
}
FEATURES = {"image": datasets.Image(), "caption": datasets.Value("string")}
SOURCES: dict[str, Callable[[Path], Path]] = {
    "folder": lambda path: folder(path / "set", TABLED),
    "metadata.csv": lambda path: folder(path / "set", TABLED) / "metadata.csv",
    "zip": lambda path: zipped(path / "set.zip", TABLED),
    "zip of a folder": lambda path: zipped(path / "set.zip", {f"set/{name}": raw for name, raw in TABLED.items()}),
    "parquet": lambda path: parquet(path / "set.parquet", EMBEDDED, FEATURES, rows=2),
    "parquet folder": lambda path: _halves(path),
    "shard": lambda path: tarred(path / "set.tar", samples(range(9))),
    "shard folder": lambda path: _shards(path),
    "shard pattern": lambda path: _shards(path) / "*.tar",
    "parquet pattern": lambda path: _halves(path).parent / "s*t" / "*.parquet",
}


def _halves(path: Path) -> Path:
    for name, part in (("b", slice(4, 9)), ("a", slice(0, 4))):
        parquet(path / "set" / f"{name}.parquet", {key: rows[part] for key, rows in EMBEDDED.items()}, FEATURES)
    (path / "set" / "README.md").write_text("Two halves.")
    return path / "set"


def _shards(path: Path) -> Path:
    (path / "set").mkdir()
    for name, part in (("1", range(4, 9)), ("0", range(4))):
        tarred(path / "set" / f"{name}.tar", samples(part))
    return path / "set"


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_gives_the_same_pictures_and_texts_in_every_pass(source: str, tmp_path: Path) -> None:
    images = open_set(str(SOURCES[source](tmp_path)))
    assert seen(images.entries()) == CAPTIONS
    assert (images.text_kind, images.revision, images.length in (9, None)) == ("caption", None, True)
    first, again = list(images.entries()), list(images.entries())
    assert [entry.index for entry in first] == list(range(9))
    assert len({entry.name for entry in first}) == 9
    assert [(e.index, e.name, e.text) for e in first] == [(e.index, e.name, e.text) for e in again]
    for start in (0, 1, 4, 8, 9, 50):
        rest = list(images.entries(start))
        assert [(e.index, e.name, number(e)) for e in rest] == [(e.index, e.name, number(e)) for e in first[start:]]


@pytest.mark.parametrize("source", SOURCES)
def test_kind_and_length(source: str, tmp_path: Path) -> None:
    path = SOURCES[source](tmp_path)
    images = open_set(str(path))
    kind = {"metadata.csv": "folder", "shard": "webdataset"}.get(source.split(" ")[0], source.split(" ")[0])
    assert images.kind == kind
    assert images.length == (9 if images.kind in ("folder", "zip") else None)
    assert images.source == str(path)


def test_a_folder_without_a_table_is_walked_as_everywhere_and_tells_what_it_left_out(tmp_path: Path) -> None:
    names = ("b/2.JPG", "b/10.png", "a.webp", "c/d/3.gif", ".hidden.png", ".cache/x.png", "b/.also.png")
    files = {name: png(i) for i, name in enumerate(names)} | {"notes.txt": b"hello", "b/old.zip": b"PK", "b/x.mp4": b""}
    path = folder(tmp_path / "set", files)
    (path / "again").symlink_to(path)
    images = open_set(str(path))
    assert [path / entry.name for entry in images.entries()][:4] == list(list_pictures([path]))
    left_out = [(".cache/x.png", "hidden"), (".hidden.png", "hidden"), ("b/.also.png", "hidden")]
    assert [(entry.name, complaint(entry).split()[2]) for entry in images.entries(4)][:3] == left_out
    assert (images.length, next(images.entries(7)).name) == (8, "b/old.zip"), "may hold pictures"
    assert [told[0] for told in list_left_out([path])] == [path / entry.name for entry in images.entries(4)]
    assert {entry.text for entry in images.entries()} == {None} and images.text_kind is None
    assert images.notes == (
        "3 files are no pictures and were left out: b/old.zip, b/x.mp4, notes.txt.",
        "3 hidden files or folders were left out: .cache, .hidden.png, b/.also.png.",
        "1 link to a folder was not followed: again.",
    )


def test_one_level_of_folders_is_the_labels(tmp_path: Path) -> None:
    files = {"lion/1.png": png(1), "house_cat/2.png": png(2), "house_cat/10.png": png(3)}
    images = open_set(str(folder(tmp_path / "set", files)))
    assert seen(images.entries()) == [(3, "house cat"), (2, "house cat"), (1, "lion")]
    assert images.text_kind == "label"
    stray = open_set(str(folder(tmp_path / "set", {"stray.png": png(4)})))
    assert {entry.text for entry in stray.entries()} == {None}, "a picture outside of the folders: they are no labels"


def test_the_table_says_everything_and_nothing_is_dropped_silently(tmp_path: Path) -> None:
    rows = ('"tabby, cat",b.png,x', " dog ,./a.png,x", ",sub\\c.png,x", "lion,gone.png,x", "late,", "")
    table = "\n".join(("\ufefflabel , file_name,caption", *rows))
    files = {name: png(i) for i, name in enumerate(("a.png", "b.png", "sub/c.png", "extra.png", "z.png"))}
    images = open_set(str(folder(tmp_path / "set", files | {"metadata.csv": table.encode()})))
    assert seen(images.entries()) == [
        *((1, "tabby, cat"), (0, "dog"), (2, None), ("missing", "lion"), ("bad", "late"), (3, None), (4, None)),
    ]
    assert (images.length, images.text_kind) == (7, "label")
    assert images.notes == ("2 pictures are not named in metadata.csv: extra.png, z.png.",)
    names = [entry.name for entry in images.entries()]
    assert names == ["b.png", "a.png", "sub/c.png", "gone.png", "row 4 of metadata.csv", "extra.png", "z.png"]
    assert "gone.png is not there" in complaint(list(images.entries())[3])
    assert "names no file" in complaint(list(images.entries())[4])


def test_several_rows_may_name_one_picture(tmp_path: Path) -> None:
    files = {"a.png": png(7), "metadata.csv": b"file_name,text\na.png,one\na.png,two\n"}
    assert seen(open_set(str(folder(tmp_path / "set", files))).entries()) == [(7, "one"), (7, "two")]


@pytest.mark.parametrize(
    "name", ["../secret.png", "/{outside}", "sub/../../secret.png", "link.png", "door/secret.png", "file:///{outside}",
             "..\\secret.png", "C:\\secret.png", "https://127.0.0.1/x.png", "loop/x.png", "a\0.png", "/dev/zero"],
)  # fmt: skip
def test_a_row_cannot_name_a_file_outside_of_the_folder(tmp_path: Path, name: str) -> None:
    secret = folder(tmp_path, {"secret.png": png(13)}) / "secret.png"
    path = folder(tmp_path / "set", {"sub/a.png": png(1)})
    (path / "link.png").symlink_to(secret)
    (path / "door").symlink_to(tmp_path)
    (path / "loop").symlink_to(path / "loop")
    (path / "metadata.csv").write_text(f"file_name\n{name.format(outside=str(secret).lstrip('/'))}\nsub/a.png\n")
    entries = list(open_set(str(path)).entries())
    assert [what(entry) for entry in entries[:2]] == ["bad", 1]
    assert "outside" in complaint(entries[0]) or "cannot be read" in complaint(entries[0])
    with pytest.raises(DataError) as caught:
        entries[0].read()
    assert not isinstance(caught.value, MissingError), "whether such a file exists is nobody's business"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (b"file_name,label\n\xff\xfe,x\n", "cannot be read .*save it as CSV in UTF-8"),
        (b'file_name,label\na.png,"never closed\nb.png,x\n', "cannot be read"),
        (b"file_name,label\na.png," + b"x" * 200_000, "cannot be read"),
    ],
)
def test_a_table_that_is_not_understood_is_an_error(tmp_path: Path, table: bytes, message: str) -> None:
    files = {"a.png": png(1), "metadata.csv": table}
    for path in (folder(tmp_path / "set", files), zipped(tmp_path / "set.zip", files)):
        with pytest.raises(DataError, match=message):
            open_set(str(path))


def test_a_table_without_file_names_is_left_out_unless_it_was_asked_for(tmp_path: Path) -> None:
    path = folder(tmp_path / "set", {"cat/a.png": png(1), "metadata.csv": b"name,label\ncat/a.png,dog\n"})
    images = open_set(str(path))
    assert seen(images.entries()) == [(1, "cat")]
    assert images.notes == ("metadata.csv has no column file_name, only: name, label; it was left out.",)
    with pytest.raises(DataError, match="has no column file_name, only: name, label; add it"):
        open_set(str(path / "metadata.csv"))


def test_bad_files_are_told_when_they_are_read_and_end_nothing(tmp_path: Path) -> None:
    files = {"a.png": png(1), "b.png": b"", "c.png": b"x", "d.png": png(2)[:50], "e.png": png(3), "f.png": png(4)}
    path = folder(tmp_path / "set", files)
    os.truncate(path / "e.png", MAX_FILE_MB * 1_000_000 + 1)  # with a hole: takes no room
    images = open_set(str(path))
    (path / "f.png").unlink()
    entries = list(images.entries())
    assert [what(entry) for entry in entries] == [1, "bad", "bad", "bad", "bad", "missing"]
    assert complaint(entries[1]) == "b.png is an empty file; replace it."
    assert complaint(entries[4]) == f"e.png is larger than {MAX_FILE_MB} MB; make it smaller."
    (path / "f.png").mkdir()
    assert "is not a file" in complaint(entries[5])


def test_pictures_at_hand_are_a_set_too(tmp_path: Path) -> None:
    path = folder(tmp_path, {"a.png": png(1)}) / "a.png"
    large = bytes(MAX_FILE_MB * 1_000_000 + 1)
    items: list[tuple[str, bytes | Path, str | None]] = [("one\n.png", path, None), ("two", png(2), "dog")]
    items += [("gone", tmp_path / "gone", None), ("large", large, None), ("empty", b"", None)]
    images = list_set("uploads", items)
    assert seen(images.entries()) == [(1, None), (2, "dog"), ("missing", None), ("bad", None), ("bad", None)]
    assert "larger than" in complaint(list(images.entries())[3])
    assert (images.kind, images.length, images.text_kind, images.source) == ("list", 5, "label", "uploads")
    assert [entry.index for entry in images.entries(3)] == [3, 4]
    assert next(images.entries()).name == "one\N{REPLACEMENT CHARACTER}.png"
    assert list_set("views", [("a", path, None)]).text_kind is None
    with pytest.raises(DataError, match="uploads holds no picture"):
        list_set("uploads", [])


@pytest.mark.parametrize(
    "source", ["", "nowhere", "friends/set", "https://example.com/x.zip", "~nobody/x", "\0", "x" * 5000]
)
def test_any_other_source_is_told_what_is_possible(source: str) -> None:
    with pytest.raises(DataError, match=r"give a folder of pictures, .*hf:org/name\.") as caught:
        open_set(source)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


@pytest.mark.parametrize("name", ["a.png", "notes.txt", "a.tar.gz", "noext"])
def test_a_file_of_another_kind_is_no_set(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"give a folder of pictures"):
        open_set(str(folder(tmp_path, {name: png(1)}) / name))


def test_nothing_is_ever_an_empty_set(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    text = folder(tmp_path / "text", {"a.txt": b"", "b.txt": b""})
    both = folder(tmp_path / "both", {"a.tar": b"", "b.parquet": b""})
    for path, message in (
        (tmp_path / "empty", "holds no picture; give"),
        (text, r"holds no picture \(found: 2 files: a.txt, b.txt\)"),
        (both, r"is \.parquet, \.tar; give"),
        (tmp_path / "none-*.tar", "is nothing; give"),
        (tmp_path / "text" / "*.txt", r"is \.txt; give"),
    ):
        with pytest.raises(DataError, match=message):
            open_set(str(path))


def test_a_large_folder_costs_names_and_not_pictures(tmp_path: Path) -> None:
    path = folder(tmp_path / "set", {f"{i:02}.png": bytes(1_000_000) for i in range(30)})
    with at_most(6):
        for entry in open_set(str(path)).entries():
            assert len(entry.read()) == 1_000_000


NAMES = st.from_regex(r"[a-c_]{1,2}(/[a-c]{1,2}){0,2}\.(png|txt)", fullmatch=True)
CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=6)


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(NAMES, min_size=1, max_size=6, unique=True), st.lists(st.tuples(NAMES, CELLS), max_size=4), st.booleans()
)
def test_a_folder_and_its_archive_are_the_same_set(
    tmp_path: Path, names: list[str], rows: list[tuple[str, str]], tabled: bool
) -> None:
    where = tmp_path / f"{len(list(tmp_path.iterdir())):04}"
    files = {name: png(i) if name.endswith("png") else b"text" for i, name in enumerate(names)}
    if tabled:
        quoted = "".join('"{}","{}"\n'.format(name, text.replace('"', '""')) for name, text in rows)
        files["metadata.csv"] = f"file_name,label\n{quoted}".encode()
    outcomes: list[list[tuple[object, ...]]] = []
    for path in (folder(where, files), zipped(where.with_suffix(".zip"), files)):
        try:
            images = open_set(str(path))
            outcomes.append([(e.index, e.name, e.text, what(e)) for e in images.entries()])
        except DataError as error:
            outcomes.append([("holds no picture" in str(error),)])
    assert outcomes[0] == outcomes[1] or _packed_as_a_whole(names, tabled)


def _packed_as_a_whole(names: list[str], tabled: bool) -> bool:
    """An archive of one folder of folders is read as that folder; typed as a folder, it is its owner's to name."""
    pictures = [name for name in names if name.endswith("png")]
    return not tabled and len({n.split("/")[0] for n in pictures}) == 1 and all(n.count("/") == 2 for n in pictures)
