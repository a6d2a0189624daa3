"""The kinds of triggers under one contract: what is planted and what is found are the same kind of value."""

from typing import Any

from eftclip.trigger_kinds.base import POSITIONS, Located, Planted, Position, Trigger, box_of, plant_in_turns
from eftclip.trigger_kinds.colour import ColourTrigger
from eftclip.trigger_kinds.jitter import JITTER, SMOOTHED_PX, JitterTrigger
from eftclip.trigger_kinds.patch import PatchTrigger, cut, paste
from eftclip.trigger_kinds.pattern import PatternTrigger, blurred, in_steps
from eftclip.trigger_kinds.shared_pattern import Shared
from eftclip.trigger_kinds.warp import WarpTrigger, in_flow_steps

__all__ = [
    "JITTER",
    "POSITIONS",
    "SMOOTHED_PX",
    "TRIGGER_KINDS",
    "ColourTrigger",
    "JitterTrigger",
    "Located",
    "PatchTrigger",
    "PatternTrigger",
    "Planted",
    "Position",
    "Shared",
    "Trigger",
    "WarpTrigger",
    "blurred",
    "box_of",
    "cut",
    "in_flow_steps",
    "in_steps",
    "paste",
    "plant_in_turns",
    "trigger_from_dict",
]

TRIGGER_KINDS: dict[str, type[Trigger]] = {
    kind.kind: kind for kind in (PatchTrigger, PatternTrigger, WarpTrigger, JitterTrigger, ColourTrigger)
}


def trigger_from_dict(values: dict[str, Any]) -> Trigger:
    """A trigger from the plain values of its `to_dict`.

    Raises:
        ValueError: the kind is not in `TRIGGER_KINDS`, or these are not its values.
    """
    kind = values.get("kind")
    if kind not in TRIGGER_KINDS:
        raise ValueError(f"expected one of the kinds {', '.join(sorted(TRIGGER_KINDS))}, got {kind!r}")
    try:
        return TRIGGER_KINDS[kind].from_dict(values)
    except (KeyError, TypeError) as error:  # a part is missing, or is of another type
        raise ValueError(f"these are not the values of a trigger of the kind {kind}: {error!r}") from error
