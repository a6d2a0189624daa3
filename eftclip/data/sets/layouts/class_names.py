"""What can be a label, and what numbers and synsets stand for."""

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from eftclip.data.text_files import read_text

# Files that name the classes in the order of their numbers: CLIP_benchmark's, many training scripts', CleanCLIP's.
NAME_FILES = ("classnames.txt", "classes.txt", "class_names.txt", "classes.py")
SYNSET = re.compile(r"n\d{8}")
NUMBER = re.compile(r"[+-]?\d+(\.0+)?")
NUMBERED = re.compile(r"\d+\s*[._-]\s*(?=\w*[^\W\d_])")  # 001.Faces, 12_cat, 3 - dog
PART = re.compile(r"(shard|part|chunk|batch|fold|folder|set|group)[-_ ]?\d+", re.IGNORECASE)
# Folders that say what kind of files lie in them, or which part of a set, and not what these show.
NOT_NAMES = frozenset(
    "images image imgs img pictures pics photos jpegimages jpegs jpg png data dataset files raw input inputs "
    "train training valid validation val dev test testing eval evaluation".split()
)


def label_of(text: str, names: Sequence[str] = ()) -> str | None:
    """What a text means as a label.

    Args:
        text: as the set states it.
        names: of the classes, in the order of their numbers; empty where nobody states them.

    Returns:
        the name of a class for its number or synset, other words as they are; None for what can be no label.
    """
    text = text.strip()
    if NUMBER.fullmatch(text):
        number = int(float(text))
        return names[number] if 0 <= number < len(names) else None
    if SYNSET.fullmatch(text):
        return synset_names().get(text)
    return text or None


def labels_of_folders(folders: Iterable[str], names: Sequence[str] = ()) -> Mapping[str, str | None]:
    """The label that each class folder stands for; None where its name is no label.

    Args:
        folders: their names, each once.
        names: as for `label_of`.
    """
    listed = list(dict.fromkeys(folders))
    numbered = all(NUMBERED.match(folder) for folder in listed)
    return {folder: _of_folder(NUMBERED.sub("", folder, count=1) if numbered else folder, names) for folder in listed}


def _of_folder(folder: str, names: Sequence[str]) -> str | None:
    if folder.lower() in NOT_NAMES or PART.fullmatch(folder) or not folder.strip("._- "):
        return None
    return label_of(folder.replace("_", " "), names)


@lru_cache(maxsize=1)
def synset_names() -> Mapping[str, str]:
    """The English name of every ImageNet synset; the thousand by the names that checkpoints are read against.

    The tables ship inside timm and are read without importing it.
    """
    from eftclip.zeroshot import IMAGENET_LABELS

    lemmas = (line.split("\t", 1) for line in _table("imagenet_synset_to_lemma.txt") if "\t" in line)
    names = {synset: words.split(",")[0].strip() for synset, words in lemmas}
    return names | dict(zip(_table("imagenet_synsets.txt"), IMAGENET_LABELS, strict=False))


def _table(name: str) -> list[str]:
    """The lines of a table of timm's; none where it is not installed."""
    spec = find_spec("timm")
    places = (Path(place) / "data" / "_info" / name for place in spec.submodule_search_locations or ()) if spec else ()
    return next((place.read_text(encoding="utf-8").splitlines() for place in places if place.is_file()), [])


def read_class_names(raw: bytes, name: str) -> tuple[str, ...]:
    """The names in a file of `NAME_FILES`, in their order; none where it holds no list of names.

    Raises:
        DataError: it is no text.
    """
    text, _ = read_text(raw, name)
    if name.endswith(".py"):
        return _python_list(text)
    return tuple(line.strip().replace("_", " ") for line in text.splitlines() if line.strip())


def _python_list(text: str) -> tuple[str, ...]:
    """The strings under `classes` of a Python expression, which is parsed and never run."""
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Dict):
            continue
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == "classes" and isinstance(value, ast.List):
                constants = (item.value for item in value.elts if isinstance(item, ast.Constant))
                return tuple(text for text in constants if isinstance(text, str))
    return ()
