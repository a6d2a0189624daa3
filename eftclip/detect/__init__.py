"""Trigger detection (Algorithm 1): one picture, one checkpoint, one verdict."""

from eftclip.detect.algorithm import detect
from eftclip.detect.reader import Reader, Stopped, read_hosts
from eftclip.detect.transplant import prove_trigger

__all__ = ["Reader", "Stopped", "detect", "prove_trigger", "read_hosts"]
