"""Values that came over the network, checked one by one; each refusal is one sentence."""

import math
from collections.abc import Sequence

from eftclip.errors import ConfigError

MAX_SOURCE_CHARS = 300


def whole_number(name: str, value: object, low: int, high: int) -> int:
    """A whole number within its range.

    Raises:
        ConfigError: it is not one.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value % 1:
        raise ConfigError(f"The {name} must be a whole number, got {quoted(value)}.")
    if not low <= value <= high:
        raise ConfigError(f"The {name} must lie between {low} and {high}, got {quoted(value)}.")
    return int(value)


def single_line(value: object) -> str:
    """A source as typed; empty when it is no text, too long, or not printable on one line."""
    text = value.strip() if isinstance(value, str) else ""
    return text if len(text) <= MAX_SOURCE_CHARS and text.isprintable() else ""


def one_of(name: str, value: object, known: Sequence[str]) -> str:
    """One of the values that are known.

    Raises:
        ConfigError: it is none of them.
    """
    if not isinstance(value, str) or value not in known:
        raise ConfigError(f"Unknown {name} {quoted(value)}; choose one of {', '.join(known)}.")
    return value


def quoted(value: object) -> str:
    """Any value as it may stand in a sentence: quoted and short."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
