"""Pictures that somebody sent to break things, or that only look broken: one clear sentence, or the right pixels."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from eftclip.data import check_picture, read_picture
from eftclip.data.pictures import MAX_FILE_MB
from eftclip.errors import DataError

WHITE, RED = (255, 255, 255), (255, 0, 0)


def _file(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def _noise(width: int = 64, height: int = 48) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png(width: int, height: int) -> bytes:
    """A few bytes that promise a large picture: as a bomb does, it would expand to width × height zeros."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 100_000, 9)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _gif(width: int, height: int) -> bytes:
    """A screen of that size with one frame of one pixel."""
    frame = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6) + frame + b";"


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "is an empty file"),
    "text": (lambda: b"I am a picture, trust me.\n" * 9, r"is not a picture .*b'I am a pictu'"),
    "svg": (lambda: b'<svg xmlns="http://www.w3.org/2000/svg" width="99" height="99"/>', "is not a picture"),
    "html": (lambda: b"<!doctype html><title>404</title>", "is not a picture"),
    "pdf": (lambda: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "is not a picture"),
    "postscript": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n", "is not a picture"),
    "zip": (lambda: b"PK\x03\x04" + bytes(200), "is not a picture"),
    "zeros": (lambda: bytes(1000), "is not a picture"),
    "only a signature": (lambda: b"\x89PNG\r\n\x1a\n", "is not a picture"),
    "truncated jpeg": (lambda: _file(_noise(), "JPEG")[:1500], "damaged or incomplete"),
    "truncated png": (lambda: _file(_noise())[:3000], "damaged or incomplete"),
    "truncated webp": (lambda: _file(_noise(), "WEBP", lossless=True)[:2000], "damaged"),
    "flipped bytes": (lambda: _file(_noise()).replace(b"IDAT", b"IDAX"), "or its header is damaged"),
    "one pixel": (lambda: _file(Image.new("RGB", (1, 1))), "1 × 1 pixels; it must be at least 16"),
    "too small": (lambda: _file(Image.new("RGB", (300, 15))), "300 × 15 pixels; it must be at least 16"),
    "20,000 × 10": (lambda: _file(Image.new("L", (20_000, 10))), "20,000 × 10 pixels"),
    "too narrow": (lambda: _file(Image.new("L", (16, 321))), "16 × 321 pixels; one side may be at most 20 times"),
    "65 megapixels": (lambda: _png(13_000, 5_000), "13,000 × 5,000 pixels, more than the 64 million"),
    "100 megapixels": (lambda: _png(10_000, 10_000), "more than the 64 million"),
    "bomb": (lambda: _png(60_000, 60_000), "more pixels than the 64 million allowed"),
    "bomb of a gif": (lambda: _gif(65_535, 65_535), "more pixels than the 64 million allowed"),
    "too large a file": (lambda: bytes(MAX_FILE_MB * 1_000_000 + 1), "is larger than 50 MB"),
    "32 bits": (lambda: _file(Image.new("I", (32, 32)), "TIFF"), r"32 bits per pixel \(mode I\)"),
    "floats": (lambda: _file(Image.new("F", (32, 32)), "TIFF"), r"32 bits per pixel \(mode F\)"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_each_gets_one_clear_sentence(name: str, tmp_path: Path) -> None:
    make, expected = HOSTILE[name]
    path = tmp_path / "picture.png"
    path.write_bytes(make())
    for source, called in ((path, str(path)), (path.read_bytes(), "The picture"), (path.open("rb"), "The picture")):
        with pytest.raises(DataError, match=expected) as caught:
            read_picture(source)
        message = str(caught.value)
        assert message.startswith(called) and message.endswith(".") and "\n" not in message and len(message) < 300


@pytest.mark.parametrize("what", ["missing", "folder", "device"])
def test_what_is_no_file_is_said_to_be_none(what: str, tmp_path: Path) -> None:
    path = {"missing": tmp_path / "gone.png", "folder": tmp_path, "device": Path("/dev/zero")}[what]
    with pytest.raises(DataError, match="is not a file"):
        read_picture(path)


def test_a_bomb_is_refused_before_its_pixels_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(DataError):
        read_picture(_png(13_000, 5_000))


def test_pictures_that_arrive_decoded_are_held_to_the_same_limits() -> None:
    for size in ((1, 1), (20_000, 10), (15, 300)):
        with pytest.raises(DataError, match="pixels"):
            check_picture(Image.new("RGB", size))


def test_cmyk_becomes_rgb() -> None:
    cmyk = Image.new("CMYK", (32, 32), (0, 255, 255, 0))
    for kind in ("JPEG", "TIFF"):
        assert read_picture(_file(cmyk, kind)).getpixel((9, 9)) == pytest.approx(RED, abs=3)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_and_not_clipped(kind: str) -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None].repeat(32, 0)
    picture = read_picture(_file(Image.fromarray(ramp), kind))
    assert picture.mode == "RGB"
    assert np.asarray(picture)[0, :, 0].tolist() == list(range(256))


def test_sixteen_bits_of_the_other_byte_order() -> None:
    big = Image.frombytes("I;16B", (32, 32), np.full((32, 32), 0x8000, ">u2").tobytes())
    assert check_picture(big).getpixel((0, 0)) == (128, 128, 128)


def test_an_animation_shows_its_first_frame() -> None:
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "blue", "green")]
    for kind, exact in (("GIF", True), ("WEBP", False), ("PNG", True), ("TIFF", True)):
        raw = _file(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)
        assert read_picture(raw).getpixel((9, 9)) == pytest.approx(RED, abs=0 if exact else 5), kind


def test_a_phone_s_jpeg_with_several_pictures_shows_the_first() -> None:
    raw = _file(Image.new("RGB", (32, 32), "red"), "MPO", save_all=True, append_images=[Image.new("RGB", (32, 32))])
    assert read_picture(raw).getpixel((9, 9)) == pytest.approx(RED, abs=3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(orientation: int) -> None:
    upright = Image.new("RGB", (40, 20), "white")
    upright.paste((255, 0, 0), (0, 0, 10, 5))  # the red corner is at the top left when it is seen upright
    undo = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE"}
    undo |= {6: "ROTATE_90", 7: "TRANSVERSE", 8: "ROTATE_270"}
    stored = upright.transpose(Image.Transpose[undo[orientation]]) if orientation in undo else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = read_picture(_file(stored, exif=exif))
    assert np.array_equal(np.asarray(picture), np.asarray(upright))


def test_broken_exif_leaves_the_picture_as_it_lies() -> None:
    picture = read_picture(_file(Image.new("RGB", (40, 20), "red"), "JPEG", exif=b"Exif\0\0MM\0*garbage" + bytes(9)))
    assert picture.size == (40, 20)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "P", "RGBa"])
def test_transparency_lies_on_white(mode: str) -> None:
    picture = Image.new("RGBA", (32, 32), (0, 0, 0, 0))
    picture.paste((0, 0, 0, 255), (16, 0, 32, 32))
    seen = check_picture(picture.convert(mode) if mode != "P" else picture.quantize(4))
    assert (seen.getpixel((2, 9)), seen.getpixel((29, 9))) == (WHITE, (0, 0, 0))


def test_half_transparent_is_half_white() -> None:
    assert read_picture(_file(Image.new("RGBA", (32, 32), (255, 0, 0, 128)))).getpixel((9, 9)) == (255, 127, 127)


def test_a_transparent_colour_of_a_palette_or_of_rgb_lies_on_white() -> None:
    palette = Image.new("P", (32, 32), 0)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    assert read_picture(_file(palette, transparency=0)).getpixel((9, 9)) == WHITE
    assert read_picture(_file(Image.new("RGB", (32, 32)), transparency=(0, 0, 0))).getpixel((9, 9)) == WHITE


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBX", "YCbCr", "HSV", "CMYK", "LAB"])
def test_every_other_mode_is_rgb_or_one_sentence(mode: str) -> None:
    try:
        assert check_picture(Image.new(mode, (32, 32))).mode == "RGB"
    except DataError as error:
        assert mode == "LAB" and "cannot be decoded" in str(error)


KINDS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")
SEEDS = {kind: _file(_noise(24, 20), kind) for kind in KINDS}


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(KINDS), st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), min_size=1, max_size=8))
def test_damaged_bytes_give_a_picture_or_one_sentence(kind: str, changes: list[tuple[int, int]]) -> None:
    raw = bytearray(SEEDS[kind])
    for place, value in changes:
        raw[place % len(raw)] = value
    try:
        assert read_picture(bytes(raw)).mode == "RGB"
    except DataError as error:
        assert "\n" not in str(error)
