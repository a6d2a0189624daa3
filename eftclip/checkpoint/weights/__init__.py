"""Weight files: which there are, what is in them exactly, and whether all of a model comes from them.

The same for every format: only tensors are read and nothing is run, all of a model is filled or nothing, and the sha256
is recorded.
"""

from eftclip.checkpoint.weights.choose import (
    MOST_INDEX_MB,
    PICKLE_SUFFIXES,
    WEIGHT_SUFFIXES,
    WeightFile,
    choose_weights,
    holds_weights,
    index_limits,
)
from eftclip.checkpoint.weights.fill import SpoiledError, fitting, load_weights, weights_sha256
from eftclip.checkpoint.weights.read import read_shapes, read_tensors
from eftclip.checkpoint.weights.skip_init import SkipInit
from eftclip.checkpoint.weights.unwrap import State, Tensors
from eftclip.checkpoint.weights.write import write_weights

__all__ = [
    "MOST_INDEX_MB",
    "PICKLE_SUFFIXES",
    "WEIGHT_SUFFIXES",
    "SkipInit",
    "SpoiledError",
    "State",
    "Tensors",
    "WeightFile",
    "choose_weights",
    "fitting",
    "holds_weights",
    "index_limits",
    "load_weights",
    "read_shapes",
    "read_tensors",
    "weights_sha256",
    "write_weights",
]
