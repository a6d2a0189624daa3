"""Lists of labels in every form that people keep them in: read as they are meant, or refused with the reason."""

import json
from pathlib import Path

import pytest

from eftclip.data import read_label_file
from eftclip.errors import DataError

pytestmark = pytest.mark.quick

WANTED = ("cat", "hot dog", "crème brûlée")
CYRILLIC = ("кошка на окне", "горячая собака", "красный грузовик", "зелёное яблоко на столе")
LINES = "\n".join(WANTED)
FILES: dict[str, tuple[str, bytes, str]] = {
    "lines": ("a.txt", LINES.encode(), ""),
    "Windows lines": ("a.txt", LINES.replace("\n", "\r\n").encode("utf-8-sig"), ""),
    "UTF-16": ("a.txt", LINES.encode("utf-16"), "utf-16"),
    "Latin-1": ("a.txt", (LINES + "\n").encode("cp1252"), "cp1252"),
    "Cyrillic": ("a.txt", "\n".join(CYRILLIC).encode("cp1251"), "cp1251"),
    "JSON list": ("a.json", json.dumps(WANTED).encode(), "JSON"),
    "JSON list called text": ("a.txt", json.dumps(WANTED, indent=2).encode(), "JSON"),
    "JSON by number": ("a.json", json.dumps({str(2 - k): w for k, w in enumerate(WANTED[::-1])}).encode(), "JSON"),
    "JSON to number": ("a.json", json.dumps({word: k for k, word in enumerate(WANTED)}).encode(), "JSON"),
    "imagenet_class_index.json": (
        "a.json",
        json.dumps({str(k): [f"n0000000{k}", word.replace(" ", "_")] for k, word in enumerate(WANTED)}).encode(),
        "JSON",
    ),
    "JSON under a key": ("a.json", json.dumps({"classes": WANTED, "templates": ["{}"]}).encode(), "JSON"),
    "JSON objects": ("a.json", json.dumps([{"id": 1, "name": word} for word in WANTED]).encode(), "JSON"),
    "a list as Python writes it": ("a.txt", str(list(WANTED)).encode(), "JSON"),
    "one line with commas": ("a.txt", ", ".join(WANTED).encode(), "one line with commas"),
    "quoted, with commas": ("a.txt", ", ".join(f'"{word}"' for word in WANTED).encode(), "one line with commas"),
    "numbered": ("a.txt", "\n".join(f"{k}: {word}" for k, word in enumerate(WANTED)).encode(), "numbered lines"),
    "escaped": ("a.txt", b"cat\nhot dog\ncr&egrave;me br&#251;l&eacute;e\n", ""),
    "CSV": ("a.csv", "\n".join(("id,label", *(f"{k},{word}" for k, word in enumerate(WANTED)))).encode(), "table"),
    "CSV of one column": ("a.csv", LINES.encode(), "table"),
    "CSV without names": ("a.csv", "\n".join(f"{k};{word}" for k, word in enumerate(WANTED)).encode(), "table"),
    "synsets": ("a.txt", b"n07753592\nn02129165\n", ""),
}


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.situation("label files", "read")
def test_lists_of_labels(kind: str, tmp_path: Path) -> None:
    name, raw, form = FILES[kind]
    path = tmp_path / name
    path.write_bytes(raw)
    labels, told = read_label_file(path)
    assert labels == {"synsets": ("banana", "lion"), "Cyrillic": CYRILLIC}.get(kind, WANTED)
    assert told == form


@pytest.mark.parametrize(
    ("name", "raw", "says"),
    [
        ("a.txt", b"0\n1\n2\n", "holds numbers"),
        ("a.json", b"[1, 2, 3]", "holds numbers"),
        ("a.json", b'["cat", ', "begins like JSON and is none"),
        ("a.json", b'{"epoch": {"loss": 0.1}}', "JSON without a list of names"),
        ("a.json", b"{}", "JSON without a list of names"),
        ("a.txt", b"<html><li>cat</li></html>", "written in HTML or XML"),
        ("a.txt", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\xff\xfe", "encoding cannot be told"),
        ("a.csv", b"left,right\ncat,dog\n", "has no column label, labels, class, class_name, only: left, right"),
        ("a.csv", b'label\n"cat\n', "cannot be read in line"),
        ("a.txt", b"x" * 1_000_001, "more than any label list needs"),
    ],
)
@pytest.mark.situation("label files", "refused")
def test_what_is_no_list_of_labels_is_refused_with_the_reason(name: str, raw: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(raw)
    with pytest.raises(DataError, match=says) as caught:
        read_label_file(tmp_path / name)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


@pytest.mark.situation("label files", "read")
def test_commas_and_numbers_inside_labels_stay(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("tench, Tinca tinca\n7-up bottle\nAT&T logo\n9 volt battery\n")
    labels, _ = read_label_file(tmp_path / "a.txt")
    assert labels == ("tench, Tinca tinca", "7-up bottle", "AT&T logo", "9 volt battery")
