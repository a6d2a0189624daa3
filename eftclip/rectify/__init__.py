"""Rectification: fine-tune a copy of the checkpoint until the trigger means nothing and nothing else has changed."""

from eftclip.rectify.finetune import finetune, rectify
from eftclip.rectify.methods import METHODS, settled
from eftclip.rectify.training_state import delete_state

__all__ = ["METHODS", "delete_state", "finetune", "rectify", "settled"]
