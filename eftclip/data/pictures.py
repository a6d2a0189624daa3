"""Pictures: a file that anybody may have sent becomes an upright RGB picture, or one clear sentence says why not."""

import io
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from eftclip.data.file_kinds import unread_picture
from eftclip.errors import DataError

MAX_FILE_MB, MAX_MEGAPIXELS, MAX_ASPECT, MIN_SIDE_PX = 50, 64, 20, 16
# Pillow knows more formats, some of which start other programs (EPS): nothing but these is ever opened.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")


def read_picture(source: Path | bytes | BinaryIO) -> Image.Image:
    """Read an untrusted picture file.

    Args:
        source: a path, the bytes of a file, or a binary stream; at most `MAX_FILE_MB`.

    Returns:
        an upright RGB picture; the first frame of an animation, transparency on white.

    Raises:
        DataError: the file is missing, is no picture, is damaged, or is outside the limits.
    """
    name = str(source) if isinstance(source, Path) else "The picture"
    raw = _read_bytes(source, name)
    try:
        # The header is enough here: pixels are decoded only after the size has been found acceptable.
        picture = Image.open(io.BytesIO(raw), formats=FORMATS)
    except UnidentifiedImageError as error:
        if known := unread_picture(raw):
            raise DataError(f"{name} {known}") from error
        raise DataError(
            f"{name} is not a picture that can be read, or its header is damaged (it begins with {raw[:12]!r}); "
            "give a JPEG, PNG, WebP, AVIF, GIF, BMP or TIFF file."
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(
            f"{name} has more pixels than the {MAX_MEGAPIXELS} million allowed; make it smaller."
        ) from error
    except Exception as error:  # Pillow's parsers raise whatever a damaged file makes them stumble over
        raise _damaged(name, error) from error
    return check_picture(picture, name=name)


def check_picture(image: Image.Image, *, name: str = "The picture") -> Image.Image:
    """Hold a picture to the limits, then make it upright RGB.

    Args:
        image: decoded or only opened, in any mode of Pillow's.
        name: how error messages call it.

    Returns:
        an RGB picture that shares nothing with the file it came from.

    Raises:
        DataError: too small, too large, too narrow, damaged, or of a depth with no defined white.
    """
    _check_size(*image.size, name)
    try:
        return _to_rgb(_upright(image))
    except DataError as error:
        raise DataError(f"{name} {error}") from error
    except Exception as error:  # as above: decoders raise whatever they stumble over
        raise _damaged(name, error) from error


def _read_bytes(source: Path | bytes | BinaryIO, name: str) -> bytes:
    """At most `MAX_FILE_MB` of a source."""
    limit = MAX_FILE_MB * 1_000_000
    try:
        if isinstance(source, Path):
            if not source.is_file():  # a pipe or a device would never end
                raise DataError(f"{name} is not a file; give a picture file.")
            with source.open("rb") as stream:
                raw = stream.read(limit + 1)
        else:
            raw = source if isinstance(source, bytes) else source.read(limit + 1)
    except OSError as error:
        raise DataError(f"{name} cannot be read ({error.strerror or error}); check the file.") from error
    if not raw:
        raise DataError(f"{name} is an empty file; give a picture file.")
    if len(raw) > limit:
        raise DataError(f"{name} is larger than {MAX_FILE_MB} MB; make it smaller.")
    return raw


def _check_size(width: int, height: int, name: str) -> None:
    """Hold a size to the limits, before any pixel is decoded."""
    found = f"{name} has {width:,} × {height:,} pixels"
    if min(width, height) < MIN_SIDE_PX:
        raise DataError(f"{found}; it must be at least {MIN_SIDE_PX} pixels wide and high to show anything.")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise DataError(f"{found}; one side may be at most {MAX_ASPECT} times the other, so crop it.")
    if width * height > MAX_MEGAPIXELS * 1_000_000:
        raise DataError(f"{found}, more than the {MAX_MEGAPIXELS} million allowed; make it smaller.")


def _damaged(name: str, error: Exception) -> DataError:
    why = str(error).split("\n", 1)[0] or type(error).__name__
    return DataError(f"{name} is damaged or incomplete and cannot be decoded ({why}); save or download it again.")


def _upright(image: Image.Image) -> Image.Image:
    """Decode, and turn as EXIF says; a picture whose EXIF is broken is taken as it lies."""
    image.load()
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # the pixels are fine, and a broken note about them is no reason to refuse them
        return image


def _to_rgb(image: Image.Image) -> Image.Image:
    """Any mode to RGB: 16 bits scaled rather than clipped, transparency on white."""
    if image.mode.startswith("I;16"):
        levels = np.asarray(image).astype(np.float32) / 257
        image = Image.fromarray(levels.round().astype(np.uint8))
    if image.mode in ("I", "F"):
        raise DataError(f"has 32 bits per pixel (mode {image.mode}) and no defined white; save it with 8 or 16 bits.")
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen)
    return image.convert("RGB").copy()
