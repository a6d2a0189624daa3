"""Zip archives that somebody sent to break things: harmless, in bounded memory, one clear sentence each."""

import io
import struct
import warnings
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.packed import at_most, complaint, png, seen, what, zipped

from eftclip.data import open_set
from eftclip.data.pictures import MAX_FILE_MB
from eftclip.data.sets.zip_archive import MAX_DIRECTORY_MB, MAX_MEMBERS
from eftclip.errors import DataError

LOCAL, CENTRAL = b"PK\x03\x04", b"PK\x01\x02"  # where a member's header begins: before its data, in the directory
FLAGS, METHOD, SIZE = (6, 8), (8, 10), (22, 24)  # offsets of a field in the two


def _rewrite(path: Path, field: tuple[int, int], value: bytes) -> Path:
    """Change one field of every header of an archive."""
    raw = bytearray(path.read_bytes())
    for mark, offset in ((LOCAL, field[0]), (CENTRAL, field[1])):
        place = raw.find(mark)
        while place >= 0:
            raw[place + offset : place + offset + len(value)] = value
            place = raw.find(mark, place + 4)
    path.write_bytes(raw)
    return path


def test_members_that_lead_elsewhere_are_only_read(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    names = ["../../1.png", "/2.png", "C:\\3.png", "a/../../4.png", "x" * 4000 + ".png", "a\n\x1b[31m\u202e6.png"]
    path = zipped(tmp_path / "in" / "set.zip", {name: png(i) for i, name in enumerate(names, 1)})
    before = sorted(tmp_path.rglob("*"))
    entries = list(open_set(str(path)).entries())
    assert sorted(int(what(entry)) for entry in entries) == [1, 2, 3, 4, 5, 6]
    assert all(entry.name.isprintable() and len(entry.name) <= 120 for entry in entries)
    assert {entry.text for entry in entries} == {None}, "no folder of these is a label"
    assert sorted(tmp_path.rglob("*")) == before, "nothing was written"


def test_a_table_cannot_lead_out_of_the_archive(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(png(13))
    rows = f"file_name,label\n../secret.png,x\n{tmp_path}/secret.png,x\nsecret.png,x\na.png,a\n"
    images = open_set(str(zipped(tmp_path / "set.zip", {"a.png": png(1), "metadata.csv": rows.encode()})))
    assert seen(images.entries()) == [("bad", "x"), ("bad", "x"), ("missing", "x"), (1, "a")]


def test_what_is_no_picture_is_left_out_and_told(tmp_path: Path) -> None:
    inner = zipped(tmp_path / "inner.zip", {"deep.png": png(9)}).read_bytes()
    files = {"a.png": png(1), "inner.zip": inner, "notes.txt": b"x", "run.exe": b"MZ", "x.tar": b"", "folder.png/": b""}
    files |= {"__MACOSX/._a.png": b"x", ".hidden.png": png(2), ".git/config": b"", "b/.c/d.png": png(3)}
    images = open_set(str(zipped(tmp_path / "set.zip", files)))
    assert (seen(images.entries()), images.length) == ([(1, None), *[("bad", None)] * 3], 4)
    left_out = [complaint(entry) for entry in images.entries(1)]
    assert left_out[0].startswith("inner.zip may hold pictures and was left out")
    assert left_out[1].startswith(".hidden.png is hidden and was left out")
    assert left_out[2].startswith("b/.c/d.png is hidden and was left out")
    assert images.notes == (
        "4 files are no pictures and were left out: inner.zip, notes.txt, run.exe and 1 more.",
        "4 hidden files or folders were left out: .git/config, .hidden.png, __MACOSX/._a.png and 1 more.",
    )


def test_an_archive_of_one_folder_is_that_folder(tmp_path: Path) -> None:
    pets = {"pets/house_cat/1.png": png(1), "pets/lion/2.png": png(2)}
    assert seen(open_set(str(zipped(tmp_path / "a.zip", pets))).entries()) == [(1, "house cat"), (2, "lion")]
    assert seen(open_set(str(zipped(tmp_path / "b.zip", {"cat/1.png": png(1)}))).entries()) == [(1, "cat")]


def test_of_two_members_with_one_name_the_later_counts_and_the_other_is_told(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns whoever writes such a thing
        path = zipped(tmp_path / "set.zip", [("a.png", png(1)), ("./a.png", png(2)), ("a.png", png(3))])
    images = open_set(str(path))
    assert seen(images.entries()) == [(3, None)]
    assert images.notes == ("2 members have the name of a later one and were left out: a.png, a.png.",)


@pytest.mark.parametrize("claimed", [1000, MAX_FILE_MB * 1_000_000 - 1, 0])
def test_a_bomb_that_lies_about_its_size_is_bad_and_costs_nothing(tmp_path: Path, claimed: int) -> None:
    """300 MB of zeros in 300 KB: in the directory and before its data, the member claims to be small."""
    path = zipped(tmp_path / "set.zip", {"bomb.png": bytes(300_000_000)})
    assert path.stat().st_size < 400_000
    _rewrite(path, SIZE, struct.pack("<I", claimed))
    with at_most(MAX_FILE_MB * 2 + 20 if claimed > 1000 else 5):
        assert "bomb.png in set.zip" in complaint(next(open_set(str(path)).entries()))


def test_an_honest_bomb_is_too_large_and_costs_nothing(tmp_path: Path) -> None:
    path = zipped(tmp_path / "set.zip", {"bomb.png": bytes(300_000_000), "metadata.csv": bytes(300_000_000)})
    with at_most(5), pytest.raises(DataError, match="csv is larger than"):
        open_set(str(path))
    path = zipped(tmp_path / "set.zip", {"bomb.png": bytes(300_000_000), "a.png": png(1)})
    with at_most(5):
        entries = list(open_set(str(path)).entries())
        assert [what(entry) for entry in entries] == [1, "bad"] and "larger than" in complaint(entries[1])


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_python_inflates_without_a_limit_are_not_read(tmp_path: Path, method: int) -> None:
    path = zipped(tmp_path / "set.zip", {"a.png": bytes(100_000_000)}, method)
    _rewrite(path, SIZE, struct.pack("<I", 1000))
    with at_most(5):
        assert f"a method that is not read (number {method})" in complaint(next(open_set(str(path)).entries()))


def test_encrypted_members_are_told(tmp_path: Path) -> None:
    for flag in (1, 0x41, 0x20):
        path = _rewrite(zipped(tmp_path / "set.zip", {"a.png": png(1)}), FLAGS, struct.pack("<H", flag))
        assert ("encrypted" if flag & 1 else "damaged") in complaint(next(open_set(str(path)).entries()))


def test_damaged_and_empty_members_end_nothing(tmp_path: Path) -> None:
    path = zipped(tmp_path / "set.zip", {f"{i}.png": png(i) for i in range(5)} | {"2.png": b""}, zipfile.ZIP_STORED)
    raw = bytearray(path.read_bytes())
    raw[raw.find(png(1)) + 30] ^= 1
    path.write_bytes(raw.replace(LOCAL, b"PK\x09\x09", 1))
    entries = list(open_set(str(path)).entries())
    assert [what(entry) for entry in entries] == ["bad", "bad", "bad", 3, 4]
    assert "Bad CRC-32" in complaint(entries[1]) and "is an empty file" in complaint(entries[2])


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", r"^set\.zip is no zip archive"),
        (b"hello", "is no zip archive"),
        (b"PK\x03\x04" + bytes(100), "is no zip archive"),
        (b"PK\x05\x06" + bytes(18), "holds no picture"),
        (b"PK\x05\x06" + b"\xff" * 18, "is no zip archive"),
        (b"\x1f\x8b" + bytes(99), "is no zip archive"),
    ],
)
def test_what_is_no_archive(tmp_path: Path, raw: bytes, message: str) -> None:
    (tmp_path / "set.zip").write_bytes(raw)
    with pytest.raises(DataError, match=message) as caught:
        open_set(str(tmp_path / "set.zip"))
    assert str(tmp_path) not in str(caught.value), "a visitor sent it, and where it lies is nobody's business"


def test_a_directory_beyond_all_measure_is_not_even_read(tmp_path: Path) -> None:
    """The size of the directory is only claimed: as much as is claimed would be read at once."""
    size = MAX_DIRECTORY_MB * 1_000_000 + 1
    with (tmp_path / "set.zip").open("wb") as file:
        file.truncate(size)
        file.seek(size)
        file.write(b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, size, 0, 0))
    with at_most(2), pytest.raises(DataError, match=f"its directory is larger than {MAX_DIRECTORY_MB} MB"):
        open_set(str(tmp_path / "set.zip"))


def test_too_many_members_are_an_error(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a", b"")
    local, directory = out.getvalue()[:31], out.getvalue()[31:-22]
    count = MAX_MEMBERS + 1
    end = struct.pack("<HHHHIIH", 0, 0, 0xFFFF, 0xFFFF, len(directory) * count, len(local), 0)
    (tmp_path / "set.zip").write_bytes(local + directory * count + b"PK\x05\x06" + end)
    with pytest.raises(DataError, match=f"has {count:,} members; split it"):
        open_set(str(tmp_path / "set.zip"))


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), min_size=1, max_size=6), st.integers(0, 900))
def test_damaged_bytes_give_entries_or_one_sentence(
    tmp_path: Path, changes: list[tuple[int, int]], missing: int
) -> None:
    files = {"cat/1.png": png(1), "dog/2.png": png(2), "metadata.csv": b"file_name,label\ncat/1.png,x\n"}
    raw = bytearray(zipped(tmp_path / "good.zip", files).read_bytes())
    for place, value in changes:
        raw[place % len(raw)] = value
    (tmp_path / "set.zip").write_bytes(raw[: len(raw) - (missing if missing < 100 else 0)])
    try:
        entries = list(open_set(str(tmp_path / "set.zip")).entries())
    except DataError as error:
        assert "\n" not in str(error)
    else:
        assert entries and all(what(entry) in (1, 2, "bad", "missing") or entry.read() for entry in entries)
