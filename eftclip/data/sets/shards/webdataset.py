"""WebDataset shards: the members of a tar archive that follow each other under one key are a sample.

Read by ourselves: the builder in `datasets` refuses a set where one of the first samples has no caption, ends at the
first side file that is damaged, and loads side files of every kind it knows, tensors among them.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from eftclip.data.sets.base import MAX_BYTES, Explain, not_empty, refuse, too_large
from eftclip.data.sets.layouts.delimited import SUFFIXES
from eftclip.data.sets.layouts.side_texts import CLASS, FIELDS, stated_texts, unreadable_text
from eftclip.data.sets.left_out import unreadable
from eftclip.data.sets.shards.samples import Sample, Shard, all_samples
from eftclip.data.sets.shards.tar import Member
from eftclip.data.sets.shards.tar_tree import open_tar_tree, read_member
from eftclip.errors import DataError, MissingError
from eftclip.types import Entry, ImageSet
from eftclip.untrusted_text import one_line

PEEKED = 8  # samples that are looked at for a text before a set is said to have none
NUMBERS = "The samples have numbers (.cls), which are no labels; name them in a classnames.txt beside the shards."


@dataclass(frozen=True)
class _Texts:
    """What the first samples state.

    Attributes:
        kind: label or caption; None without.
        fields: their side files, by what follows the dot.
        tree: whether all their pictures lie in folders, or a table lies among them.
        numbered: they have numbers of classes, which nobody names.
    """

    kind: str | None
    fields: frozenset[str]
    tree: bool
    numbered: bool


def open_webdataset(
    source: str, shards: Sequence[Shard], explain: Explain, names: Sequence[str] = (), split: str = ""
) -> ImageSet:
    """Make shards a set; each picture is a sample, with the text of its key.

    Hidden members are no samples, by convention, nor are names without a dot; those that may be pictures are counted.

    Args:
        source: what the user typed.
        shards: in their order; one or more.
        explain: makes one sentence of what reading them may raise.
        names: of the classes, in the order of their numbers; a number that nobody names is no label.
        split: the part of a single archive of folders that is wanted; empty for all of it.

    Raises:
        DataError: the first shard is no tar archive, or none holds a sample.
    """
    samples = partial(all_samples, shards, explain)
    found = _first_texts(samples(), source, names)
    if found.kind is None and not found.fields and found.tree and (tree := _tree(source, shards, explain, split)):
        return tree

    def walk(start: int) -> Iterator[Entry]:
        places = ((sample, picture) for sample in samples() for picture in sample.pictures or (None,))
        for index, (sample, picture) in enumerate(places):
            if index >= start:
                yield _entry(index, sample, picture, found.kind, names)

    notes = (NUMBERS,) if found.numbered else ()
    return ImageSet(source, "webdataset", None, found.kind, None, notes, walk, _recognised(shards, found, names))


def _recognised(shards: Sequence[Shard], found: _Texts, names: Sequence[str]) -> str:
    """What the shards are, for people."""
    count = "1 WebDataset shard" if len(shards) == 1 else f"{len(shards):,} WebDataset shards"
    if found.kind is None:
        return f"{count}, without texts"
    named = ", numbers named by the list of classes beside them" if names and found.fields == {CLASS} else ""
    return f"{count}, {found.kind}s from {', '.join(f'.{field}' for field in sorted(found.fields))}{named}"


def _tree(source: str, shards: Sequence[Shard], explain: Explain, split: str) -> ImageSet | None:
    """A single archive of folders, packed with `tar`, as the tree that it is; None where it is none."""
    path = shards[0].path
    if len(shards) != 1 or path is None:
        return None
    images = open_tar_tree(source, shards[0].name, path, explain, split)
    return images if images.text_kind is not None or split else None


def _entry(index: int, sample: Sample, picture: Member | None, text_kind: str | None, names: Sequence[str]) -> Entry:
    """A picture of a sample as an entry; whatever is wrong with it comes up when it is read."""
    name = one_line(f"{sample.shard.name}/{picture.name if picture else sample.key}")
    if sample.left_out:
        return Entry(index, name, None, unreadable(name, sample.left_out))
    try:
        text = next((text for kind, text in _texts(sample, names) if kind == text_kind), None)
    except DataError as error:
        return Entry(index, name, None, partial(refuse, error))
    if picture is None:
        found = one_line(", ".join(sample.fields))
        missing = MissingError(f"{name} has no picture, only {found}; add it, or leave the sample out of the shard.")
        return Entry(index, name, text, partial(refuse, missing))
    return Entry(index, name, text, partial(_picture, sample.shard, picture, name))


def _picture(shard: Shard, member: Member, name: str) -> bytes:
    if not member.regular:
        raise DataError(f"{name} is a link or a device, which is never followed; pack the file itself.")
    if member.size > MAX_BYTES:
        raise too_large(name)
    if shard.path is None:
        return not_empty(member.data or b"", name)
    return not_empty(read_member(shard.path, member, name), name)


def _texts(sample: Sample, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Kinds and texts that a sample states, the one to prefer first."""
    fields = {field: partial(_side_file, sample, field) for field in sample.fields if field in FIELDS}
    return stated_texts(one_line(f"{sample.shard.name}/{sample.key}"), fields, names)


def _side_file(sample: Sample, field: str) -> bytes:
    member = sample.fields[field]
    if member.data is None:
        name = one_line(f"{sample.shard.name}/{sample.key}")
        raise unreadable_text(name, field, ValueError(f"{member.size:,} bytes, or a link"))
    return member.data


def _first_texts(samples: Iterator[Sample], source: str, names: Sequence[str]) -> _Texts:
    """Look at the first samples; damage behind the first one is left for the pass to come upon."""
    seen: list[Sample] = []
    kind = None
    try:
        for sample in samples:
            seen.append(sample)
            if not sample.pictures:  # a list of classes at the top, say
                continue
            with suppress(DataError):  # of this sample alone; its entry says so
                kind = next((told for told, _ in _texts(sample, names)), None)
            if kind or sum(bool(sample.pictures) for sample in seen) == PEEKED:
                break
    except DataError:
        if not seen:
            raise
    if not seen:
        raise DataError(f"{source} holds no sample; give shards with pictures (0001.jpg) and texts (0001.txt).")
    whole = [sample for sample in seen if sample.pictures]
    fields = frozenset(field for sample in whole for field in sample.fields if field in FIELDS)
    folders = all("/" in picture.name for sample in whole for picture in sample.pictures)
    tabled = any(f".{field}" in SUFFIXES for sample in seen for field in sample.fields)
    return _Texts(kind, fields, bool(whole) and (folders or tabled), kind is None and CLASS in fields)
