"""Parquet files and WebDataset shards on this machine: what is in them, what is wrong with them, what they cost."""

import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.packed import at_most, complaint, folder, parquet, png, samples, seen, tarred, what

from eftclip.data import open_set
from eftclip.data.pictures import MAX_FILE_MB
from eftclip.errors import DataError

TEXT, BYTES, PICTURE = datasets.Value("string"), datasets.Value("binary"), datasets.Image()
CELL = {"bytes": BYTES, "path": TEXT}
ANIMALS = datasets.ClassLabel(names=["cat", "dog"])
TOO_LARGE = MAX_FILE_MB * 1_000_000 + 1


def _cells(*numbers: int) -> list[dict[str, Any]]:
    return [{"bytes": png(i), "path": f"/elsewhere/{i}.png"} for i in numbers]


@pytest.mark.parametrize(
    ("columns", "features", "expected"),
    [
        ({"image": _cells(1, 2), "label": [1, -1]}, {"image": PICTURE, "label": ANIMALS}, [(1, "dog"), (2, None)]),
        ({"x": _cells(1), "breed": [0]}, {"x": PICTURE, "breed": ANIMALS}, [(1, "cat")]),
        ({"a": _cells(1), "txt": [" x "]}, {"a": CELL, "txt": TEXT}, [(1, "x")]),
        ({"emb": [b"e"], "jpg": [png(1)]}, {"emb": BYTES, "jpg": BYTES}, [(1, None)]),
        ({"raw": [png(1)], "label": [3]}, {"raw": BYTES, "label": datasets.Value("int64")}, [(1, None)]),
        ({"image": ["no"], "img": _cells(5)}, {"image": TEXT, "img": PICTURE}, [(5, None)]),
        (
            {"text": ["t"], "caption": ["c"], "Image": _cells(1)},
            {"text": TEXT, "caption": TEXT, "Image": PICTURE},
            [(1, "c")],
        ),
    ],
)
def test_picture_and_text_columns_are_found(
    tmp_path: Path, columns: dict[str, list[Any]], features: dict[str, Any], expected: list[tuple[int, str | None]]
) -> None:
    images = open_set(str(parquet(tmp_path / "a.parquet", columns, features)))
    assert seen(images.entries()) == expected
    named = {"label", "breed"} & {name for name in columns if features[name] == ANIMALS}
    assert images.text_kind == ("label" if named else "caption" if expected[0][1] else None)


def test_bad_rows_are_told_when_they_are_read(tmp_path: Path) -> None:
    cells = [*_cells(1), None, {"bytes": b"", "path": None}, {"bytes": bytes(TOO_LARGE), "path": None}, *_cells(2)]
    images = open_set(str(parquet(tmp_path / "a.parquet", {"image": cells}, {"image": PICTURE})))
    entries = list(images.entries())
    assert [what(entry) for entry in entries] == [1, "missing", "bad", "bad", 2]
    assert [entry.name for entry in entries][:2] == ["row 0 (/elsewhere/1.png)", "row 1"]
    assert "larger than" in complaint(entries[3])


def test_a_row_with_a_mere_path_is_read_only_from_below_the_folder(tmp_path: Path) -> None:
    inside = folder(tmp_path / "set", {"pictures/1.png": png(1)})
    outside = folder(tmp_path, {"2.png": png(2)}) / "2.png"
    (inside / "link.png").symlink_to(outside)
    paths = [
        "pictures/1.png",
        str(inside / "pictures/1.png"),
        "pictures/gone.png",
        str(outside),
        "../2.png",
        "link.png",
    ]
    paths += ["https://127.0.0.1/x.png", f"file://{outside}", "/etc/passwd"]
    expected = [1, 1, "missing", "bad", "bad", "bad"]
    cells = [{"bytes": None, "path": path} for path in paths]
    for name, columns, feature in (("a", {"image": cells}, PICTURE), ("b", {"image": paths}, TEXT)):
        entries = list(open_set(str(parquet(inside / f"{name}.parquet", columns, {"image": feature}))).entries())
        assert [what(entry) for entry in entries][:6] == expected
        assert {what(entry) for entry in entries[6:]} <= {"bad", "missing"}
        assert "row 3" in complaint(entries[3]) and "outside" in complaint(entries[3])


def test_a_damaged_file_ends_the_pass_with_an_error_after_the_good_rows(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", {"image": _cells(*range(40))}, {"image": PICTURE}, rows=10)
    raw = bytearray(path.read_bytes())
    middle = len(raw) // 2
    raw[middle : middle + 200] = os.urandom(200)
    path.write_bytes(raw)
    got = []
    with pytest.raises(DataError, match=r"a\.parquet is damaged or cut off \(.*\); get it again\.$"):
        for entry in open_set(str(path)).entries():
            got.append(what(entry))
    assert got[:10] == list(range(10)) and len(got) < 40


def test_files_that_are_no_parquet_or_hold_nothing(tmp_path: Path) -> None:
    text = folder(tmp_path, {"text.parquet": b"hello " * 99}) / "text.parquet"
    half = parquet(tmp_path / "half.parquet", {"image": _cells(*range(9))}, {"image": PICTURE})
    half.write_bytes(half.read_bytes()[:-50])
    for path in (text, half):
        with pytest.raises(DataError, match="damaged or cut off"):
            open_set(str(path))
    with pytest.raises(DataError, match="no column with pictures, only label, n; embed them"):
        open_set(str(parquet(tmp_path / "n.parquet", {"label": ["x"], "n": ["y"]}, {"label": TEXT, "n": TEXT})))
    with pytest.raises(DataError, match="has no rows"):
        open_set(str(parquet(tmp_path / "e.parquet", {"image": []}, {"image": PICTURE})))


@pytest.mark.parametrize("name", ["a [1].parquet", "a?b.parquet", "a*.parquet", "ü #%20.parquet"])
def test_odd_names_are_names_and_no_patterns(tmp_path: Path, name: str) -> None:
    parquet(tmp_path / "axb.parquet", {"image": _cells(9)}, {"image": PICTURE})
    assert seen(open_set(str(parquet(tmp_path / name, {"image": _cells(1)}, {"image": PICTURE}))).entries()) == [
        (1, None)
    ]


def test_a_name_that_would_lead_into_another_file_is_refused(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", {"image": _cells(1)}, {"image": PICTURE})
    with pytest.raises(DataError, match="has :: in its name"):
        open_set(str(path.rename(tmp_path / "x::file:a.parquet")))


def test_leaving_a_pass_early_neither_hangs_nor_aborts_python(tmp_path: Path) -> None:
    """Arrow's threads, reading ahead, wait for ever for an interpreter that is on its way out."""
    cells = [{"bytes": bytes(1) + os.urandom(100_000), "path": None} for _ in range(400)]
    path = parquet(tmp_path / "a.parquet", {"image": cells}, {"image": PICTURE}, rows=10)
    script = f"from eftclip.data import open_set\nleft = open_set({str(path)!r}).entries()\nprint(next(left).index)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr


MEMBERS = [
    *samples([1]),
    *(("2.cls", b"7"), ("2.jpg", png(2))),
    *(("d/3.png", png(3)), ("d/3.json", json.dumps({"caption": "three", "label": 5, "x": [1]}).encode())),
    *(("4.PNG", png(4)), ("README", b"no sample"), ("._4.png", b"x"), ("__MACOSX/4.png", b"x")),
    *(("5.mask.png", png(99)), ("5.png", png(5)), ("5.text", b"five")),
    *(("6.png", png(6)), ("6.png", png(7))),
    *(("8.txt", b"alone"), ("8.json", b"{}")),
    *(("../../9.png", png(9)), ("/etc/10.png", png(10)), ("a\n\u202eb.png", png(11)), ("l" * 200 + ".png", png(12))),
]


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_samples_of_a_shard(tmp_path: Path, form: int) -> None:
    images = open_set(str(tarred(tmp_path / "a.tar", MEMBERS, form)))
    assert images.text_kind == "caption"
    assert seen(images.entries()) == [
        *((1, "picture 1"), (2, None), (3, "three"), (4, None), (5, "five"), (99, "five"), (6, None), (7, None)),
        *(("missing", "alone"), (9, None), (10, None), (11, None), (12, None)),
    ]
    entries = list(images.entries())
    assert "has no picture, only txt, json" in complaint(entries[8])
    assert all(
        entry.name.startswith("a.tar/") and entry.name.isprintable() and len(entry.name) < 130 for entry in entries
    )
    assert [entry.name for entry in entries][:3] == ["a.tar/0001.png", "a.tar/2.jpg", "a.tar/d/3.png"]
    assert not list(tmp_path.glob("**/*.png")), "nothing is written"


@pytest.mark.parametrize(
    ("side", "kind", "text"),
    [
        ({"txt": b"a dog\n", "cls": b"3"}, "caption", "a dog"),
        ({"cls": b"3\n"}, None, None),
        ({"label": b"dog", "caption": b"a dog"}, "label", "dog"),
        ({"json": b'{"text": "a dog", "cls": 1}', "cls": b"3"}, "caption", "a dog"),
        ({"json": b'{"label": 3}'}, None, None),
        ({"json": b"[1]"}, None, None),
        ({}, None, None),
    ],
)
def test_texts_of_a_shard(tmp_path: Path, side: dict[str, bytes], kind: str | None, text: str | None) -> None:
    path = tarred(tmp_path / "a.tar", {"1.png": png(1), **{f"1.{field}": raw for field, raw in side.items()}})
    images = open_set(str(path))
    assert (images.text_kind, seen(images.entries())) == (kind, [(1, text)])


@pytest.mark.parametrize(
    "side", [{"json": b"{bad"}, {"json": b"[" * 100_000}, {"txt": b"\xff\xfe"}, {"txt": bytes(2_000_000)}]
)
def test_a_text_that_cannot_be_read_is_told_and_not_lost(tmp_path: Path, side: dict[str, bytes]) -> None:
    bad = [("2.png", png(2)), *((f"2.{field}", raw) for field, raw in side.items())]
    entries = list(open_set(str(tarred(tmp_path / "a.tar", [*bad, *samples([3])]))).entries())
    assert [what(entry) for entry in entries] == ["bad", 3]
    assert "has a text that cannot be read" in complaint(entries[0])


def test_bad_members_are_told_when_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    secret = folder(tmp_path, {"secret.png": png(13)}) / "secret.png"
    kinds = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE, *[tarfile.REGTYPE] * 4)
    with tarfile.open(path, "w") as archive:
        for i, (kind, raw) in enumerate(zip(kinds, (*[b""] * 5, b"x", bytes(TOO_LARGE), png(7)), strict=True)):
            info = tarfile.TarInfo(f"{i}.png")
            info.type, info.size, info.linkname = kind, len(raw), str(secret)
            archive.addfile(info, io.BytesIO(raw))
    entries = list(open_set(str(path)).entries())
    assert [what(entry) for entry in entries] == ["bad"] * 6 + [7], "a folder is no sample"
    assert all("is a link or a device" in complaint(entry) for entry in entries[:3])
    assert "is an empty file" in complaint(entries[3]) and "larger than" in complaint(entries[5])


def _flip(raw: bytes, place: int) -> bytes:
    return raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]


@pytest.mark.parametrize(
    ("spoil", "message", "complete"),
    [
        (lambda raw: raw[: 8 * 1024], "is cut off at byte 8,192", 3),  # between two members: tarfile sees an end
        (lambda raw: raw[: 8 * 1024 + 100], "is cut off at byte", 3),
        (lambda raw: raw[: 8 * 1024 + 520], "is cut off at byte", 4),
        (lambda raw: _flip(raw, 8 * 1024 + 5), "is damaged at byte 8,192", 3),  # and here too
        (lambda raw: raw[: 8 * 1024] + bytes([255]) * 2048, "is damaged at byte 8,192", 3),
    ],
)
def test_half_a_shard_is_never_taken_for_a_whole_one(
    tmp_path: Path, spoil: Callable[[bytes], bytes], message: str, complete: int
) -> None:
    path = tarred(tmp_path / "b.tar", samples(range(8)))
    path.write_bytes(spoil(path.read_bytes()))
    tarred(tmp_path / "a.tar", samples([20]))
    tarred(tmp_path / "c.tar", samples([30]))
    got = []
    with pytest.raises(DataError, match=rf"^b\.tar {message}.*; get it again\.$"):
        for entry in open_set(str(tmp_path)).entries():
            got.append(what(entry))
    assert got == [20, *range(complete)], "whether the sample at the break is complete, nobody knows"


@pytest.mark.parametrize("raw", [b"", b"hello" * 500, bytes([1]) * 2048, b"\x1f\x8b" + bytes(9)])
def test_what_is_no_tar_archive(tmp_path: Path, raw: bytes) -> None:
    with pytest.raises(DataError, match=r"^a\.tar is no tar archive; give an unpacked \.tar\.$"):
        open_set(str(folder(tmp_path, {"a.tar": raw}) / "a.tar"))


def test_shards_without_samples(tmp_path: Path) -> None:
    for files in ({}, {"README": b"x"}):
        with pytest.raises(DataError, match="holds no sample"):
            open_set(str(tarred(tmp_path / "a.tar", files)))


def _header(name: str, kind: bytes, size: int, raw: bytes = b"") -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT) + raw + bytes(-len(raw) % 512)


@pytest.mark.parametrize(
    ("hostile", "message"),
    [
        (_header("x", tarfile.XHDTYPE, 1 << 40), "has a header of 1,099,511,627,776 bytes"),
        (_header("x", tarfile.XHDTYPE, 9, b"0 path=ab"), "has a damaged header"),
        (_header("x", tarfile.XHDTYPE, 9, b"\xff\xff\xff\xff"), "has a damaged header"),
        (_header("x", tarfile.GNUTYPE_LONGNAME, 100, b"short"), "is cut off"),
        (_header("x", tarfile.GNUTYPE_SPARSE, 100), "no plain file"),
        (_header("x.png", tarfile.REGTYPE, -512), "no plain file"),
        (_header("x.png", tarfile.REGTYPE, 1 << 62), "cut off"),
        (_header("x", tarfile.XHDTYPE, 15, b"15 size=9999999") + _header("x.png", tarfile.REGTYPE, 3), "cut off"),
    ],
)  # fmt: skip
def test_headers_made_to_break_things(tmp_path: Path, hostile: bytes, message: str) -> None:
    good = tarred(tmp_path / "a.tar", samples([1, 2])).read_bytes()[: 4 * 1024]
    (tmp_path / "a.tar").write_bytes(good + hostile)
    with at_most(5), pytest.raises(DataError, match=message):
        list(open_set(str(tmp_path / "a.tar")).entries())


SHARD = [*samples([1, 2]), ("l" * 120 + ".png", png(3)), ("3.json", b"{}")]


@settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.tuples(st.integers(0, 9000), st.integers(0, 255)), min_size=1, max_size=6),
    st.integers(0, 12_000),
    st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]),
)
def test_damaged_bytes_give_entries_or_one_sentence(
    tmp_path: Path, changes: list[tuple[int, int]], missing: int, form: int
) -> None:
    raw = bytearray(tarred(tmp_path / "a.tar", SHARD, form).read_bytes())
    for place, value in changes:
        raw[place % len(raw)] = value
    (tmp_path / "a.tar").write_bytes(raw[: len(raw) - missing] if missing < 9000 else raw)
    try:
        entries = list(open_set(str(tmp_path / "a.tar")).entries())
    except DataError as error:
        assert "\n" not in str(error)
    else:
        assert all(what(entry) in (1, 2, 3, "bad", "missing") or entry.read() for entry in entries)


def test_shards_of_one_name_in_two_folders_are_told_apart(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        tarred(tmp_path / name / "0.tar", {"x.png": png(1)})
    assert [entry.name for entry in open_set(str(tmp_path)).entries()] == ["a/0.tar/x.png", "b/0.tar/x.png"]


def test_a_large_shard_costs_one_picture_at_a_time_even_if_entries_are_kept(tmp_path: Path) -> None:
    path = tarred(tmp_path / "a.tar", {f"{i}.png": bytes([i + 1]) * 2_000_000 for i in range(30)})
    with at_most(8):
        entries = list(open_set(str(path)).entries())
        assert all(entry.read()[0] == entry.index + 1 for entry in entries)
    os.truncate(path, 10_000_000)
    assert "is cut off after" in complaint(entries[4])
