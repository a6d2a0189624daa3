"""The frozen values handed from stage to stage; each one checks itself where it is made."""

from eftclip.types.counts import Rate
from eftclip.types.models import Box, CheckpointRef, ClassMatrix, ClipModel, Oracle, Region, Strangers
from eftclip.types.patches import Finding, Patch, TriggerFamily
from eftclip.types.records import Checked, CheckRecord, Cost, DataRecord, RunRecord, Sanity
from eftclip.types.repairs import CuratedItem, CuratedSet, Evaluation, Rectified, TuningStep, Witness, measure_names
from eftclip.types.scans import FAULT_KINDS, Coverage, Fault, Identification, Victim
from eftclip.types.verdicts import Detection, FoundTrigger, LabelEvidence, Prediction, Status, Stranger

__all__ = [
    "FAULT_KINDS",
    "Box",
    "CheckRecord",
    "Checked",
    "CheckpointRef",
    "ClassMatrix",
    "ClipModel",
    "Cost",
    "Coverage",
    "CuratedItem",
    "CuratedSet",
    "DataRecord",
    "Detection",
    "Evaluation",
    "Fault",
    "Finding",
    "FoundTrigger",
    "Identification",
    "LabelEvidence",
    "Oracle",
    "Patch",
    "Prediction",
    "Rate",
    "Rectified",
    "Region",
    "RunRecord",
    "Sanity",
    "Status",
    "Stranger",
    "Strangers",
    "TriggerFamily",
    "TuningStep",
    "Victim",
    "Witness",
    "measure_names",
]
