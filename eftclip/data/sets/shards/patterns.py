"""Names of many shards in one: `shards-*.tar`, `{00000..00331}.tar`, `{train,test}-{0..9}.tar`."""

import re
from collections.abc import Iterator
from pathlib import Path

from eftclip.errors import DataError

BRACES = re.compile(r"\{([^{}]*)\}")
RANGE = re.compile(r"(\d+)\.\.(\d+)")
MOST_NAMES = 100_000


def has_pattern(source: str) -> bool:
    """Whether a source names many files at once."""
    return "*" in source or any(RANGE.fullmatch(inner) or "," in inner for inner in BRACES.findall(source))


def matching_files(pattern: str) -> tuple[Path, list[Path]]:
    """The folder that a pattern begins with, and the files that it names, in order.

    Raises:
        DataError: a file of a range is not there, or there are too many names.
    """
    spelt = []
    for name in _spelt_out(str(Path(pattern).expanduser())):
        spelt.append(Path(name))
        if len(spelt) > MOST_NAMES:
            raise DataError(f"{pattern} names more than {MOST_NAMES:,} files; give a smaller range.")
    before = str(Path(pattern).expanduser()).partition("*")[0].partition("{")[0]
    folder = Path(before if before.endswith("/") else Path(before).parent)
    files = [file for path in spelt for file in _files(path)]
    return folder, list(dict.fromkeys(files))


def _files(path: Path) -> list[Path]:
    """What a name with stars matches, and a name without as it is."""
    if "*" not in str(path):
        if not path.is_file():
            raise DataError(f"{path.name} is not there, but the range names it; get it, or give a smaller range.")
        return [path]
    folder = next(parent for parent in path.parents if "*" not in str(parent))
    return sorted(found for found in folder.glob(str(path.relative_to(folder))) if found.is_file())


def _spelt_out(name: str) -> Iterator[str]:
    """Each name that braces stand for; numbers keep their leading zeros."""
    found = BRACES.search(name)
    if found is None:
        yield name
        return
    inner = found[1]
    if span := RANGE.fullmatch(inner):
        width = len(span[1])
        choices: Iterator[str] | list[str] = (f"{k:0{width}}" for k in range(int(span[1]), int(span[2]) + 1))
    else:
        choices = inner.split(",") if "," in inner else [inner]
    for choice in choices:
        yield from _spelt_out(name[: found.start()] + choice + name[found.end() :])
