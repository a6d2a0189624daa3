"""The checkpoint formats that are read and written, each in a module of its own; their contract is in `base`."""

from pathlib import Path

from eftclip.checkpoint.error_text import short_list
from eftclip.checkpoint.formats.base import Architecture, CheckpointFormat, Described, TextFiles
from eftclip.checkpoint.formats.open_clip_folder import OpenClipFolder
from eftclip.checkpoint.source import Listing, file_sizes
from eftclip.errors import CheckpointError

FORMATS: tuple[CheckpointFormat, ...] = (OpenClipFolder(),)  # asked in this order

__all__ = ["FORMATS", "Architecture", "CheckpointFormat", "Described", "TextFiles", "format_of", "format_of_folder"]


def format_of(listing: Listing) -> CheckpointFormat:
    """The format that some files are laid out in.

    Raises:
        CheckpointError: none of `FORMATS`.
    """
    for one in FORMATS:
        if one.recognises(listing):
            return one
    signs, names = (" or ".join(words) for words in zip(*((one.sign, one.name) for one in FORMATS), strict=True))
    raise CheckpointError(
        f"{listing}: {signs} is missing, so this is no {names} checkpoint; found {short_list(listing.files)}."
    )


def format_of_folder(folder: Path) -> CheckpointFormat:
    """The format that a folder on this machine is laid out in.

    Raises:
        CheckpointError: none of `FORMATS`.
        OSError: the folder cannot be read.
    """
    return format_of(Listing(str(folder), file_sizes(folder), folder=folder))
