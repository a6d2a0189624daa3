"""EftCLIP: is something hidden in this photograph steering this CLIP checkpoint?

    from pathlib import Path
    import eftclip

    setup = eftclip.prepare_check("examples/checkpoints/badnets")
    for checked in eftclip.check_each(setup, eftclip.list_pictures([Path("photos")])):
        print(checked.name, checked.detection.status, checked.detection.reason)

The names below are loaded at their first use, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eftclip.checkpoint import inspect, load_clip
    from eftclip.config import DetectConfig
    from eftclip.data import bundled_photographs, list_pictures, read_picture
    from eftclip.errors import EftclipError
    from eftclip.oracles import load_oracle
    from eftclip.pipeline import check_each, check_files, check_picture, prepare_check
    from eftclip.runtime import seeded
    from eftclip.triggers import draw_trigger
    from eftclip.types import Checked, CheckRecord, Detection, Status
    from eftclip.zeroshot import class_matrix

__all__ = [
    "CheckRecord",
    "Checked",
    "DetectConfig",
    "Detection",
    "EftclipError",
    "Status",
    "bundled_photographs",
    "check_each",
    "check_files",
    "check_picture",
    "class_matrix",
    "draw_trigger",
    "inspect",
    "list_pictures",
    "load_clip",
    "load_oracle",
    "prepare_check",
    "read_picture",
    "seeded",
]
_HOMES = {
    "eftclip.checkpoint": ("inspect", "load_clip"),
    "eftclip.config": ("DetectConfig",),
    "eftclip.data": ("bundled_photographs", "list_pictures", "read_picture"),
    "eftclip.errors": ("EftclipError",),
    "eftclip.oracles": ("load_oracle",),
    "eftclip.pipeline": ("check_each", "check_files", "check_picture", "prepare_check"),
    "eftclip.runtime": ("seeded",),
    "eftclip.triggers": ("draw_trigger",),
    "eftclip.types": ("CheckRecord", "Checked", "Detection", "Status"),
    "eftclip.zeroshot": ("class_matrix",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load a public name at its first use."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'eftclip' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)
