"""What a scan found as plain values for JSON, and back: for what must outlive the process."""

from dataclasses import asdict
from typing import Any

from eftclip.trigger_kinds import trigger_from_dict
from eftclip.types import SEARCHED_KINDS, Coverage, Fault, Finding, Identification, Rate, Status, TriggerFamily, Victim


def identification_to_dict(found: Identification) -> dict[str, Any]:
    """The result of a scan, exactly."""
    return {
        "status": found.status.value,
        "reason": found.reason,
        "families": [_of_family(family) for family in found.families],
        "victims": [asdict(victim) for victim in found.victims],
        "coverage": asdict(found.coverage),
        "faults": [asdict(fault) for fault in found.faults],
        "clean_pool": list(found.clean_pool),
        "affected_pool": list(found.affected_pool),
        "image_forwards": found.image_forwards,
        "searched_kinds": list(found.searched_kinds),
    }


def identification_from_dict(values: dict[str, Any]) -> Identification:
    """The opposite of `identification_to_dict`."""
    return Identification(
        Status(values["status"]),
        values["reason"],
        tuple(_to_family(family) for family in values["families"]),
        tuple(Victim(**{**victim, "box": tuple(victim["box"])}) for victim in values["victims"]),
        Coverage(**values["coverage"]),
        tuple(Fault(**fault) for fault in values["faults"]),
        tuple(values["clean_pool"]),
        tuple(values["affected_pool"]),
        values["image_forwards"],
        tuple(values.get("searched_kinds", SEARCHED_KINDS)),
    )


def finding_to_dict(finding: Finding) -> dict[str, Any]:
    """A proven trigger in one sample."""
    return {
        "index": finding.index,
        "name": finding.name,
        "target_label": finding.target_label,
        "restored_label": finding.restored_label,
        "triggers": [trigger.to_dict() for trigger in finding.triggers],
        "box": list(finding.box),
        "transplant": _of_rate(finding.transplant),
        "control": _of_rate(finding.control),
        "reason": finding.reason,
    }


def finding_from_dict(values: dict[str, Any]) -> Finding:
    """The opposite of `finding_to_dict`."""
    x0, y0, x1, y1 = values["box"]
    return Finding(
        values["index"],
        values["name"],
        values["target_label"],
        values["restored_label"],
        tuple(trigger_from_dict(trigger) for trigger in values["triggers"]),
        (x0, y0, x1, y1),
        Rate(*values["transplant"]),
        _to_rate(values["control"]),
        values["reason"],
    )


def _of_family(family: TriggerFamily) -> dict[str, Any]:
    return {
        "target_label": family.target_label,
        "exemplars": [trigger.to_dict() for trigger in family.exemplars],
        "transplant": _of_rate(family.transplant),
        "control": _of_rate(family.control),
        "members": list(family.members),
        "origin": family.origin,
    }


def _to_family(values: dict[str, Any]) -> TriggerFamily:
    return TriggerFamily(
        values["target_label"],
        tuple(trigger_from_dict(trigger) for trigger in values["exemplars"]),
        Rate(*values["transplant"]),
        _to_rate(values["control"]),
        tuple(values["members"]),
        values["origin"],
    )


def _of_rate(rate: Rate | None) -> list[int] | None:
    return None if rate is None else [rate.hits, rate.total]


def _to_rate(values: list[int] | None) -> Rate | None:
    return None if values is None else Rate(*values)
