"""Composes the stages: what a check needs is prepared once, then pictures are judged one by one."""

from eftclip.evaluate import Attack
from eftclip.identify import identification_from_dict, identification_to_dict
from eftclip.pipeline.check import (
    check_each,
    check_files,
    check_left_out,
    check_picture,
    judge_square,
    record,
    without_pixels,
)
from eftclip.pipeline.evaluate import Rebound, run_evaluate
from eftclip.pipeline.plan import Plan, RunOptions
from eftclip.pipeline.rectify import run_rectify
from eftclip.pipeline.scan import SCAN_JOURNAL, run_scan
from eftclip.pipeline.setup import (
    CheckSetup,
    bundled_checkpoint,
    draw_hosts,
    load_checkpoint,
    load_reference,
    prepare_check,
    read_labels,
    with_settings,
)
from eftclip.rectify import METHODS

__all__ = [
    "METHODS",
    "SCAN_JOURNAL",
    "Attack",
    "CheckSetup",
    "Plan",
    "Rebound",
    "RunOptions",
    "bundled_checkpoint",
    "check_each",
    "check_files",
    "check_left_out",
    "check_picture",
    "draw_hosts",
    "identification_from_dict",
    "identification_to_dict",
    "judge_square",
    "load_checkpoint",
    "load_reference",
    "prepare_check",
    "read_labels",
    "record",
    "run_evaluate",
    "run_rectify",
    "run_scan",
    "with_settings",
    "without_pixels",
]
