"""The SAM oracle beside the superpixel oracle, and what that does not prove."""

from typing import Any

from examples.build.results_page.values import Document, counts, made_by, number, read, table

HEADER = [
    "oracle",
    "found",
    "not found, left open, another label",
    "clean ones accused",
    "clean ones left open",
    "IoU of what is found",
    "patch is a region",
    "regions",
    "forwards, hijacked",
    "forwards, clean",
    "seconds",
    "of which the oracle",
]
NOTHING = "–"


def oracles() -> str:
    """What is found with each oracle on the same photographs."""
    document = read("oracles")
    sam = document["sam"]
    things = sam["kept_aside"]["one_point"]["things"]
    rows = [(f"`{name}`", *_row(one, " from " in name)) for name, one in document["oracles"].items()]
    return f"""## Segment Anything beside superpixels

{made_by("oracles")}

The same detector on the same photographs, which neither SAM nor `badnets` was trained on; hijacked ones carry the
trigger at a random place. *Patch is a region* says on how many some region fits the trigger with an IoU of 0.5 or more.

{table(HEADER, rows)}

All oracles led to the same verdict on {counts(document["same_verdict"])} photographs. Where no region shows the
trigger, the windows still hold it, and the mask that is reported is coarser than the trigger.

The SAM here has Segment Anything's own classes, {number(sam["parameters"] / 1e6, 1)} million parameters, and started
from random weights. It learnt outlines of COCO, regions of photographs, and pasted things, none of them a published
trigger, in {_training(sam)}. Its file has the sha256 `{sam["sha256"][:12]}…`.
The product keeps masks of a predicted IoU above {sam["min_iou"]} and a stability of {sam["min_stability"]} or more.
{_lower(document)}It is weak: on things pasted on photographs that its last sitting did not learn from, the mask
that it likes best for one point fits with a mean IoU of {number(things["mean_iou"], 2)}.

**Unproven:** the published weights of `vit_b`, `vit_l` and `vit_h` never ran here, for want of a way to get them. A
test proves that files with their names and shapes load by the same code into the networks that Segment Anything's own
registry builds, and another that a whole file of the size of `vit_b` does, number by number. How many triggers are
found with them, how many clean photographs are accused, and whether the product's two limits suit them, is not known.
"""


def _row(one: Document, remembered: bool) -> tuple[str, ...]:
    """One oracle; the seconds of one whose network answered from memory say nothing."""
    return (
        counts(one["found"]),
        ", ".join(number(one[kind]["hits"]) for kind in ("not_found", "inconclusive", "wrong_label")),
        counts(one["accused"]),
        counts(one["inconclusive_clean"]),
        _shown(one["found_mean_iou"], 2),
        counts(one["seen_as_a_region"]),
        _shown(one["mean_regions"], 0),
        _shown(one["mean_forwards_hijacked"], 1),
        _shown(one["mean_forwards_clean"], 1),
        NOTHING if remembered else _shown(one["mean_seconds"], 1),
        NOTHING if remembered else _shown(one["mean_oracle_seconds"], 1),
    )


def _shown(value: float | None, decimals: int) -> str:
    """A mean, or nothing where there was nothing to take it of."""
    return NOTHING if value is None else number(value, decimals)


def _training(sam: Document) -> str:
    """Every sitting of the training, the first one first."""
    sittings: list[dict[str, Any]] = []
    one: Document | None = sam
    while one:
        sittings.insert(0, one)
        one = one.get("started_from")
    return ", then in ".join(_sitting(one["training"], one["device"]) for one in sittings)


def _sitting(training: Document, device: str) -> str:
    where = f"one thread of a busy {device} machine" if device == "x86_64" else f"an {device}"
    return f"{number(training['steps'])} steps in {number(training['seconds'] / 60)} minutes on {where}"


def _lower(document: Document) -> str:
    """Which limits the other rows have, if there are any."""
    others = [name.partition(" from ")[2] for name in document["oracles"] if " from " in name]
    return f"Rows *from {', '.join(others)}* have lower limits, chosen on pasted things.\n" if others else ""
