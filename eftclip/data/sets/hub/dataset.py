"""A data set on the Hub: data files only, streamed, and nothing of them is ever run."""

import io
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import takewhile
from pathlib import PurePosixPath
from typing import IO

from eftclip.data.file_kinds import FileKind, kind_of_name
from eftclip.data.folders import HIDDEN, HOLDER, sorted_paths
from eftclip.data.sets.base import note
from eftclip.data.sets.file_tree import FileTree, file_tree_set, is_picture
from eftclip.data.sets.hub.repository import Repository, UnansweredError, find_repository
from eftclip.data.sets.layouts.class_names import NAME_FILES, read_class_names
from eftclip.data.sets.layouts.recognise import TABLES
from eftclip.data.sets.left_out import More, followed_by, unreadable
from eftclip.data.sets.parquet import open_parquet
from eftclip.data.sets.shards.samples import Shard
from eftclip.data.sets.shards.webdataset import open_webdataset
from eftclip.data.sets.splits import names_split, splits_of
from eftclip.errors import DataError
from eftclip.types import Entry, ImageSet
from eftclip.untrusted_text import one_line

UNTOLD = {"README.md", *TABLES}  # a card is read, a table is read or spoken of elsewhere


def open_hub(source: str, split: str, token: str | None) -> ImageSet:
    """Make one split of a Hub data set a set.

    Args:
        source: `hf:org/name` or `hf:org/name@revision`.
        split: which one, as the repository calls it.
        token: for a private or gated data set; None for the one of this machine, if it has one.

    Raises:
        DataError: there is no such data set, revision or split, it may not be read, its files are of no kind that is
            read, or the Hub does not answer.
    """
    repository = find_repository(source, token)
    kind, data = _data_files(repository)
    splits = splits_of(data, repository.card, repository.repo_id)
    if split not in splits:
        listed = one_line(", ".join(sorted(splits)))
        raise DataError(f"{repository.repo_id} has no split {one_line(split)!r}; name one of: {listed}.")
    files = splits[split]
    if repository.gated:
        repository.check_access(files[0])
    if kind == "folder":
        images = _pictures(source, repository, split, files)
    elif kind == "webdataset":
        shards = [Shard(path, partial(repository.open, path)) for path in files]
        images = open_webdataset(source, shards, repository.explain, _class_names(repository))
    else:
        addresses = [repository.address(path) for path in files]
        names = _class_names(repository)
        images = open_parquet(source, addresses, repository.explain, root=None, token=token, names=names)
    spare = sorted_paths(set(data).difference(*splits.values()))
    others = {path for path in repository.files if PurePosixPath(path).name not in UNTOLD}.difference(data)
    images = followed_by(images, _besides(repository, sorted_paths(others)))
    notes = (
        *images.notes,
        *note(spare, "data file of no split was left out", "data files of no split were left out"),
        *note(sorted_paths(others), "other file was left out", "other files were left out"),
    )
    return replace(images, kind="hub", revision=repository.commit, notes=notes)


def _class_names(repository: Repository) -> tuple[str, ...]:
    """The names of the classes that a file of the repository states in the order of their numbers."""
    listed = (name for name in NAME_FILES if name in repository.files)
    return next((read_class_names(repository.read(name), name) for name in listed), ())


def _besides(repository: Repository, others: list[str]) -> list[More]:
    """What else may be a picture or hold some: loose pictures, which are read too, and files that are only counted."""
    left_out = [(path, HOLDER) for path in others if kind_of_name(path) is FileKind.HOLDER]
    left_out += [(path, HIDDEN) for path in repository.hidden if kind_of_name(path) not in (None, FileKind.OTHER)]
    more = [(path, partial(repository.read, path)) for path in others if is_picture(path)]
    return [*more, *((path, unreadable(path, why)) for path, why in left_out)]


def _data_files(repository: Repository) -> tuple[str, list[str]]:
    """The files that hold the samples, and their kind; pictures beside parquet files only decorate a card."""
    files = repository.files
    kinds = {
        "parquet": [path for path in files if path.lower().endswith(".parquet")],
        "webdataset": [path for path in files if path.lower().endswith(".tar")],
        "folder": [path for path in files if is_picture(path)],
    }
    for kind, data in kinds.items():
        if data:
            return kind, sorted_paths(data)
    found = Counter(PurePosixPath(path).suffix or path for path in files).most_common(5)
    listed = ", ".join(f"{count} {one_line(suffix)}" for suffix, count in found) or "nothing"
    raise DataError(
        f"{repository.repo_id} holds no parquet files, tar shards or pictures, only {listed}; choose another."
    )


def _pictures(source: str, repository: Repository, split: str, files: list[str]) -> ImageSet:
    """The picture files of a split, one request each; when the Hub stops answering, the pass ends with an error."""
    root = _root(repository, split, files)
    tables = [path.removeprefix(root) for path in repository.files if path in {root + table for table in TABLES}]
    tree = FileTree(
        title=repository.repo_id,
        pictures=[path.removeprefix(root) for path in files],
        others=tables,
        hidden=(),
        left_out=(),
        read=lambda name: repository.read(root + name),
        read_row=lambda name: repository.read(root + name),
        open=lambda name: _stream(repository, root + name),
        sides=False,  # each would be a request
    )
    images = file_tree_set(tree, source, "hub")

    def walk(start: int) -> Iterator[Entry]:
        for entry in images.walk(start):
            watched = _Watched(entry.read)
            yield replace(entry, read=watched)
            if watched.failure:
                raise watched.failure

    return replace(images, walk=walk)


@dataclass
class _Watched:
    """The `read` of an entry that remembers when not the picture but the Hub failed."""

    read: Callable[[], bytes]
    failure: UnansweredError | None = None

    def __call__(self) -> bytes:
        try:
            return self.read()
        except UnansweredError as error:
            self.failure = error
            raise


def _root(repository: Repository, split: str, files: list[str]) -> str:
    """The folder, with its slash, that the names of a split are relative to: the one of its table or of the split."""
    pairs = zip(files[0].split("/")[:-1], files[-1].split("/")[:-1], strict=False)  # sorted, so all others lie between
    common = [part for part, _ in takewhile(lambda pair: pair[0] == pair[1], pairs)]
    folders = ["".join(f"{part}/" for part in common[:depth]) for depth in range(len(common), -1, -1)]
    tabled = (folder for folder in folders if any(folder + table in repository.files for table in TABLES))
    named = (folder for folder in folders if folder and names_split(folder.split("/")[-2], split))
    return next(tabled, next(named, ""))


@contextmanager
def _stream(repository: Repository, path: str) -> Iterator[IO[bytes]]:
    """The table of a tree, held to the same limits as a picture."""
    yield io.BytesIO(repository.read(path))
