"""Which files a folder of hf_xet holds: its client takes `local://FOLDER` for a server and writes shards there."""

import struct
from pathlib import Path

HEADER, ROW = 48, 48
END = b"\xff" * 32
HAS_VERIFICATION, HAS_DIGEST = 0x80000000, 0x40000000


def file_hashes(folder: Path) -> dict[str, str]:
    """sha256 to xet's own name of a file, of everything in the folder."""
    found: dict[str, str] = {}
    for shard in folder.rglob("*.mdb"):
        found.update(_of_shard(shard.read_bytes()))
    return found


def _of_shard(data: bytes) -> dict[str, str]:
    """The section of files: for each a head, its segments, as many proofs if there are any, and its digest."""
    found, at = {}, HEADER
    while at + ROW <= len(data) and data[at : at + 32] != END:
        name = data[at : at + 32]
        flags, segments = struct.unpack("<II", data[at + 32 : at + 40])
        at += ROW * (1 + segments * (2 if flags & HAS_VERIFICATION else 1))
        if flags & HAS_DIGEST:
            found[_text(data[at : at + 32])] = _text(name)
            at += ROW
    return found


def _text(digest: bytes) -> str:
    """Four little-endian words."""
    return b"".join(digest[k : k + 8][::-1] for k in range(0, 32, 8)).hex()
