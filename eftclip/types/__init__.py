"""The frozen values handed from stage to stage; each one checks itself where it is made."""

from eftclip.types.accounts import UNREAD, Account, LeftOut, fault_kind, left_out, remedy
from eftclip.types.identification import FAULT_KINDS, Coverage, Fault, Identification, Victim
from eftclip.types.models import Box, CheckpointRef, ClassMatrix, ClipModel, HostImages, Oracle, Region
from eftclip.types.rates import Rate
from eftclip.types.records import Checked, CheckRecord, Cost, DataRecord, RunRecord, Sanity
from eftclip.types.rectification import (
    CuratedItem,
    CuratedSet,
    Evaluation,
    Rectified,
    RereadVictim,
    TuningStep,
    measure_names,
)
from eftclip.types.samples import Decode, Entry, ImageSet
from eftclip.types.triggers import Finding, TriggerFamily, TriggerProof
from eftclip.types.verdicts import (
    KINDS,
    NOTHING_SEARCHED,
    SEARCHED_KINDS,
    SHARED_KIND,
    Detection,
    FoundTrigger,
    LabelEvidence,
    Prediction,
    Searched,
    Status,
    TransplantExample,
)

__all__ = [
    "FAULT_KINDS",
    "KINDS",
    "NOTHING_SEARCHED",
    "SEARCHED_KINDS",
    "SHARED_KIND",
    "UNREAD",
    "Account",
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
    "Decode",
    "Detection",
    "Entry",
    "Evaluation",
    "Fault",
    "Finding",
    "FoundTrigger",
    "HostImages",
    "Identification",
    "ImageSet",
    "LabelEvidence",
    "LeftOut",
    "Oracle",
    "Prediction",
    "Rate",
    "Rectified",
    "Region",
    "RereadVictim",
    "RunRecord",
    "Sanity",
    "Searched",
    "Status",
    "TransplantExample",
    "TriggerFamily",
    "TriggerProof",
    "TuningStep",
    "Victim",
    "fault_kind",
    "left_out",
    "measure_names",
    "remedy",
]
