"""Trigger detection (Algorithm 1): one picture, one checkpoint, one verdict."""

from eftclip.detect.algorithm import detect
from eftclip.detect.reader import read_strangers

__all__ = ["detect", "read_strangers"]
