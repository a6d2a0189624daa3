"""Texts that lie beside a picture under its name: `0001.txt`, `0001.json`, `0001.cls`."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence

from eftclip.data.sets.base import TEXT_KINDS, reason
from eftclip.data.sets.layouts.class_names import label_of
from eftclip.errors import DataError

JSON, CLASS = "json", "cls"
FIELDS = frozenset({*TEXT_KINDS, JSON, CLASS})
MAX_TEXT_BYTES = 1 << 20  # captions are some hundred bytes, and the fields around them not much more


def stated_texts(
    name: str, fields: Mapping[str, Callable[[], bytes]], names: Sequence[str] = ()
) -> Iterator[tuple[str, str]]:
    """Kinds and texts that side files state, the one to prefer first.

    Args:
        name: of the sample.
        fields: the way to the bytes of its side files, by what follows the name.
        names: of the classes, in the order of their numbers; a number alone is no label.

    Raises:
        DataError: from the iterator: a side file cannot be read.
    """
    for field, kind in TEXT_KINDS.items():
        if field in fields and (text := _meant(kind, _text(name, field, fields[field]()), names)):
            yield kind, text
    if JSON in fields:
        try:
            values = json.loads(_text(name, JSON, fields[JSON]()))
        except (ValueError, RecursionError) as error:
            raise unreadable_text(name, JSON, error) from error
        for field, kind in TEXT_KINDS.items():
            value = values.get(field) if isinstance(values, dict) else None
            if isinstance(value, list) and value:
                value = value[0]
            if isinstance(value, str | int) and (text := _meant(kind, str(value), names)):
                yield kind, text
    if CLASS in fields and (text := _meant("label", _text(name, CLASS, fields[CLASS]()), names)):
        yield "label", text


def unreadable_text(name: str, field: str, error: Exception) -> DataError:
    """What is raised for a side file that cannot be read."""
    return DataError(f"{name} has a text that cannot be read, .{field} ({reason(error)}); correct it.")


def _meant(kind: str, text: str, names: Sequence[str]) -> str | None:
    """A label, or a caption; what has no letters is neither: boxes of a detector often lie beside pictures."""
    if kind == "label":
        return label_of(text, names)
    return text.strip() if any(char.isalpha() for char in text) else None


def _text(name: str, field: str, raw: bytes) -> str:
    try:
        return raw.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise unreadable_text(name, field, error) from error
