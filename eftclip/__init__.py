"""EftCLIP: can this CLIP checkpoint be trusted, and if not, can it be mended?

    from pathlib import Path
    import eftclip

    setup = eftclip.prepare_check("examples/checkpoints/badnets")
    for checked in eftclip.check_each(setup, eftclip.list_pictures([Path("photos")])):
        print(checked.name, checked.detection.status, checked.detection.reason)

    record = eftclip.run_rectify(setup, eftclip.open_set("photos"), eftclip.Plan(), Path("mended"))
    print(record.conclusion)

The names below are loaded at their first use, so that importing the package costs nothing.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if sys.version_info < (3, 11):  # noqa: UP036 an older one may well try, and would stumble over the grammar
    sys.stderr.write(
        f"eftclip: Python 3.11 or newer is needed, and this is {sys.version_info[0]}.{sys.version_info[1]}.\n"
    )
    raise SystemExit(2)

if TYPE_CHECKING:
    from eftclip.checkpoint import inspect, load_clip
    from eftclip.config import CurateConfig, DetectConfig, InvertConfig, MeasureConfig, RectifyConfig, ScanConfig
    from eftclip.data import bundled_photographs, list_pictures, list_set, open_set, read_picture
    from eftclip.errors import EftclipError
    from eftclip.oracles import load_oracle
    from eftclip.pipeline import (
        Attack,
        Plan,
        RunOptions,
        check_each,
        check_files,
        check_left_out,
        check_picture,
        load_checkpoint,
        prepare_check,
        run_evaluate,
        run_rectify,
        run_scan,
    )
    from eftclip.runtime import seeded
    from eftclip.triggers import draw_trigger
    from eftclip.types import Checked, CheckRecord, Detection, RunRecord, Status
    from eftclip.zeroshot import class_matrix

__all__ = [
    "Attack",
    "CheckRecord",
    "Checked",
    "CurateConfig",
    "DetectConfig",
    "Detection",
    "EftclipError",
    "InvertConfig",
    "MeasureConfig",
    "Plan",
    "RectifyConfig",
    "RunOptions",
    "RunRecord",
    "ScanConfig",
    "Status",
    "bundled_photographs",
    "check_each",
    "check_files",
    "check_left_out",
    "check_picture",
    "class_matrix",
    "draw_trigger",
    "inspect",
    "list_pictures",
    "list_set",
    "load_checkpoint",
    "load_clip",
    "load_oracle",
    "open_set",
    "prepare_check",
    "read_picture",
    "run_evaluate",
    "run_rectify",
    "run_scan",
    "seeded",
]
_HOMES = {
    "eftclip.checkpoint": ("inspect", "load_clip"),
    "eftclip.config": ("CurateConfig", "DetectConfig", "InvertConfig", "MeasureConfig", "RectifyConfig", "ScanConfig"),
    "eftclip.data": ("bundled_photographs", "list_pictures", "list_set", "open_set", "read_picture"),
    "eftclip.errors": ("EftclipError",),
    "eftclip.oracles": ("load_oracle",),
    "eftclip.pipeline": (
        *("Attack", "Plan", "RunOptions", "check_each", "check_files", "check_left_out", "check_picture"),
        *("load_checkpoint", "prepare_check", "run_evaluate", "run_rectify", "run_scan"),
    ),
    "eftclip.runtime": ("seeded",),
    "eftclip.triggers": ("draw_trigger",),
    "eftclip.types": ("CheckRecord", "Checked", "Detection", "RunRecord", "Status"),
    "eftclip.zeroshot": ("class_matrix",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


_FORMER = {"Way": "RunOptions"}  # names that were public once


def __getattr__(name: str) -> Any:
    """Load a public name at its first use."""
    name = _FORMER.get(name, name)
    if name not in _HOME_OF:
        raise AttributeError(f"module 'eftclip' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)
