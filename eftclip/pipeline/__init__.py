"""Composes the stages: what a check needs is prepared once, then pictures are judged one by one."""

from eftclip.evaluate import Attack
from eftclip.pipeline.check import check_each, check_files, check_picture, judge_square, record, without_pixels
from eftclip.pipeline.evaluation import Rebound, run_evaluate
from eftclip.pipeline.mend import Plan, Way, run_rectify, run_scan
from eftclip.pipeline.plain import of_identification, to_identification
from eftclip.pipeline.prepare import (
    CheckSetup,
    bundled_checkpoint,
    draw_strangers,
    load_checkpoint,
    load_reference,
    prepare_check,
    read_labels,
    retuned,
)
from eftclip.rectify import METHODS

__all__ = [
    "METHODS",
    "Attack",
    "CheckSetup",
    "Plan",
    "Rebound",
    "Way",
    "bundled_checkpoint",
    "check_each",
    "check_files",
    "check_picture",
    "draw_strangers",
    "judge_square",
    "load_checkpoint",
    "load_reference",
    "of_identification",
    "prepare_check",
    "read_labels",
    "record",
    "retuned",
    "run_evaluate",
    "run_rectify",
    "run_scan",
    "to_identification",
    "without_pixels",
]
