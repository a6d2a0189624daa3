"""Where a CLIP comes from: a pinned source, a look before loading, verified weights, a model with provenance."""

from eftclip.checkpoint.formats import ASK, Architecture, CheckpointFormat, architecture_names, format_of_folder
from eftclip.checkpoint.hub.cache import prune_cache
from eftclip.checkpoint.hub.search import search_hub
from eftclip.checkpoint.inspection import CheckpointReport, inspect, licence_of
from eftclip.checkpoint.known_backdoors import KNOWN_BACKDOORS, KnownBackdoor
from eftclip.checkpoint.load import load_clip
from eftclip.checkpoint.save import SAVED_FILES, save_clip
from eftclip.checkpoint.source import hub_source, pin
from eftclip.checkpoint.weights import PICKLE_SUFFIXES, WEIGHT_SUFFIXES

__all__ = [
    "ASK",
    "KNOWN_BACKDOORS",
    "PICKLE_SUFFIXES",
    "SAVED_FILES",
    "WEIGHT_SUFFIXES",
    "Architecture",
    "CheckpointFormat",
    "CheckpointReport",
    "KnownBackdoor",
    "architecture_names",
    "format_of_folder",
    "hub_source",
    "inspect",
    "licence_of",
    "load_clip",
    "pin",
    "prune_cache",
    "save_clip",
    "search_hub",
]
