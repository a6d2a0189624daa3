"""Measuring a checkpoint, and doubting the measurement."""

from eftclip.evaluate.batches import UnreadSamples, first_labelled, labelled_batches
from eftclip.evaluate.evaluation_set import EvaluationSet, choose_evaluation_set, reread_victims
from eftclip.evaluate.measure import Attack, LabelledImages, evaluate
from eftclip.evaluate.sanity import best_normalisation, describe_normalisation, sanity

__all__ = [
    "Attack",
    "EvaluationSet",
    "LabelledImages",
    "UnreadSamples",
    "best_normalisation",
    "choose_evaluation_set",
    "describe_normalisation",
    "evaluate",
    "first_labelled",
    "labelled_batches",
    "reread_victims",
    "sanity",
]
