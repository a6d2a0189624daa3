"""Trigger detection (Algorithm 1): one picture, one checkpoint, one verdict."""

from eftclip.detect.algorithm import detect
from eftclip.detect.paper import detect_as_published
from eftclip.detect.reader import Reader, Stopped, read_hosts
from eftclip.detect.registry import ALGORITHMS
from eftclip.detect.transplant import prove_shared, prove_trigger

__all__ = [
    "ALGORITHMS",
    "Reader",
    "Stopped",
    "detect",
    "detect_as_published",
    "prove_shared",
    "prove_trigger",
    "read_hosts",
]
