"""Pictures and photographs that are as they should be; hostile ones are in test_hostile_images.py."""

import io
import os
import time
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from PIL import Image

from eftclip.data import bundled_photographs, check_picture, host_photographs, list_pictures, photographs, read_picture
from eftclip.data.photographs import CACHED_PX
from eftclip.errors import DataError
from eftclip.runtime import seeded

pytestmark = pytest.mark.quick


def _save(path: Path, size: tuple[int, int] = (32, 24), colour: str = "red") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.gif", "a.bmp", "a.tif"])
def test_every_listed_format_is_read_from_path_bytes_and_stream(tmp_path: Path, name: str) -> None:
    path = _save(tmp_path / name)
    for source in (path, path.read_bytes(), io.BytesIO(path.read_bytes())):
        picture = read_picture(source)
        assert (picture.mode, picture.size) == ("RGB", (32, 24))
        red, green, blue = picture.getpixel((5, 5))  # type: ignore[misc]
        assert red > 250 and green < 5 and blue < 5


def test_check_picture_takes_a_picture_that_arrives_decoded() -> None:
    given = Image.new("RGB", (32, 24))
    checked = check_picture(given)
    checked.putpixel((0, 0), (9, 9, 9))
    assert given.getpixel((0, 0)) == (0, 0, 0), "the caller's picture is not shared"


def test_folders_are_searched_deeply_in_order_without_hidden_files(tmp_path: Path) -> None:
    for name in ("b/2.JPG", "b/10.png", "a.webp", ".hidden.png", ".cache/x.png", "b/.also.png"):
        _save(tmp_path / name) if name != "b/2.JPG" else _save(tmp_path / "b/x.jpg").rename(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not a picture")
    names = [str(path.relative_to(tmp_path)) for path in list_pictures([tmp_path])]
    assert names == ["a.webp", "b/10.png", "b/2.JPG"]


def test_named_files_are_taken_whatever_their_name_and_only_once(tmp_path: Path) -> None:
    odd, plain = _save(tmp_path / "x.png").rename(tmp_path / ".odd"), _save(tmp_path / "p.png")
    assert list_pictures([odd, tmp_path, plain]) == (odd, plain)


def test_links_in_circles_do_not_hang(tmp_path: Path) -> None:
    path = _save(tmp_path / "in" / "x.png")
    (tmp_path / "in" / "again").symlink_to(tmp_path)
    assert list_pictures([tmp_path]) == (path,)


def test_there_is_never_an_empty_list(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("")
    with pytest.raises(DataError, match="No picture was named"):
        list_pictures([])
    with pytest.raises(DataError, match="holds no picture"):
        list_pictures([_save(tmp_path / "full" / "x.png"), tmp_path / "readme.txt", _empty(tmp_path)])
    with pytest.raises(DataError, match=r"gone\.png does not exist"):
        list_pictures([tmp_path / "gone.png"])
    with pytest.raises(DataError, match="does not exist"):
        list_pictures([Path("x" * 5000)])


def _empty(tmp_path: Path) -> Path:
    (tmp_path / "empty").mkdir()
    return tmp_path / "empty"


def test_a_locked_sub_folder_is_an_error_and_not_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locked, scandir = _save(tmp_path / "locked" / "y.png").parent, os.scandir

    def refuse(path: str) -> object:  # a permission would not stop root
        if Path(path) == locked:
            raise PermissionError(13, "Permission denied", str(locked))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match=r"locked cannot be read \(Permission denied\)"):
        list_pictures([_save(tmp_path / "x.png").parent])


def test_bundled_photographs_are_there_readable_and_named() -> None:
    found = bundled_photographs()
    assert len(found) >= 12 and len({photo.name for photo in found}) == len(found)
    for photo in found:
        assert min(read_picture(photo.path).size) >= 224, f"{photo.name} is a thumbnail"
        assert photo.label and photo.credit
    assert {"cat", "lion", "astronaut", "flower"} <= {photo.label for photo in found}


def _only(package: str, asked: list[str]) -> Callable[[str], ModuleSpec | None]:
    """A machine on which no other package is installed."""

    def find(name: str) -> ModuleSpec | None:
        asked.append(name)
        return find_spec(name) if name == package else None

    return find


def test_a_missing_package_leaves_its_photographs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(photographs, "find_spec", _only("skimage", asked))
    found = bundled_photographs.__wrapped__()
    assert len(found) == 8 and all("skimage" in str(photo.path) for photo in found)
    assert not any("." in name for name in asked), "find_spec imports the package that a dotted name lies in"


def test_too_few_photographs_are_an_error_that_names_the_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photographs, "find_spec", _only("gradio", []))
    with pytest.raises(DataError, match=r"Only 4 of the 14 photographs .*missing: .*chelsea\.png.*requirements\.txt"):
        bundled_photographs.__wrapped__()


def test_strangers_are_varied_pictures_that_the_generator_decides() -> None:
    pictures = host_photographs(64, 28, generator=seeded(3))
    assert pictures.shape == (28, 3, 64, 64) and pictures.dtype == torch.float32
    assert pictures.min() >= 0 and pictures.max() <= 1
    assert torch.equal(pictures, host_photographs(64, 28, generator=seeded(3)))
    assert not torch.equal(pictures, host_photographs(64, 28, generator=seeded(4)))
    assert all(picture.std() > 0.03 for picture in pictures), "crops of photographs, none of them blank"
    assert len({tuple(picture.mean((1, 2)).tolist()) for picture in pictures}) == 28, "no two are alike"


def test_strangers_use_every_photograph_before_one_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[Path] = []

    def note(path: Path) -> torch.Tensor:
        used.append(path)
        return torch.zeros(3, 40, 40, dtype=torch.uint8)

    monkeypatch.setattr(photographs, "_pixels", note)
    count = len(bundled_photographs())
    host_photographs(32, 2 * count, generator=seeded(0))
    assert len(set(used[:count])) == count and used[:count] == used[count:]


@pytest.mark.parametrize("count", [0, 1])
def test_strangers_of_any_count_and_size(count: int) -> None:
    assert host_photographs(2 * CACHED_PX, count, generator=seeded(0)).shape == (count, 3, 896, 896)


def test_strangers_come_fast_once_the_photographs_are_decoded() -> None:
    host_photographs(224, 14, generator=seeded(0))
    start = time.process_time()
    host_photographs(224, 48, generator=seeded(0))
    assert time.process_time() - start < 0.5
