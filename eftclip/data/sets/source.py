"""A source as typed becomes a set of pictures: a folder, a table, an archive, shards, a Hub data set."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePath

from eftclip.data.folders import FolderListing, is_hidden, list_folder
from eftclip.data.sets.base import MAX_BYTES, not_empty, note, reason, too_large
from eftclip.data.sets.folder import open_file, open_folder, read_file
from eftclip.data.sets.hub import HUB_PREFIX, open_hub
from eftclip.data.sets.layouts.class_names import NAME_FILES, read_class_names
from eftclip.data.sets.layouts.delimited import SUFFIXES
from eftclip.data.sets.layouts.parts import part_of
from eftclip.data.sets.layouts.recognise import TABLES, never_downloaded
from eftclip.data.sets.layouts.side_texts import MAX_TEXT_BYTES
from eftclip.data.sets.left_out import followed_by, unreadable
from eftclip.data.sets.parquet import open_parquet
from eftclip.data.sets.parquet_columns import holds_no_pictures
from eftclip.data.sets.shards.patterns import has_pattern, matching_files
from eftclip.data.sets.shards.samples import local_shard
from eftclip.data.sets.shards.webdataset import open_webdataset
from eftclip.data.sets.zip_archive import open_zip
from eftclip.errors import DataError
from eftclip.types import Entry, ImageSet
from eftclip.untrusted_text import one_line

POSSIBLE = "a folder of pictures, its metadata.csv, a .parquet, .tar or .zip file, shards-*.tar, or hf:org/name"


def open_set(source: str, *, split: str | None = None, token: str | None = None) -> ImageSet:
    """Open a data set; no picture of it is read yet.

    Args:
        source: a folder of pictures, parquet files or tar shards; a metadata.csv; a .parquet, .tar or .zip file; a
            pattern of parquet files or shards; `hf:org/name` or `hf:org/name@revision`.
        split: which part. Left out: of a Hub data set `train`, of any other all of it.
        token: for a private or gated Hub data set.

    Raises:
        DataError: the source is none of these, cannot be read, or holds nothing, so no report is ever empty.
    """
    if source.startswith(HUB_PREFIX):
        return open_hub(source, split or "train", token)
    try:
        path = Path(source).expanduser()
        if source and path.is_dir():
            return _open_folder(source, path, split or "")
        if path.is_file():
            return _open_file(source, path, split or "")
        if has_pattern(source):
            return _open_files(source, *matching_files(source), split or "")
        found = "exists, but is neither a file nor a folder" if path.exists() else "does not exist"
    except (OSError, RuntimeError, ValueError) as error:  # no permission, ~nobody, a name that cannot be
        found = f"cannot be read ({reason(error)})"
    raise DataError(f"The data set {one_line(source)!r} {found}; give {POSSIBLE}.")


def list_set(name: str, items: Sequence[tuple[str, bytes | Path, str | None]]) -> ImageSet:
    """Make pictures already at hand a set.

    Args:
        name: stands for the source.
        items: name, file or its bytes, and label of each picture.

    Returns:
        a set of kind `list`, with labels as soon as one picture has one.

    Raises:
        DataError: there is no picture.
    """
    if not items:
        raise DataError(f"{name} holds no picture; add one.")
    kept = tuple(items)

    def walk(start: int) -> Iterator[Entry]:
        for index in range(start, len(kept)):
            shown, picture, text = kept[index]
            yield Entry(index, one_line(shown), text, partial(_at_hand, picture, one_line(shown)))

    text_kind = "label" if any(text is not None for _, _, text in kept) else None
    layout = f"pictures {'with' if text_kind else 'without'} labels"
    return ImageSet(name, "list", len(kept), text_kind, None, (), walk, layout)


def _at_hand(picture: bytes | Path, name: str) -> bytes:
    if isinstance(picture, Path):
        return read_file(picture, name)
    if len(picture) > MAX_BYTES:
        raise too_large(name)
    return not_empty(picture, name)


def _open_file(source: str, path: Path, split: str) -> ImageSet:
    if path.name.lower().endswith(SUFFIXES):
        return open_folder(source, path.parent, list_folder(path.parent), insist=path.name)
    if path.suffix.lower() == ".zip":
        return open_zip(source, path, split)
    return _open_files(source, path.parent, [path], split)


def _open_folder(source: str, folder: Path, split: str) -> ImageSet:
    """Pictures before anything else; a folder without any may hold parquet files or shards."""
    found = list_folder(folder)
    tables = _mere_tables(found, folder)
    left_out = [(name, why) for name, why in found.left_out if name not in tables]
    streams = [name for name in found.others if _suffix(name) in (".parquet", ".tar")]
    if any(_suffix(name) == ".tar" for name in streams):  # img2dataset writes a table beside each shard
        streams = [name for name in streams if name not in tables]
    if found.pictures or any(table in found.others for table in TABLES) or not streams:
        return open_folder(source, folder, replace(found, left_out=left_out), split=split)
    rest = note(
        [name for name in found.others if name not in streams], "other file was left out", "other files were left out"
    )
    images = _open_files(source, folder, [folder / name for name in streams], split)
    lost = never_downloaded(found.others, lambda name: open_file(folder / name))
    images = replace(images, notes=(*images.notes, *lost, *rest))
    return followed_by(images, [(name, unreadable(name, why)) for name, why in left_out if name not in streams])


def _mere_tables(found: FolderListing, folder: Path) -> set[str]:
    """Parquet files without any bytes in them, which hold no picture."""
    listed = (name for name, _ in found.left_out if _suffix(name) == ".parquet" and not is_hidden(name))
    return {name for name in listed if holds_no_pictures(folder / name)}


def _open_files(source: str, folder: Path, files: Sequence[Path], split: str) -> ImageSet:
    """Parquet files or shards of a folder, but not both."""
    if split and len(files) > 1:
        keeps = part_of([file.relative_to(folder).as_posix() for file in files], split, source).keeps
        files = [file for file in files if keeps(file.relative_to(folder).as_posix())]
    kinds = {_suffix(file) for file in files}
    if kinds == {".tar"}:
        shards = [local_shard(file.relative_to(folder).as_posix(), file) for file in files]
        return open_webdataset(source, shards, _unreadable, _class_names(folder, files), split)
    if kinds == {".parquet"}:
        names, paths = _class_names(folder, files), [str(file.absolute()) for file in files]
        return open_parquet(source, paths, _unreadable, root=folder, names=names)
    found = ", ".join(sorted(kind or "a file without a suffix" for kind in kinds)) or "nothing"
    raise DataError(f"The data set {one_line(source)!r} is {found}; give {POSSIBLE}.")


def _class_names(folder: Path, files: Sequence[Path]) -> tuple[str, ...]:
    """The names of the classes beside some files, or a folder above them, as CLIP_benchmark writes them."""
    for place in dict.fromkeys([files[0].parent, folder, folder.parent]):
        for name in NAME_FILES:
            if (place / name).is_file():
                with suppress(DataError, OSError), (place / name).open("rb") as stream:
                    return read_class_names(stream.read(MAX_TEXT_BYTES), name)
    return ()


def _unreadable(error: Exception, file: str) -> DataError:
    return DataError(f"{one_line(PurePath(file).name)} is damaged or cut off ({reason(error)}); get it again.")


def _suffix(file: str | Path) -> str:
    return PurePath(file).suffix.lower()
