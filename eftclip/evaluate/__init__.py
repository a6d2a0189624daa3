"""Measuring a checkpoint, and doubting the measurement."""

from eftclip.evaluate.batches import MeasuredSamples, first_labelled, labelled_batches
from eftclip.evaluate.evaluation_set import EvaluationSet, choose_evaluation_set, reread_victims
from eftclip.evaluate.measure import Attack, LabelledImages, evaluate
from eftclip.evaluate.sanity import best_normalisation, describe_normalisation, sanity
from eftclip.evaluate.vocabulary import letterless, likely_label, unknown_label

__all__ = [
    "Attack",
    "EvaluationSet",
    "LabelledImages",
    "MeasuredSamples",
    "best_normalisation",
    "choose_evaluation_set",
    "describe_normalisation",
    "evaluate",
    "first_labelled",
    "labelled_batches",
    "letterless",
    "likely_label",
    "reread_victims",
    "sanity",
    "unknown_label",
]
