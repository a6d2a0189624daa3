"""Whatever a source holds is judged, or counted and named: random sources against an independent count."""

import io
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from support.packed import folder, number, parquet, png, tarred, zipped

from eftclip.data import list_left_out, list_pictures, open_set
from eftclip.errors import DataError, LeftOutError

pytestmark = pytest.mark.quick

PICTURES = (".png", ".PNG", ".jfif", ".JPEG", ".avif", ".heic", ".mask.png", ".webp")
OTHERS = ("", ".bin", ".dat", ".", ".seg", ".v1.2")
NAMES = st.builds(
    lambda folders, stem, suffix: "/".join([*folders, stem + suffix]),
    st.lists(st.sampled_from(["a", "b.c", "00001", "猫", "é x", ".cache", "train"]), max_size=2),
    st.sampled_from(["1", "2", "x.y", "Ünï", "кот", "a b", ".hid", "0001", "q'\"", "n02504458"]),
    st.sampled_from(PICTURES + OTHERS),
)
CONTENTS = st.sampled_from(["png", "jpeg", "avif", "cut", "heic", "text", "zip", "empty"])
READABLE, LOOKS_LIKE_ONE, MAY_HOLD = {"png", "jpeg", "avif"}, {"png", "jpeg", "avif", "cut", "heic"}, {"zip"}
EXAMPLES = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def _encoded(number: int, kind: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (32, 24), (number, 90, 90)).save(out, kind)
    return out.getvalue()


def _bytes(number: int, content: str) -> bytes:
    return {
        "png": lambda: png(number),
        "jpeg": lambda: _encoded(number, "JPEG"),
        "avif": lambda: _encoded(number, "AVIF"),
        "cut": lambda: png(number)[:50],
        "heic": lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99),
        "text": lambda: b"hello",
        "zip": lambda: b"PK\3\4" + bytes(99),
        "empty": lambda: b"",
    }[content]()


def _expected(files: dict[str, str]) -> tuple[int, int]:
    """How many files can be read as pictures, and how many more must be counted."""
    read = counted = 0
    for name, content in files.items():
        hidden = any(part.startswith(".") and part.strip(".") for part in name.split("/"))
        if not hidden and content in READABLE:
            read += 1
        elif content in LOOKS_LIKE_ONE | MAY_HOLD or (not hidden and name.endswith(PICTURES)):
            counted += 1
    return read, counted


def _found(source: Path) -> tuple[int, int]:
    """The same, of a set; each entry is read twice, in two passes that must agree."""
    images = open_set(str(source))
    outcomes: list[list[bool]] = []
    for _ in range(2):
        seen: Counter[str] = Counter()
        outcomes.append([])
        for k, entry in enumerate(images.entries()):
            assert entry.index == k
            seen[entry.name] += 1
            try:
                number(entry)
                outcomes[-1].append(True)
            except DataError as error:
                assert str(error).endswith(".") and "\n" not in str(error)
                outcomes[-1].append(False)
        assert max(seen.values()) == 1, "each is found by a name of its own"
    assert outcomes[0] == outcomes[1]
    assert images.length in (None, len(outcomes[0]))
    return sum(outcomes[0]), len(outcomes[0]) - sum(outcomes[0])


def _made(files: dict[str, str]) -> dict[str, bytes]:
    return {name: _bytes(k, content) for k, (name, content) in enumerate(files.items())}


def _usable(files: dict[str, str]) -> dict[str, str]:
    """Without names that cannot stand beside each other on a disk: a file and a folder, capitals apart."""
    kept: dict[str, str] = {}
    for name, content in files.items():
        if not any(other.startswith(f"{name}/") or name.startswith(f"{other}/") for other in kept):
            kept[name] = content
    return {**kept, "zz/last.png": "png"}  # a set without any picture is an error, not a set


FILES = st.dictionaries(NAMES, CONTENTS, max_size=9).map(_usable)


@EXAMPLES
@given(FILES, st.dictionaries(NAMES, CONTENTS, max_size=4).map(_usable))
def test_folders_with_links(tmp_path: Path, files: dict[str, str], linked: dict[str, str]) -> None:
    where = tmp_path / f"{len(list(tmp_path.iterdir())):04}"
    source = folder(where / "set", _made(files))
    folder(where / "elsewhere", _made(linked))
    (source / "door").symlink_to(where / "elsewhere")
    (source / "again").symlink_to(source)
    (source / "door" / "back").symlink_to(source)
    assert _found(source) == tuple(map(sum, zip(_expected(files), _expected(linked), strict=True)))
    _, counted = _expected(files | {f"door/{name}": content for name, content in linked.items()})
    listed, left_out = list_pictures([source]), list_left_out([source])
    assert len(listed) + len(left_out) == sum(_found(source))
    assert len(left_out) <= counted


@EXAMPLES
@given(FILES)
def test_archives(tmp_path: Path, files: dict[str, str]) -> None:
    where = tmp_path / f"{len(list(tmp_path.iterdir())):04}.zip"
    assert _found(zipped(where, _made(files))) == _expected(files)


@EXAMPLES
@given(FILES)
def test_shards_whatever_is_under_one_key(tmp_path: Path, files: dict[str, str]) -> None:
    """Samples without any picture are counted besides: a text that stands alone is a sample that lost its picture."""
    where = tmp_path / f"{len(list(tmp_path.iterdir())):04}.tar"
    read, counted = _found(tarred(where, _made(files)))
    expected = _expected(files)
    assert read == expected[0]
    assert counted >= expected[1]


@EXAMPLES
@given(FILES, st.data())
def test_tables(tmp_path: Path, files: dict[str, str], data: st.DataObject) -> None:
    where = tmp_path / f"{len(list(tmp_path.iterdir())):04}"
    named = data.draw(st.lists(st.sampled_from(sorted(files)), unique=True))
    table = "file_name,label\n" + "".join('"{}",x\n'.format(name.replace('"', '""')) for name in named)
    read, counted = _found(folder(where, _made(files) | {"metadata.csv": table.encode()}))
    expected = _expected(files)
    assert read >= expected[0], "a table may name hidden pictures too"
    assert read + counted >= sum(expected)


@EXAMPLES
@given(st.lists(st.lists(CONTENTS.filter(lambda content: content != "empty"), max_size=3), min_size=1, max_size=4))
def test_parquet_with_several_pictures_in_a_row(tmp_path: Path, rows: list[list[str]]) -> None:
    import datasets

    where = tmp_path / f"{len(list(tmp_path.iterdir())):04}.parquet"
    cell = {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}
    columns: dict[str, list[Any]] = {
        "image": [{"bytes": png(k), "path": f"{k}.png"} for k in range(len(rows))],
        "views": [[{"bytes": _bytes(9, content), "path": None} for content in row] for row in rows],
        "raw": [_bytes(8, row[0]) if row else None for row in rows],
    }
    features = {"image": datasets.Image(), "views": datasets.List(cell), "raw": datasets.Value("binary")}
    contents = [content for row in rows for content in (*row, *row[:1])]
    read = len(rows) + sum(content in READABLE for content in contents)
    counted = sum(content in LOOKS_LIKE_ONE | MAY_HOLD and content not in READABLE for content in contents)
    assert _found(parquet(where, columns, features)) == (read, counted)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("photo.jpg", "heic", "is an HEIC picture, which is not read"),
        ("inner.tar", "zip", "may hold pictures and was left out"),
        (".hid.png", "png", "is hidden and was left out"),
    ],
)
@pytest.mark.situation("data sets", "counted")
def test_what_is_left_out_says_why(tmp_path: Path, name: str, content: str, says: str) -> None:
    images = open_set(str(folder(tmp_path, {"a.png": png(1), name: _bytes(2, content)})))
    other = next(entry for entry in images.entries() if entry.name == name)
    with pytest.raises(DataError, match=says) as caught:
        number(other)
    assert isinstance(caught.value, LeftOutError) == (content != "heic")


@pytest.mark.situation("data sets", "counted")
def test_a_link_to_a_folder_around_the_set_is_counted_and_not_followed(tmp_path: Path) -> None:
    source = folder(tmp_path / "in" / "set", {"a.png": png(1)})
    (source / "up").symlink_to(tmp_path)
    assert _found(source) == (1, 1)
    assert "around this one" in list_left_out([source])[0][1]
