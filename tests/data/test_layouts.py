"""What people bring: each layout is read as it is meant, and what was recognised is said in a line."""

import json
import os
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest
from support.packed import complaint, folder, parquet, png, seen, tarred, zipped

from eftclip.data import ImageSet, open_set
from eftclip.errors import DataError

pytestmark = pytest.mark.quick

TEXT, PICTURE = datasets.Value("string"), datasets.Image()
BANANA, LION = "n07753592", "n02129165"


def _set(path: Path, files: dict[str, bytes | str]) -> Path:
    return folder(path / "set", {name: raw.encode() if isinstance(raw, str) else raw for name, raw in files.items()})


def _told(images: ImageSet) -> tuple[list[tuple[str | int, str | None]], str | None]:
    return sorted(seen(images.entries()), key=str), images.text_kind


PNGS = {"a.png": png(1), "b.png": png(2)}
TABLES: dict[str, tuple[str, bytes, str, list[tuple[int, str | None]]]] = {
    "open_clip": (
        "train.csv",
        b"filepath\ttitle\na.png\ta cat, asleep\nb.png\tso it said \xc2\xbbno\xc2\xab\n",
        "open_clip table, tab separated, pictures from `filepath`, captions from `title` in train.csv",
        [(1, "a cat, asleep"), (2, "so it said »no«")],
    ),
    "CleanCLIP": (
        "train.csv",
        b'image,caption\na.png,"a cat, asleep"\n./b.png,dog\n',
        "CleanCLIP table, comma separated, pictures from `image`, captions from `caption` in train.csv",
        [(1, "a cat, asleep"), (2, "dog")],
    ),
    "labels": (
        "labels.csv",
        b"image,label\na.png,cat\nb.png,dog\n",
        "CleanCLIP table, comma separated, pictures from `image`, labels from `label` in labels.csv",
        [(1, "cat"), (2, "dog")],
    ),
    "CC3M after its download": (
        "Train_GCC.tsv",
        b"a cat asleep\ta.png\na dog\tb.png\n",
        "table without column names, tab separated, pictures from column 2, captions from column 1 in Train_GCC.tsv",
        [(1, "a cat asleep"), (2, "a dog")],
    ),
    "semicolons": (
        "metadata.csv",
        b"file_name;text\na.png;a cat, asleep\nb.png;dog\n",
        "table of Hugging Face's kind, semicolon separated, pictures from `file_name`, captions from `text` in "
        "metadata.csv",
        [(1, "a cat, asleep"), (2, "dog")],
    ),
    "UTF-16": (
        "metadata.csv",
        "file_name,label\na.png,кот\nb.png,dog\n".encode("utf-16"),
        "table of Hugging Face's kind, comma separated, UTF-16, pictures from `file_name`, labels from `label` in "
        "metadata.csv",
        [(1, "кот"), (2, "dog")],
    ),
    "JSON lines": (
        "metadata.jsonl",
        b'{"file_name": "a.png", "text": ["a cat", "another"]}\n\n{"file_name": "b.png", "text": "dog"}\n',
        "table of Hugging Face's kind, one JSON object a line, pictures from `file_name`, captions from `text` in "
        "metadata.jsonl",
        [(1, "a cat"), (2, "dog")],
    ),
}


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("how", ["folder", "table", "zip"])
@pytest.mark.situation("data sets", "read")
def test_tables(kind: str, how: str, tmp_path: Path) -> None:
    name, raw, layout, texts = TABLES[kind]
    files = PNGS | {name: raw}
    path = zipped(tmp_path / "set.zip", files) if how == "zip" else folder(tmp_path / "set", files)
    images = open_set(str(path / name if how == "table" else path))
    assert (seen(images.entries()), images.layout) == (texts, layout)


@pytest.mark.situation("data sets", "refused")
def test_a_table_of_addresses_says_that_nothing_is_fetched(tmp_path: Path) -> None:
    path = _set(tmp_path, {"Train_GCC.tsv": "a cat\thttps://127.0.0.1/a.png\na dog\thttp://127.0.0.1/b.png\n"})
    with pytest.raises(DataError, match=r"names addresses in the web \(tab separated\), and nothing is fetched"):
        open_set(str(path / "Train_GCC.tsv"))


@pytest.mark.situation("data sets", "read")
def test_paths_of_a_table_that_lie_inside_are_inside(tmp_path: Path) -> None:
    path = _set(tmp_path, {"sub/a.png": png(1), "sub/b.png": png(2), "ü.png": png(3)})
    rows = [f"{path}/sub/a.png", "set/sub/b.png", unicodedata.normalize("NFD", "ü.png"), "../set/sub/a.png"]
    (path / "metadata.csv").write_text("file_name\n" + "\n".join(rows), encoding="utf-8")
    assert [number for number, _ in seen(open_set(str(path)).entries())] == [1, 2, 3, "bad"]
    moved = _set(tmp_path / "moved", {"sub/a.png": png(1), "metadata.csv": "file_name\n/elsewhere/set/sub/a.png\n"})
    assert seen(open_set(str(moved)).entries()) == [(1, None)]


@pytest.mark.situation("data sets", "refused")
def test_a_quote_that_is_not_closed_names_its_line(tmp_path: Path) -> None:
    path = _set(tmp_path, {"a.png": png(1), "metadata.csv": 'file_name,text\na.png,fine\na.png,"a "cat" here"\n'})
    with pytest.raises(DataError, match=r"metadata\.csv cannot be read in line 3 .*double the quotes"):
        open_set(str(path))
    path = _set(tmp_path / "l", {"a.png": png(1), "metadata.jsonl": '{"file_name": "a.png"}\n{"file_name": \n'})
    with pytest.raises(DataError, match=r"metadata\.jsonl cannot be read in line 2"):
        open_set(str(path))


@pytest.mark.situation("data sets", "counted")
def test_a_pipe_or_a_link_to_nowhere_is_no_table_and_ends_nothing(tmp_path: Path) -> None:
    path = folder(tmp_path / "set", {"a.png": png(1), "a.txt": b"a cat", "odd.csv": b'x,"never closed'})
    os.mkfifo(path / "pipe.csv")
    os.mkfifo(path / "pipe")
    os.mkfifo(path / "classes.txt")
    (path / "gone.tsv").symlink_to(tmp_path / "nowhere")
    assert seen(open_set(str(path)).entries()) == [(1, "a cat")]
    (path / "gone.tsv").rename(path / "metadata.csv")
    with pytest.raises(DataError, match=r"metadata\.csv is not a file"):
        open_set(str(path))


@pytest.mark.situation("data sets", "read")
def test_names_in_a_zip_without_the_utf8_flag(tmp_path: Path) -> None:
    raw = zipped(tmp_path / "a.zip", {"Xx.png": png(1), "metadata.csv": "file_name,label\nü.png,cat\n".encode()})
    raw.write_bytes(raw.read_bytes().replace(b"Xx.png", "ü.png".encode()))
    assert zipfile.ZipFile(raw).namelist()[0] != "ü.png", "the zip does not say that its names are UTF-8"
    assert seen(open_set(str(raw)).entries()) == [(1, "cat")]


@pytest.mark.situation("data sets", "read")
def test_links_into_the_cache_of_the_hub_lie_inside(tmp_path: Path) -> None:
    repository = folder(
        tmp_path / "datasets--org--name", {"blobs/0f": png(1), "blobs/1f": b"file_name,label\na.png,cat\n"}
    )
    snapshot = repository / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    for name, blob in (("a.png", "0f"), ("metadata.csv", "1f")):
        (snapshot / name).symlink_to(Path("../../blobs") / blob)
    assert seen(open_set(str(snapshot)).entries()) == [(1, "cat")]


# --- img2dataset and WebDataset ---

STATS = json.dumps({"count": 10, "successes": 2, "failed_to_download": 8}).encode()
SAMPLE = {"000000000": "a cat", "000000001": "a dog"}


def _img2dataset(folder: str = "00000/") -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for k, (key, caption) in enumerate(SAMPLE.items()):
        about = {"caption": caption, "url": "https://127.0.0.1/x", "status": "success", "key": key}
        files |= {f"{folder}{key}.jpg": png(k), f"{folder}{key}.txt": caption.encode()}
        files[f"{folder}{key}.json"] = json.dumps(about).encode()
    return files


def _table_of_urls(path: Path) -> None:
    rows = {"url": ["https://127.0.0.1/x"], "status": ["failed_to_download"]}
    parquet(path, rows, {"url": TEXT, "status": TEXT})


@pytest.mark.situation("data sets", "read")
def test_img2dataset_files(tmp_path: Path) -> None:
    path = folder(tmp_path / "set", _img2dataset() | {"00000_stats.json": STATS})
    _table_of_urls(path / "00000.parquet")
    images = open_set(str(path))
    assert (_told(images), images.length) == (([(0, "a cat"), (1, "a dog")], "caption"), 2)
    assert images.layout == "pictures with .json, .txt beside them, captions from there"
    assert images.notes[0] == "8 of 10 pictures were never downloaded, as img2dataset's statistics say."


@pytest.mark.situation("data sets", "read")
def test_img2dataset_shards(tmp_path: Path) -> None:
    path = folder(tmp_path / "set", {"00000_stats.json": STATS, "00001_stats.json": STATS})
    for shard in ("00000", "00001"):
        tarred(path / f"{shard}.tar", list(_img2dataset("").items()))
        _table_of_urls(path / f"{shard}.parquet")
    for source in (path, f"{path}/{{00000..00001}}.tar", f"{path}/0000{{0,1}}.tar"):
        images = open_set(str(source))
        assert _told(images) == ([(0, "a cat")] * 2 + [(1, "a dog")] * 2, "caption")
        assert images.layout == "2 WebDataset shards, captions from .json, .txt"
    assert open_set(str(path)).notes[0] == "16 of 20 pictures were never downloaded, as img2dataset's statistics say."
    with pytest.raises(DataError, match=r"00002\.tar is not there, but the range names it"):
        open_set(f"{path}/{{00000..00002}}.tar")


@pytest.mark.situation("data sets", "read")
def test_clip_benchmark_shards(tmp_path: Path) -> None:
    path = folder(tmp_path / "set", {"classnames.txt": b"cat\nhot_dog\n", "test/nshards.txt": b"1"})
    members = [("s0.cls", b"0"), ("s0.webp", png(1)), ("s1.cls", b"1"), ("s1.webp", png(2))]
    tarred(path / "test" / "0.tar", members)
    for source in (path, path / "test", path / "test" / "0.tar"):
        images = open_set(str(source))
        assert _told(images) == ([(1, "cat"), (2, "hot dog")], "label")
        assert images.layout == "1 WebDataset shard, labels from .cls, numbers named by the list of classes beside them"
    (path / "classnames.txt").unlink()
    images = open_set(str(path))
    assert _told(images) == ([(1, None), (2, None)], None)
    assert "numbers (.cls), which are no labels" in images.notes[0]


# --- class folders ---

CLASS_FOLDERS: dict[str, tuple[dict[str, bytes | str], str, list[tuple[int, str | None]]]] = {
    "synsets": (
        {f"{BANANA}/a.JPEG": png(1), f"{LION}/b.JPEG": png(2)},
        "pictures in 2 ImageNet synset folders, translated",
        [(1, "banana"), (2, "lion")],
    ),
    "numbers before names": (
        {"001.Faces/1.png": png(1), "002.Hot_dog/2.png": png(2)},
        "pictures in 2 class folders",
        [(1, "Faces"), (2, "Hot dog")],
    ),
    "mere numbers": ({"0/1.png": png(1), "1/2.png": png(2)}, "pictures without labels", [(1, None), (2, None)]),
    "numbers with names": (
        {"0/1.png": png(1), "1/2.png": png(2), "classnames.txt": "cat\ndog\n"},
        "pictures in 2 numbered class folders, named by the list of classes beside them",
        [(1, "cat"), (2, "dog")],
    ),
    "CleanCLIP's classes.py": (
        {"0/1.png": png(1), "1/2.png": png(2), "classes.py": "{'classes': ['cat', 'dog'], 't': [lambda c: exit(1)]}"},
        "pictures in 2 numbered class folders, named by the list of classes beside them",
        [(1, "cat"), (2, "dog")],
    ),
    "shards": ({"00000/1.png": png(1), "00001/2.png": png(2)}, "pictures without labels", [(1, None), (2, None)]),
    "one folder of images": ({"images/1.png": png(1)}, "pictures without labels", [(1, None)]),
    "parts": (
        {"train/cat/1.png": png(1), "test/dog/2.png": png(2)},
        "pictures in 2 class folders",
        [(1, "cat"), (2, "dog")],
    ),
    "images inside": ({"cat/images/1.png": png(1), "dog/images/2.png": png(2)}, "pictures in 2 class folders",
                      [(1, "cat"), (2, "dog")]),
}  # fmt: skip
PACKINGS: dict[str, Callable[[Path, dict[str, bytes]], Path]] = {
    "folder": lambda path, files: folder(path / "set", files),
    "zip": lambda path, files: zipped(path / "set.zip", files),
    "zip of the folder": lambda path, files: zipped(path / "set.zip", {f"set/{n}": raw for n, raw in files.items()}),
    "tar of the folder": lambda path, files: tarred(path / "set.tar", {f"./set/{n}": raw for n, raw in files.items()}),
}


@pytest.mark.parametrize("kind", CLASS_FOLDERS)
@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.situation("data sets", "read")
def test_class_folders(kind: str, packing: str, tmp_path: Path) -> None:
    files, layout, texts = CLASS_FOLDERS[kind]
    raw = {name: content.encode() if isinstance(content, str) else content for name, content in files.items()}
    images = open_set(str(PACKINGS[packing](tmp_path, raw)))
    assert _told(images) == (texts, "label" if any(text for _, text in texts) else None)
    assert images.layout == layout or (packing.startswith("tar") and images.layout.endswith("without texts"))
    if kind in ("mere numbers", "shards") and not packing.startswith("tar"):
        assert "which are no labels; name them in a classnames.txt" in images.notes[0]


@pytest.mark.situation("data sets", "read")
def test_numbers_in_a_table_are_labels_only_with_names(tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {"a.png": png(1), "b.png": png(2), "labels.csv": "image,label\na.png,0\nb.png,1\n"}
    images = open_set(str(_set(tmp_path, files)))
    assert _told(images) == ([(1, None), (2, None)], None)
    assert images.notes[0].startswith("The column label holds numbers, which are no labels")
    images = open_set(str(_set(tmp_path, files | {"classes.txt": "cat\ndog\n"})))
    assert _told(images) == ([(1, "cat"), (2, "dog")], "label")


# --- parts ---


@pytest.mark.parametrize(
    "files",
    [
        {"train/cat/1.png": png(1), "val/cat/2.png": png(2), "val/dog/3.png": png(3)},
        {"set/train/cat/1.png": png(1), "set/validation/cat/2.png": png(2), "set/validation/dog/3.png": png(3)},
    ],
)
@pytest.mark.situation("data sets", "read")
def test_a_part_of_a_tree(files: dict[str, bytes | str], tmp_path: Path) -> None:
    path = _set(tmp_path, files)
    packed = zipped(tmp_path / "set.zip", {name: raw for name, raw in files.items() if isinstance(raw, bytes)})
    for source in (path, packed):
        assert _told(open_set(str(source), split="validation")) == ([(2, "cat"), (3, "dog")], "label")
        assert _told(open_set(str(source), split="train")) == ([(1, "cat")], "label")
        assert len(list(open_set(str(source)).entries())) == 3
        with pytest.raises(DataError, match=r"has no part 'test'; it has: train, validation"):
            open_set(str(source), split="test")


@pytest.mark.situation("data sets", "read")
def test_a_part_by_its_table_or_its_files(tmp_path: Path) -> None:
    tables = {"train.csv": b"image,caption\na.png,cat\n", "val.csv": b"image,caption\nb.png,dog\n"}
    path = folder(tmp_path / "set", PNGS | tables)
    assert _told(open_set(str(path), split="val")) == ([(2, "dog")], "caption")
    assert _told(open_set(str(path))) == ([(1, "cat"), (2, "dog")], "caption")
    for k, part in enumerate(("train", "test")):
        cells = [{"bytes": png(k), "path": None}]
        parquet(tmp_path / "p" / f"{part}-00000-of-00001.parquet", {"image": cells}, {"image": PICTURE})
    assert seen(open_set(str(tmp_path / "p"), split="test").entries()) == [(1, None)]


@pytest.mark.situation("data sets", "refused")
def test_a_set_without_parts_says_so(tmp_path: Path) -> None:
    path = folder(tmp_path / "set", PNGS)
    assert "has no parts" in open_set(str(path), split="train").notes[0]
    with pytest.raises(DataError, match="has no parts, so leave --split out"):
        open_set(str(path), split="test")


# --- parquet ---


@pytest.mark.parametrize(
    ("column", "values", "feature", "text"),
    [
        ("fine_label", [1], datasets.ClassLabel(names=["cat", "dog"]), "dog"),
        ("caption", [["a dog", "another"]], datasets.List(TEXT), "a dog"),
        ("label", ["7"], TEXT, None),
        ("title", ["a dog"], TEXT, "a dog"),
    ],
)
@pytest.mark.situation("data sets", "read")
def test_texts_of_parquet(column: str, values: list[Any], feature: Any, text: str | None, tmp_path: Path) -> None:
    columns = {"img": [{"bytes": png(1), "path": None}], column: values}
    images = open_set(str(parquet(tmp_path / "a.parquet", columns, {"img": PICTURE, column: feature})))
    assert seen(images.entries()) == [(1, text)]
    assert images.layout.startswith(f"1 parquet file, pictures from `img`, {images.text_kind}s from `{column}`")


@pytest.mark.situation("data sets", "read")
def test_numbers_of_parquet_are_labels_only_with_names(tmp_path: Path) -> None:
    columns: dict[str, list[Any]] = {"image": [{"bytes": png(k), "path": None} for k in (1, 2)], "label": [1, 7]}
    path = parquet(tmp_path / "a.parquet", columns, {"image": PICTURE, "label": datasets.Value("int64")})
    assert "holds numbers, which are no labels" in open_set(str(path)).notes[0]
    (tmp_path / "classnames.txt").write_text("cat\ndog\n")
    assert _told(open_set(str(path))) == ([(1, "dog"), (2, None)], "label")


@pytest.mark.situation("data sets", "read")
def test_what_lies_beside_pictures_and_has_no_letters_is_no_caption(tmp_path: Path) -> None:
    """Boxes of a detector; and a table of numbers does not unsay what the folders say."""
    files = {"cat/a.png": png(1), "cat/a.txt": b"0 0.5 0.5 0.1 0.1", "dog/b.png": png(2)}
    assert _told(open_set(str(folder(tmp_path / "set", files)))) == ([(1, "cat"), (2, "dog")], "label")
    files |= {"boxes.csv": b"image,label\ncat/a.png,0\ndog/b.png,1\n"}
    images = open_set(str(folder(tmp_path / "set", files)))
    assert _told(images) == ([(1, "cat"), (2, "dog")], "label")
    assert images.layout.endswith("in boxes.csv; pictures in 2 class folders")


@pytest.mark.situation("data sets", "counted")
def test_a_text_beside_a_picture_that_cannot_be_read_is_a_fault_of_that_picture(tmp_path: Path) -> None:
    path = folder(tmp_path / "set", {"a.png": png(1), "a.txt": b"cat", "b.png": png(2), "b.txt": b"\xff\xfe\xfd"})
    entries = list(open_set(str(path)).entries())
    assert (entries[0].text, "has a text that cannot be read" in complaint(entries[1])) == ("cat", True)
