"""Data sets of any kind, each read by a module of its own, one picture at a time."""

from eftclip.data.sets.base import Entry, ImageSet
from eftclip.data.sets.source import list_set, open_set

__all__ = ["Entry", "ImageSet", "list_set", "open_set"]
