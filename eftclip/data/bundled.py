"""The photographs that ship inside our dependencies, as a data set."""

from eftclip.data.photographs import bundled_photographs
from eftclip.data.sets import ImageSet, list_set


def bundled_set() -> ImageSet:
    """All bundled photographs, for whoever has no data set.

    Raises:
        DataError: too few photographs are installed.
    """
    return list_set("bundled photographs", [(p.name, p.path, p.label) for p in bundled_photographs()])
