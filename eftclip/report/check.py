"""The document of a finished check: an explicit allow-list of fields, then text that renders that document only."""

from collections import Counter
from collections.abc import Mapping

import torch

from eftclip.preprocess import Geometry
from eftclip.report.values import (
    SCHEMA_VERSION,
    Document,
    account,
    algorithm_line,
    checkpoint,
    escape,
    kinds,
    kinds_line,
    number,
    rate,
    sanity,
    share,
)
from eftclip.types import Box, Checked, CheckRecord, FoundTrigger, LabelEvidence, NamedPart, Prediction, Status


def check_document(record: CheckRecord, mask_paths: Mapping[int, str]) -> Document:
    """Everything that a check found, as plain values that `json.dumps(..., allow_nan=False)` takes.

    Args:
        record: the finished check.
        mask_paths: where the mask of result k was written, relative to the folder of the JSON file; a result that is
            not in here has `mask_png` null.
    """
    counts = Counter(checked.detection.status.value for checked in record.results)
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "check",
        "checkpoint": checkpoint(record.ref),
        "config": dict(record.config),
        "labels": {"count": record.labels[0], "source": record.labels[1]},
        "oracle": record.oracle,
        "reference": None if record.reference is None else {"sha256": record.reference},
        "sanity": sanity(record.sanity),
        "seed": record.seed,
        "versions": dict(record.versions),
        "counts": {status.value: counts[status.value] for status in Status},
        "account": account(record.account),
        "results": [_result(checked, mask_paths.get(k)) for k, checked in enumerate(record.results)],
    }


def _result(checked: Checked, mask_png: str | None) -> Document:
    detection = checked.detection
    return {
        "image": checked.name,
        "status": detection.status.value,
        "prediction": _first(detection.predictions),
        "trigger": _trigger(detection.trigger, checked.geometry, mask_png) if detection.trigger else None,
        "purified": _first(detection.purified_predictions),
        "reason": detection.reason,
        "predictions": [_prediction(p) for p in detection.predictions],
        "purified_predictions": [_prediction(p) for p in detection.purified_predictions],
        "difference": [_evidence(e) for e in detection.difference],
        "coverage": {"examined": detection.examined, "regions": detection.regions},
        "image_forwards": detection.image_forwards,
        "kinds": kinds(detection.kinds),
        "algorithm": detection.algorithm,
        "named": _named(detection.named, checked.geometry) if detection.named else None,
    }


def _trigger(trigger: FoundTrigger, geometry: Geometry | None, mask_png: str | None) -> Document:
    return {
        "target_label": trigger.target_label,
        "trigger_kind": trigger.kind,
        "box_xyxy": list(picture_box(trigger, geometry)) if geometry else None,
        "mask_png": mask_png,
        "area_fraction": number(trigger.area_fraction),
        "transplant": rate(trigger.transplant),
        "control": rate(trigger.control) if trigger.control else None,
    }


def _named(named: NamedPart, geometry: Geometry | None) -> Document:
    """What the paper's rule names, proven or not."""
    return {
        "label": named.label,
        "box_xyxy": list(picture_box(named, geometry)) if geometry else None,
        "confidence": number(named.confidence),
        "others": list(named.others),
        "transplant": rate(named.transplant) if named.transplant else None,
    }


def picture_box(trigger: FoundTrigger | NamedPart, geometry: Geometry) -> Box:
    """XYXY pixels of the file around a part of the picture; at least one pixel wide and high."""
    mask = geometry.mask_to_picture(trigger.mask)
    if mask.any():
        ys, xs = torch.nonzero(mask.any(1)).flatten(), torch.nonzero(mask.any(0)).flatten()
        return int(xs[0]), int(ys[0]), int(xs[-1]) + 1, int(ys[-1]) + 1
    # a picture so much smaller than the square that the trigger falls between its pixels
    x = (trigger.box[0] + trigger.box[2]) / 2 + geometry.offset_x
    y = (trigger.box[1] + trigger.box[3]) / 2 + geometry.offset_y
    left = min(max(int(x / geometry.scale_x), 0), geometry.width - 1)
    upper = min(max(int(y / geometry.scale_y), 0), geometry.height - 1)
    return left, upper, left + 1, upper + 1


def _first(predictions: tuple[Prediction, ...]) -> Document | None:
    return _prediction(predictions[0]) if predictions else None


def _prediction(prediction: Prediction) -> Document:
    return {"label": prediction.label, "probability": number(prediction.probability)}


def _evidence(evidence: LabelEvidence) -> Document:
    return {
        "label": evidence.label,
        "probability": number(evidence.probability),
        "support": number(evidence.support),
        "explained": evidence.explained,
    }


HEADLINES = {
    "found": "Something is steering the model",
    "not_found": "Nothing found",
    "inconclusive": "Could not be decided",
    "error": "Failed",
}


def markdown(document: Document) -> str:
    """Render a check document, and nothing else, for people; names and labels are escaped."""
    checkpoint, labels = document["checkpoint"], document["labels"]
    revision = f" at `{checkpoint['revision']}`" if checkpoint["revision"] else ""
    reference = f"`{document['reference']['sha256'][:12]}…`" if document["reference"] else "none"
    lines = [
        "# Check of a CLIP checkpoint",
        "",
        f"* **Checkpoint:** {escape(checkpoint['source'])}{revision}, weights `{checkpoint['sha256'][:12]}…`",
        f"* **Working?** {escape(document['sanity']['reason'])}",
        f"* **Labels:** {labels['count']:,} from {escape(labels['source'])}",
        f"* **Oracle:** {escape(document['oracle'])}, **trusted reference:** {reference}, **seed:** {document['seed']}",
        algorithm_line(document["config"]),
        f"* **Verdicts:** {counts_sentence(document['counts'])}",
        "",
        "| picture | verdict | reads | without the trigger |",
        "|---|---|---|---|",
        *(_row(result) for result in document["results"]),
    ]
    for result in document["results"]:
        lines += _section(result)
    return "\n".join([*lines, "", CAVEAT, ""])


CAVEAT = (
    "A finding is a candidate for review, not a proof of intent. *Nothing found* speaks of these pictures and of the "
    "kinds of triggers that were searched only; it does not say that the checkpoint is clean."
)


def _row(result: Document) -> str:
    cells = (escape(result["image"]), HEADLINES[result["status"]], _reading(result["prediction"]))
    return f"| {' | '.join(cells)} | {_reading(result['purified'])} |"


def _reading(prediction: Document | None) -> str:
    if prediction is None:
        return "–"
    share = prediction["probability"]
    return escape(prediction["label"]) + (f" {share:.0%}" if share is not None else "")


def _section(result: Document) -> list[str]:
    lines = [
        "",
        f"## {escape(result['image'])}",
        "",
        f"{escape(result['reason'])} {kinds_line(result.get('kinds', {}))}",
    ]
    if trigger := result["trigger"]:
        lines += [
            "",
            f"* **Forced label:** {escape(trigger['target_label'])}",
            f"* **Where:** box {trigger['box_xyxy']}, {trigger['area_fraction']:.2%} of what the model sees",
            f"* **Transplant:** {share(trigger['transplant'])} strangers' photographs were taken over",
        ]
        if trigger["control"]:
            lines += [f"* **Control:** {share(trigger['control'])} for the trusted reference"]
        if trigger["mask_png"] and not trigger["mask_png"].startswith("data:"):
            lines += [f"* **Mask:** {escape(trigger['mask_png'])}"]
    elif named := result.get("named"):
        count = share(named["transplant"]) if named["transplant"] else "not tried"
        lines += [
            "",
            f"* **Named, not proven:** {escape(named['label'])}, box {named['box_xyxy']}",
            f"* **Transplant:** {count}",
        ]
    return lines


def counts_sentence(counts: Mapping[str, int]) -> str:
    """For people: `2 found, 1 nothing found, 0 undecided, 0 failed`."""
    words = {"found": "found", "not_found": "nothing found", "inconclusive": "undecided", "error": "failed"}
    return ", ".join(f"{counts[status]} {word}" for status, word in words.items())
