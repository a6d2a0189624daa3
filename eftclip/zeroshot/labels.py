"""Label vocabularies: ImageNet's, and a visitor's own."""

from collections.abc import Sequence

from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES

from eftclip.errors import DataError
from eftclip.untrusted_text import plain

IMAGENET_LABELS: tuple[str, ...] = tuple(IMAGENET_CLASSNAMES)
MAX_LABELS, MAX_LABEL_CHARS = 5000, 120


def parse_labels(lines: Sequence[str]) -> tuple[str, ...]:
    """Clean a user's label list: trimmed, without empty lines and doubles, in order.

    Raises:
        DataError: fewer than two labels, too many, or one that is too long.
    """
    labels = tuple(dict.fromkeys(plain(" ".join(line.split())) for line in lines if line.strip()))
    if len(labels) < 2:
        raise DataError(f"Found {len(labels)} label(s); give at least two different labels, one per line.")
    if len(labels) > MAX_LABELS:
        raise DataError(f"Found {len(labels)} labels; at most {MAX_LABELS} can be read at once.")
    if too_long := [label for label in labels if len(label) > MAX_LABEL_CHARS]:
        raise DataError(f"The label {too_long[0][:40]!r}… is longer than {MAX_LABEL_CHARS} characters; shorten it.")
    return labels
