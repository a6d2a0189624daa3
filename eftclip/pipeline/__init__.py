"""Composes the stages: what a check needs is prepared once, then pictures are judged one by one."""

from eftclip.pipeline.check import check_each, check_files, check_picture, record, without_pixels
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

__all__ = [
    "CheckSetup",
    "bundled_checkpoint",
    "check_each",
    "check_files",
    "check_picture",
    "draw_strangers",
    "load_checkpoint",
    "load_reference",
    "prepare_check",
    "read_labels",
    "record",
    "retuned",
    "without_pixels",
]
