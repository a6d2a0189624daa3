"""The document of a finished scan, rectification or evaluation: an explicit allow-list of fields."""

from collections.abc import Mapping, Sequence

from eftclip.report.values import SCHEMA_VERSION, Document, account, checkpoint, kinds, number, rate, sanity
from eftclip.types import (
    Cost,
    Coverage,
    CuratedSet,
    DataRecord,
    Evaluation,
    Fault,
    Identification,
    Prediction,
    Rectified,
    RereadVictim,
    RunRecord,
    TriggerFamily,
    Victim,
)

Paths = Mapping[tuple[int, int], str]  # (family, exemplar) -> where its picture is


def run_document(record: RunRecord, exemplars: Paths | None = None) -> Document:
    """Everything that a run found and did, as plain values that `json.dumps(..., allow_nan=False)` takes.

    Args:
        record: the finished run.
        exemplars: for (family, exemplar), where its picture was written, relative to the folder of the JSON file, or a
            data URI; those that are not in here are left out.
    """
    document: Document = {
        "schema_version": SCHEMA_VERSION,
        "kind": record.kind,
        "conclusion": record.conclusion,
        "checkpoint": checkpoint(record.ref),
        "config": {stage: dict(values) for stage, values in record.configs.items()},
        "labels": {"count": record.labels[0], "source": record.labels[1]},
        "oracle": record.oracle,
        "reference": None if record.reference is None else {"sha256": record.reference},
        "sanity": sanity(record.sanity),
        "seed": record.seed,
        "versions": dict(record.versions),
        "processes": record.processes,
        "data": _data(record.data) if record.data else None,
        "costs": [_cost(cost) for cost in record.costs],
    }
    if record.identification is not None:
        document |= _identification(record.identification, exemplars or {})
    if record.measured_account is not None:
        document |= {
            "status": "inconclusive" if record.undecided else "measured",
            "reason": record.undecided or record.conclusion,
            "account": account(record.measured_account),
            "faults": _faults(record.measured_faults),
        }
    if record.curated is not None:
        document["curated"] = _curated(record.curated)
    if record.rectified is not None:
        document["rectified"] = _rectified(record.rectified)
    document |= _measured(record)
    if record.reread_victims:
        document["witnesses"] = [_witness(witness) for witness in record.reread_victims]
    return document


def _measured(record: RunRecord) -> Document:
    """`clean`, `attack` and `poisoned` at the top are those of the checkpoint as it is at the end."""
    stages = {"before": record.before, "after": record.after, "rebound": record.rebound}
    found = {name: _evaluation(one) for name, one in stages.items() if one is not None}
    if (last := record.after or record.before) is not None:
        found |= {"clean": rate(last.clean), "attack": rate(last.attack), "poisoned": rate(last.poisoned)}
    return found


def _data(data: DataRecord) -> Document:
    return {
        "source": data.source,
        "kind": data.kind,
        "revision": data.revision,
        "length": data.length,
        "layout": data.layout,
        "notes": list(data.notes),
    }


def _cost(cost: Cost) -> Document:
    return {
        "stage": cost.stage,
        "seconds": round(cost.seconds, 3),
        "peak_mb": None if cost.peak_mb is None else round(cost.peak_mb, 1),
        "gpu_peak_mb": None if cost.gpu_peak_mb is None else round(cost.gpu_peak_mb, 1),
        "image_forwards": cost.image_forwards,
        "image_steps": cost.image_steps,
    }


def _identification(found: Identification, exemplars: Paths) -> Document:
    sizes = [sum(victim.family == k for victim in found.victims) for k in range(len(found.families))]
    return {
        "status": found.status.value,
        "reason": found.reason,
        "families": [_family(k, family, sizes[k], exemplars) for k, family in enumerate(found.families)],
        "kinds": kinds(found.kinds),
        "affected_labels": list(found.affected_labels),
        "victims": [_victim(victim) for victim in found.victims],
        "coverage": _coverage(found.coverage),
        "account": account(found.account),
        "faults": _faults(found.faults),
    }


def _faults(faults: Sequence[Fault]) -> list[Document]:
    return [{"image": fault.name, "index": fault.index, "kind": fault.kind, "reason": fault.reason} for fault in faults]


def _family(number: int, family: TriggerFamily, victims: int, exemplars: Paths) -> Document:
    return {
        "target_label": family.target_label,
        "trigger_kind": family.exemplars[0].kind,
        "origin": family.origin,
        "victims": victims,
        "searched": len(family.members),
        "transplant": rate(family.transplant),
        "control": rate(family.control) if family.control else None,
        "exemplars": [exemplars[number, k] for k in range(len(family.exemplars)) if (number, k) in exemplars],
    }


def _victim(victim: Victim) -> Document:
    return {
        "image": victim.name,
        "index": victim.index,
        "shown_label": victim.shown_label,
        "restored_label": victim.restored_label,
        "family": victim.family,
        "box_xyxy": list(victim.box),
        "how": victim.how,
    }


def _coverage(coverage: Coverage) -> Document:
    return {
        "complete": coverage.complete,
        "reached": coverage.reached,
        "read": coverage.read,
        "searched": coverage.searched,
        "matched": coverage.matched,
        "screened": coverage.screened,
        "undecided": coverage.undecided,
        "corrupt": coverage.corrupt,
        "missing": coverage.missing,
        "left_out": coverage.left_out,
        "duplicates": coverage.duplicates,
    }


def _curated(curated: CuratedSet) -> Document:
    return {
        "budget": curated.budget,
        "source": curated.source,
        "counts": curated.counts,
        "items": [
            {"image": item.name, "index": item.index, "role": item.role, "label": item.label, "reason": item.reason}
            for item in curated.items
        ],
    }


def _rectified(rectified: Rectified) -> Document:
    return {
        "method": rectified.method,
        "steps": rectified.steps,
        "image_steps": rectified.image_steps,
        "stopped": rectified.stopped,
        "seconds": round(rectified.seconds, 3),
        "config_digest": rectified.config_digest,
        "sha256": rectified.sha256,
        "layout": rectified.layout,
        "about": rectified.about,
        "trains_text": rectified.trains_text,
        "remark": rectified.remark,
        "origin": rectified.origin,
        "history": [
            {
                "step": look.step,
                "loss": number(look.loss),
                "attack": rate(look.attack),
                "agreement": rate(look.agreement),
            }
            for look in rectified.history
        ],
    }


def _evaluation(evaluation: Evaluation) -> Document:
    return {
        "clean": rate(evaluation.clean),
        "attack": rate(evaluation.attack),
        "poisoned": rate(evaluation.poisoned),
        "per_target": [
            {"target_label": label, "attack": rate(attack), "poisoned": rate(poisoned)}
            for label, attack, poisoned in evaluation.per_target
        ],
        "victims": rate(evaluation.victims) if evaluation.victims else None,
        "truth": evaluation.truth,
        "pictures": evaluation.pictures,
        "warnings": list(evaluation.warnings),
        "undecided": evaluation.undecided,
    }


def _witness(witness: RereadVictim) -> Document:
    return {"image": witness.name, "before": _prediction(witness.before), "after": _prediction(witness.after)}


def _prediction(prediction: Prediction) -> Document:
    return {"label": prediction.label, "probability": number(prediction.probability)}
