"""Data sets of any kind, each read by a module of its own, one picture at a time."""

from eftclip.data.sets.left_out import unreadable
from eftclip.data.sets.source import list_set, open_set
from eftclip.types import Entry, ImageSet

__all__ = ["Entry", "ImageSet", "list_set", "open_set", "unreadable"]
