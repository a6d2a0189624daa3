"""What a file is, by its first bytes and its name: a picture, something that may hold pictures, or neither."""

import re
from enum import StrEnum
from pathlib import PurePosixPath

HEAD_BYTES = 512  # enough for every mark below; a tar archive has its own at 257
# Pictures that are read, and pictures that are known as such and not read.
SUFFIXES = frozenset({".jpg", ".jpeg", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"})
UNREAD_SUFFIXES = frozenset(
    ".heic .heif .hif .jxl .jp2 .j2k .jpf .jpx .psd .tga .ppm .pgm .pbm .pnm .qoi .exr .hdr .ico .icns .pcx .dds "
    ".cr2 .cr3 .nef .arw .dng .orf .rw2 .raf .jpe .jif .jfi .dib .apng".split()
)
HOLDERS = frozenset(
    ".zip .tar .tgz .gz .bz2 .xz .zst .lz4 .7z .rar .parquet .arrow .feather .orc .tfrecord .tfrecords .h5 .hdf5 .npy "
    ".npz .mdb .lmdb .pkl .pickle .mat .beton .rec .sqlite .sqlite3 .db .msgpack .avro".split()
)
THUMBNAILS = frozenset({"thumbs.db", "desktop.ini", ".ds_store"})  # what systems leave behind
_READ_MARKS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")
_UNREAD_MARKS = (
    *(b"\xff\x0a", b"\0\0\0\x0cJXL ", b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51", b"8BPS", b"qoif", b"\x76\x2f\x31\x01"),
    *(b"#?RADIANCE", b"\0\0\1\0", b"icns", b"DDS ", b"II+\0", b"MM\0+", b"FLIF"),
)
_HOLDER_MARKS = (
    *(b"PK\3\4", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07"),
    *(b"PAR1", b"ARROW1", b"\x89HDF\r\n", b"SQLite format 3\0", b"\x93NUMPY", b"Obj\1", b"MATLAB 5.0"),
    *(b"\x80\2", b"\x80\3", b"\x80\4", b"\x80\5"),  # pickles
)
_AVIF, _HEIF = {b"avif", b"avis"}, {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_PNM = re.compile(rb"P[1-7]\s+(#[^\n]*\n\s*)*\d")


class FileKind(StrEnum):
    """What is done with a file of a data set."""

    PICTURE = "picture"  # is a sample, whether it can be read or not
    HOLDER = "holder"  # an archive, a table or a data base that may hold pictures
    OTHER = "other"


def kind_of_name(name: str) -> FileKind | None:
    """What a name alone says; None where only the contents can tell."""
    file = PurePosixPath(name)
    if file.name.lower() in THUMBNAILS:
        return FileKind.OTHER
    suffix = file.suffix.lower()
    if suffix in SUFFIXES or suffix in UNREAD_SUFFIXES:
        return FileKind.PICTURE
    return FileKind.HOLDER if suffix in HOLDERS else None


def kind_of_head(head: bytes) -> FileKind:
    """What the first `HEAD_BYTES` of a file say."""
    if head.startswith((*_READ_MARKS, *_UNREAD_MARKS)) or _PNM.match(head):
        return FileKind.PICTURE
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return FileKind.PICTURE
    if head[:2] == b"BM" and head[6:10] == bytes(4) and len(head) > 26:
        return FileKind.PICTURE
    if head[4:8] == b"ftyp" and brands(head) & (_AVIF | _HEIF):
        return FileKind.PICTURE
    holder = head.startswith(_HOLDER_MARKS) or head[257:262] == b"ustar"
    return FileKind.HOLDER if holder else FileKind.OTHER


def brands(head: bytes) -> set[bytes]:
    """What a file of the ISO family calls itself, its own brand first and those it is compatible with."""
    size = min(int.from_bytes(head[:4], "big"), len(head))
    return {head[8:12], *(head[at : at + 4] for at in range(16, size - 3, 4))}


def unread_picture(head: bytes) -> str:
    """The name of a picture format that is known and not read, with what to do; empty for all others."""
    head = head[:HEAD_BYTES]
    if head[4:8] == b"ftyp" and brands(head) & _HEIF and not brands(head) & _AVIF:
        return "is an HEIC picture, which is not read; save it as JPEG, PNG or AVIF."
    named = {b"\xff\x0a": "JPEG XL", b"\0\0\0\x0cJXL ": "JPEG XL", b"\0\0\0\x0cjP  ": "JPEG 2000", b"8BPS": "Photoshop"}
    kind = next((kind for mark, kind in named.items() if head.startswith(mark)), "")
    return f"is a {kind} picture, which is not read; save it as JPEG, PNG or AVIF." if kind else ""
