"""Measuring a checkpoint, and doubting the measurement."""

from eftclip.evaluate.measure import Attack, Labelled, evaluate
from eftclip.evaluate.sanity import best_normalisation, describe_normalisation, sanity

__all__ = ["Attack", "Labelled", "best_normalisation", "describe_normalisation", "evaluate", "sanity"]
