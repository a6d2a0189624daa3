"""Whether labels fit each other: a target that is misspelt, labels that cannot be labels."""

from collections.abc import Sequence
from difflib import get_close_matches

from eftclip.untrusted_text import one_line


def unknown_label(label: str, labels: Sequence[str], count: int | None = None) -> str:
    """What to say of a label that is not in the vocabulary: what it may have been meant to be.

    Args:
        label: as it was written.
        labels: the vocabulary.
        count: of its labels, where `labels` has each only once: ImageNet has two classes called missile.
    """
    near = likely_label(label, labels)
    what = f"did you mean “{one_line(near)}”?" if near else "add it."
    return f"The label “{one_line(label)}” is not in the vocabulary of {count or len(labels):,} labels; {what}"


def likely_label(label: str, labels: Sequence[str]) -> str | None:
    """The label that another writing of it was meant to be: other capitals, a letter off; None without one."""
    by_writing = {_plain(known): known for known in labels}
    if (same := by_writing.get(_plain(label))) is not None:
        return same
    near = get_close_matches(_plain(label), by_writing, n=1, cutoff=0.8)
    return by_writing[near[0]] if near else None


def letterless(labels: Sequence[str]) -> str:
    """The doubt about a vocabulary of numbers, which no text tower can read; empty where most labels have letters."""
    numbers = [label for label in labels if not any(char.isalpha() for char in label)]
    if 2 * len(numbers) <= len(labels):
        return ""
    shown = ", ".join(numbers[:3])
    return f"{len(numbers):,} of {len(labels):,} labels are numbers ({shown}, …), which name nothing; give their names."


def _plain(label: str) -> str:
    return " ".join(label.replace("_", " ").casefold().split())
