"""Where a CLIP comes from: a pinned source, a look before loading, verified weights, a model with provenance."""

from eftclip.checkpoint.formats import Architecture, CheckpointFormat, format_of_folder
from eftclip.checkpoint.hub.cache import prune_cache
from eftclip.checkpoint.inspection import CheckpointReport, inspect, licence_of
from eftclip.checkpoint.known_backdoors import KNOWN_BACKDOORS, KnownBackdoor
from eftclip.checkpoint.load import load_clip
from eftclip.checkpoint.save import SAVED_FILES, save_clip
from eftclip.checkpoint.source import hub_source, pin

__all__ = [
    "KNOWN_BACKDOORS",
    "SAVED_FILES",
    "Architecture",
    "CheckpointFormat",
    "CheckpointReport",
    "KnownBackdoor",
    "format_of_folder",
    "hub_source",
    "inspect",
    "licence_of",
    "load_clip",
    "pin",
    "prune_cache",
    "save_clip",
]
