"""Rectification: fine-tune a copy of the checkpoint until the trigger means nothing and nothing else has changed.

Who writes a method of his own finds here all that one is made of.
"""

from eftclip.rectify.batches import Batch
from eftclip.rectify.finetune import finetune, rectify
from eftclip.rectify.methods import METHODS, Method, Own, Preparation, Prepared, Student, Teacher, own_of, settled
from eftclip.rectify.training_state import delete_state

__all__ = [
    "METHODS",
    "Batch",
    "Method",
    "Own",
    "Preparation",
    "Prepared",
    "Student",
    "Teacher",
    "delete_state",
    "finetune",
    "own_of",
    "rectify",
    "settled",
]
