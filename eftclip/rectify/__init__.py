"""Rectification: fine-tune a copy of the checkpoint until the trigger means nothing and nothing else has changed."""

from eftclip.rectify.methods import METHODS
from eftclip.rectify.state import forget
from eftclip.rectify.ways import finetune, rectify

__all__ = ["METHODS", "finetune", "forget", "rectify"]
