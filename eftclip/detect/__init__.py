"""Trigger detection (Algorithm 1): one picture, one checkpoint, one verdict."""

from eftclip.detect.algorithm import detect
from eftclip.detect.proof import PatchProof, prove_patch
from eftclip.detect.reader import Reader, Stopped, read_strangers

__all__ = ["PatchProof", "Reader", "Stopped", "detect", "prove_patch", "read_strangers"]
