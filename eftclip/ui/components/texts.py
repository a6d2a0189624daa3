"""Words that several steps use."""

from collections.abc import Sequence
from dataclasses import dataclass

UNFINISHED = "An unfinished search is not a “nothing found”."


@dataclass(frozen=True)
class Message:
    """A verdict for people: a headline, the sentences under it, and a small print."""

    headline: str
    text: str
    small: str = ""


def percentage(value: float) -> str:
    """A share in [0, 1] as a percentage; something is never rounded to nothing, nor almost all to all."""
    percent = 100 * value
    if 99.5 <= percent < 100:
        return f"{min(percent, 99.9):.1f} %"
    if 0 < percent < 0.1:
        return "< 0.1 %"
    return f"{percent:.1f} %" if percent < 10 else f"{percent:.0f} %"


def quoted_labels(labels: Sequence[str]) -> str:
    """Labels in a sentence."""
    return ", ".join(f"“{label}”" for label in labels)
