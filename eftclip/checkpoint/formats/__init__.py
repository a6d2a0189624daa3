"""The checkpoint formats that are read and written, each in a module of its own; their contract is in `base`."""

from pathlib import Path

from eftclip.checkpoint.error_text import short_list
from eftclip.checkpoint.formats.base import Architecture, CheckpointFormat, Described, TextFiles
from eftclip.checkpoint.formats.open_clip_folder import OpenClipFolder
from eftclip.checkpoint.formats.single_file import ASK, SingleFile, architecture_names
from eftclip.checkpoint.formats.transformers_clip import TransformersClip
from eftclip.checkpoint.source import Listing, file_sizes
from eftclip.errors import CheckpointError

WITH_CONFIGURATION: tuple[CheckpointFormat, ...] = (OpenClipFolder(), TransformersClip())
FORMATS: tuple[CheckpointFormat, ...] = (*WITH_CONFIGURATION, SingleFile(WITH_CONFIGURATION))  # asked in this order

__all__ = [
    "ASK",
    "FORMATS",
    "Architecture",
    "CheckpointFormat",
    "Described",
    "TextFiles",
    "architecture_names",
    "format_of",
    "format_of_folder",
]


def format_of(listing: Listing) -> CheckpointFormat:
    """The format that some files are laid out in.

    Raises:
        CheckpointError: none of `FORMATS`, or an architecture was named for one that states its own.
    """
    found = next((one for one in FORMATS if one.recognises(listing)), None)
    if found in WITH_CONFIGURATION and listing.architecture is not None:
        raise CheckpointError(f"{listing} states its architecture in {found.sign}; leave --architecture out.")
    if found is not None:
        return found
    if "adapter_config.json" in listing.files:
        raise CheckpointError(f"{listing} is a LoRA adapter: merge it into its model first (peft: merge_and_unload()).")
    signs = " or ".join(one.sign for one in WITH_CONFIGURATION)
    names = " or ".join(one.name for one in WITH_CONFIGURATION)
    raise CheckpointError(
        f"{listing}: {signs} is missing, so this is no {names} checkpoint; found {short_list(listing.files)}. Where "
        f"there are only weights, name their architecture with {ASK}."
    )


def format_of_folder(folder: Path) -> CheckpointFormat:
    """The format that a folder on this machine is laid out in.

    Raises:
        CheckpointError: none of `FORMATS`.
        OSError: the folder cannot be read.
    """
    return format_of(Listing(str(folder), file_sizes(folder), folder=folder))
