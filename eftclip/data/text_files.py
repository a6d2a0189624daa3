"""Text that anybody may have saved: what it is encoded in is found out, or it is refused."""

import codecs
from contextlib import suppress

from charset_normalizer import from_bytes

from eftclip.errors import DataError

MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32"}
LATIN_END = "\u0250"
MARKS |= {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def encoding_by_mark(head: bytes) -> str:
    """The encoding that the first four bytes of a file state; UTF-8 where they state none."""
    return next((encoding for mark, encoding in MARKS.items() if head.startswith(mark)), "utf-8")


def read_text(raw: bytes, name: str) -> tuple[str, str]:
    """A small text file, in whatever it is encoded.

    Args:
        raw: all of it.
        name: how error messages call it.

    Returns:
        the text, and the name of its encoding.

    Raises:
        DataError: it is no text, or its encoding cannot be told.
    """
    encoding = encoding_by_mark(raw[:4])
    try:
        return raw.decode(encoding), encoding.removesuffix("-sig")
    except UnicodeDecodeError:
        pass
    # A zero byte stands in no 8-bit text; without a mark the guess would be made from noise.
    best = None if b"\0" in raw else from_bytes(raw).best()
    if best is None:
        raise DataError(f"{name} is not UTF-8 text, and its encoding cannot be told; save it as UTF-8.")
    text, encoding = str(best), best.encoding.replace("_", "-")
    if max(text) < LATIN_END:  # short texts of Latin letters fit a dozen code pages; nearly all of them are this one
        with suppress(UnicodeDecodeError):
            return raw.decode("cp1252"), "cp1252"
    return text, encoding
