"""One folder of a zip archive that anybody may have sent, unpacked: bounded, no file outside, no link."""

import re
import stat
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

from eftclip.data.folders import is_hidden
from eftclip.data.sets.base import reason
from eftclip.data.sets.zip_archive import ENCRYPTED, METHODS, member_name, opened_archive
from eftclip.errors import DataError
from eftclip.untrusted_text import one_line

CHUNK = 1 << 20
MOST_RATIO = 50  # weights hardly become smaller; what does is made to fill a disk
HARMLESS = 100_000_000  # bytes
ODD = re.compile(r"[^\w.-]+", re.ASCII)


def unpack_folder(
    path: Path, folder: Path, *, name: str, wanted: Callable[[str], bool], most_bytes: int, most_files: int
) -> None:
    """Unpack the files that lie beside those that are wanted; what lies in other folders stays packed.

    Args:
        path: of the archive.
        folder: where the files go, which exists.
        name: of the archive, for messages.
        wanted: whether a file of this name is what the archive is opened for.
        most_bytes: of all the files together, unpacked.
        most_files: beside each other.

    Raises:
        DataError: it is no archive, has nothing that is wanted, is too large, or tries to write somewhere else.
        OSError: the folder cannot be written.
    """
    with opened_archive(path, name) as archive:
        members = _members(archive, name)
        chosen = _beside(members, wanted, name)
        if len(chosen) > most_files:
            raise DataError(f"{name} has {len(chosen):,} files in one folder; at most {most_files} can be taken.")
        size = sum(info.file_size for info in chosen.values())
        if size > most_bytes:
            raise DataError(f"{name} holds {size / 1e9:.2g} GB; at most {most_bytes / 1e9:.2g} GB can be taken.")
        if size > HARMLESS and size > MOST_RATIO * path.stat().st_size:
            raise DataError(f"{name} holds {size / path.stat().st_size:,.0f} times its own size; no checkpoint does.")
        for file, info in chosen.items():
            _copy(archive, info, folder / plain_file_name(file), name)


def plain_file_name(name: str) -> str:
    """The last part of a path that a stranger chose, as a name that cannot be anything else than a file's."""
    return ODD.sub("_", name.replace("\\", "/").rpartition("/")[2]).lstrip(".-")[-100:] or "file"


def _members(archive: zipfile.ZipFile, name: str) -> dict[str, zipfile.ZipInfo]:
    """All visible files by their paths; an archive that names a place outside itself is refused as a whole."""
    members = {}
    for info in archive.infolist():
        path = member_name(info)
        if path.startswith("/") or ".." in path.split("/") or ":" in path.split("/")[0]:
            raise DataError(f"{name} names a place outside itself ({one_line(path)}), so nothing of it is taken.")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise DataError(f"{name} holds a link ({one_line(path)}); pack the file itself.")
        if not info.is_dir() and not is_hidden(path):
            members[path] = info
    return members


def _beside(
    members: Mapping[str, zipfile.ZipInfo], wanted: Callable[[str], bool], name: str
) -> dict[str, zipfile.ZipInfo]:
    """The files of the one folder nearest to the top that has a wanted one."""
    homes = {path.rpartition("/")[0] for path in members if wanted(path)}
    if not homes:
        raise DataError(f"{name} has no weight file in it; pack the folder of a checkpoint.")
    depth = min(map(_depth, homes))
    nearest = sorted(home for home in homes if _depth(home) == depth)
    if len(nearest) > 1:
        raise DataError(f"{name} has weights in {len(nearest)} folders; pack one checkpoint alone.")
    return {path.rpartition("/")[2]: info for path, info in members.items() if path.rpartition("/")[0] == nearest[0]}


def _depth(home: str) -> int:
    return len(home.split("/")) if home else 0


def _copy(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path, name: str) -> None:
    """One member; never more bytes than it has said."""
    member = one_line(member_name(info))
    if info.compress_type not in METHODS or info.flag_bits & ENCRYPTED:
        raise DataError(f"{member} in {name} is packed in a way that is not read; use plain zip, without a password.")
    left = info.file_size
    try:
        with archive.open(info) as source, target.open("xb") as sink:
            while chunk := source.read(CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise zipfile.BadZipFile("it is larger than it says")
                sink.write(chunk)
    except FileExistsError as error:
        raise DataError(f"{member} is there twice in {name}; give each file a name of its own.") from error
    except OSError:
        raise
    except Exception as error:  # besides BadZipFile: zlib's own, and whatever a crafted header leads to
        raise DataError(f"{member} in {name} cannot be unpacked ({reason(error)}); pack it again.") from error
