"""Inversion: triggers out of the weights, without a single poisoned picture."""

from eftclip.invert.growing import Grown, grow_triggers
from eftclip.invert.inversion import InvertedTrigger, invert
from eftclip.invert.scattering import scattered_family

__all__ = ["Grown", "InvertedTrigger", "grow_triggers", "invert", "scattered_family"]
