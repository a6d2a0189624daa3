"""What a scan found as plain values for JSON, and back: for what must outlive the process."""

import base64
import io
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from eftclip.types import Coverage, Fault, Finding, Identification, Patch, Rate, Status, TriggerFamily, Victim


def of_identification(found: Identification) -> dict[str, Any]:
    """The result of a scan, exactly; patches as PNG, as what the model sees has 8 bits a channel."""
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
    }


def to_identification(values: dict[str, Any]) -> Identification:
    """The opposite of `of_identification`."""
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
    )


def of_finding(finding: Finding) -> dict[str, Any]:
    """A proven trigger in one sample."""
    return {
        "index": finding.index,
        "name": finding.name,
        "target_label": finding.target_label,
        "restored_label": finding.restored_label,
        "patches": [_of_patch(patch) for patch in finding.patches],
        "box": list(finding.box),
        "transplant": _of_rate(finding.transplant),
        "control": _of_rate(finding.control),
        "reason": finding.reason,
    }


def to_finding(values: dict[str, Any]) -> Finding:
    """The opposite of `of_finding`."""
    x0, y0, x1, y1 = values["box"]
    return Finding(
        values["index"],
        values["name"],
        values["target_label"],
        values["restored_label"],
        tuple(_to_patch(patch) for patch in values["patches"]),
        (x0, y0, x1, y1),
        Rate(*values["transplant"]),
        _to_rate(values["control"]),
        values["reason"],
    )


def _of_family(family: TriggerFamily) -> dict[str, Any]:
    return {
        "target_label": family.target_label,
        "exemplars": [_of_patch(patch) for patch in family.exemplars],
        "transplant": _of_rate(family.transplant),
        "control": _of_rate(family.control),
        "members": list(family.members),
        "origin": family.origin,
    }


def _to_family(values: dict[str, Any]) -> TriggerFamily:
    return TriggerFamily(
        values["target_label"],
        tuple(_to_patch(patch) for patch in values["exemplars"]),
        Rate(*values["transplant"]),
        _to_rate(values["control"]),
        tuple(values["members"]),
        values["origin"],
    )


def _of_rate(rate: Rate | None) -> list[int] | None:
    return None if rate is None else [rate.hits, rate.total]


def _to_rate(values: list[int] | None) -> Rate | None:
    return None if values is None else Rate(*values)


def _of_patch(patch: Patch) -> list[Any]:
    return [_png(patch.pixels), _png(patch.mask[None].float()), patch.place and list(patch.place)]


def _to_patch(values: list[Any]) -> Patch:
    pixels, mask, place = values
    return Patch(_pixels(pixels), _pixels(mask)[0] > 0.5, tuple(place) if place else None)


def _png(pixels: Tensor) -> str:
    """`(3 or 1, h, w)` in [0, 1] as text."""
    array = (pixels * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
    buffer = io.BytesIO()
    Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def _pixels(text: str) -> Tensor:
    picture = np.atleast_3d(np.asarray(Image.open(io.BytesIO(base64.b64decode(text)))))
    return torch.from_numpy(picture.copy()).permute(2, 0, 1).float() / 255
