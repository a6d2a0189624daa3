"""Which files of a data set belong to which split: as the card of a Hub data set says, or else as their names say."""

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from eftclip.errors import DataError

# The words that the Hub goes by in the names of folders and files, set off by one of these or by an end.
WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "dev", "val"),
    "test": ("test", "testing", "eval", "evaluation"),
}
APART = r"[-._ 0-9]"
SHARDED = re.compile(r"data/(?P<split>\w+(?:\.\w+)*)-\d{5}-of-\d{5}[^/]*")

Splits = dict[str, list[str]]


def splits_of(files: Sequence[str], card: Mapping[str, object], title: str) -> Splits:
    """Sort data files into splits.

    Args:
        files: paths inside the repository, in their order.
        card: the metadata of the repository's README, written by a stranger: what cannot be understood is ignored.
        title: how error messages call the set.

    Returns:
        the files of each split that has any; a pattern of the card can only choose among `files`.

    Raises:
        DataError: the card describes several configurations and none is the default one.
    """
    return _by_card(files, card, title) or _by_number(files) or _by_word(files) or {"train": list(files)}


def names_split(name: str, split: str) -> bool:
    """Whether the name of a folder or file says which split it belongs to."""
    words = "|".join(re.escape(word) for word in WORDS.get(split, (split,)))
    return re.fullmatch(rf"(?:.*{APART})?(?:{words})(?:{APART}.*)?", name) is not None


def names_any_split(name: str) -> bool:
    """Whether a folder is called after a split and nothing else: `train`, `val`, `Test`."""
    return any(name.lower() in words for words in WORDS.values())


def _by_card(files: Sequence[str], card: Mapping[str, object], title: str) -> Splits:
    listed = card.get("configs")
    configs = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    configs = [config for config in configs if "data_files" in config]
    if len(configs) > 1:
        names = [str(config.get("config_name")) for config in configs]
        configs = [c for c in configs if c.get("default") is True or c.get("config_name") == "default"][:1]
        if not configs:
            raise DataError(
                f"{title} has several configurations ({', '.join(names[:9])}) and none is the default one; "
                "download the files of one of them, and give their folder."
            )
    splits: Splits = {}
    for split, patterns in _patterns(configs[0]["data_files"]) if configs else ():
        if found := [file for file in files if any(_matches(file, pattern) for pattern in patterns)]:
            splits[split] = found
    return splits


def _patterns(written: object) -> Iterable[tuple[str, list[str]]]:
    """Splits and patterns: one for all, a list of them, or a list with a split and a path in each item."""
    items = written if isinstance(written, list) else [written]
    for item in items:
        if isinstance(item, dict):
            paths = item.get("path")
            among = paths if isinstance(paths, list) else [paths]
            yield str(item.get("split")), [path for path in among if isinstance(path, str)]
    if plain := [item for item in items if isinstance(item, str)]:
        yield "train", plain


def _matches(file: str, pattern: str) -> bool:
    """Match folder by folder; `**` stands for any number of them. Takes no longer for patterns made to take long."""
    steps = pattern.removeprefix("./").split("/")
    places = {0}
    for part in file.split("/"):
        places = _past_stars(places, steps)
        stay = {place for place in places if place < len(steps) and steps[place] == "**"}
        places = stay | {place + 1 for place in places if place < len(steps) and fnmatchcase(part, steps[place])}
    return len(steps) in _past_stars(places, steps)


def _past_stars(places: set[int], steps: Sequence[str]) -> set[int]:
    """`**` may also stand for no folder at all."""
    reached = set(places)
    for place in range(len(steps)):
        if place in reached and steps[place] == "**":
            reached.add(place + 1)
    return reached


def _by_number(files: Sequence[str]) -> Splits:
    """Files such as data/train-00000-of-00002.parquet, which the Hub's own tools write."""
    splits: Splits = {}
    for file in files:
        if match := SHARDED.fullmatch(file):
            splits.setdefault(match["split"], []).append(file)
    return splits


def _by_word(files: Sequence[str]) -> Splits:
    """Words in the names of folders, or else of files."""
    for pieces in (lambda file: file.split("/")[:-1], lambda file: file.split("/")[-1:]):
        splits: Splits = {}
        for split in WORDS:
            if found := [file for file in files if any(names_split(piece, split) for piece in pieces(file))]:
                splits[split] = found
        if splits:
            return splits
    return {}
